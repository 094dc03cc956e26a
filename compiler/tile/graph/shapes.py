"""How tiles take the inputs of a layer: by a walk over an image, or put side by side before.

A layer whose patches no walk gives, or whose window has more pixels than a core has rows or a ring blocks, takes them
from a value in which somebody put them side by side, a pixel for each position: one more choice of elements, after they
were encoded. Of many elements that is the host's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Linear
from mho.compiler.program import Call, Program, Stage
from mho.compiler.tile.graph.images import entry_image, images_of, joined, outputs_in
from mho.compiler.tile.lowering.geometry import Image, layer_walk, seen_image
from mho.hw.tile.isa import DESCRIPTORS
from mho.hw.tile.isa.window import SlidingWindow
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import PAD, Select
from mho.macro_models.integer.window import recover

MOST_ELEMENTS, MOST_PIXELS = 1 << 10, 255
"""Elements that a tile has at a time, fewer than; and pixels."""
MOST_INPUTS = DESCRIPTORS["walk"].layout["run"].range[1]
"""Inputs of a pixel."""
MOST_KERNEL = DESCRIPTORS["walk"].layout["kernel_x"].range[1]
"""Pixels of a window along a side."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A layer: its name, outputs and groups, and the walk over all channels in whose order its rows are.

    ``put`` says of each of its calls whether its inputs are put side by side before; ``image`` is what the walk is
    over.
    """

    name: str
    walk: SlidingWindow
    outputs: int
    groups: int
    put: tuple[bool, ...]
    image: Image


def shapes_of(net: FloatNetwork, rows: int, buffer: int) -> list[Shape]:
    """The layers of a network, for cores of so many rows and tiles of so many bytes.

    Raises InputError if a layer takes more at a position than a pixel has.
    """
    sizes = _sizes(net)
    images = images_of(net.steps, entry_image(net.steps, net.input_shape, net.features), _outputs)
    calls: dict[int, list[tuple[Linear, Image, SlidingWindow | None]]] = {}
    for step in net.steps:
        op = step.operation
        if isinstance(op, Linear):
            elements = sum(sizes[v] for v in step.inputs)
            view = joined([images[v] for v in step.inputs])
            image, walk = _walk(op, [view, seen_image(op, elements)], rows, buffer)
            calls.setdefault(id(op.layer), []).append((op, image or view, walk))
    return [_shape(calls_of_layer[0][0].layer.name, calls_of_layer, rows) for calls_of_layer in calls.values()]


def _outputs(op: object) -> int:
    assert isinstance(op, Linear)
    return op.layer.outputs


def _sizes(net: FloatNetwork) -> list[int]:
    sizes = [net.features]
    for step in net.steps:
        sizes.append(step.operation.size)
    return sizes


def _walk(
    op: Linear, images: Sequence[Image | None], rows: int, buffer: int
) -> tuple[Image | None, SlidingWindow | None]:
    """The walk over one of some images whose window has room in a product and in a ring."""
    for image in images:
        walk = layer_walk(op, image) if image is not None else None
        if image is None or walk is None:
            continue
        if walk.terms <= rows and walk.least <= MOST_PIXELS and walk.least * image.channels <= buffer:
            return image, walk
    return None, None


def _shape(name: str, calls: list[tuple[Linear, Image, SlidingWindow | None]], rows: int) -> Shape:
    op, image, walk = calls[0]
    alike = {(w.terms, w.run) for _, _, w in calls if w is not None}
    shape = partial(Shape, name=name, outputs=op.layer.outputs, groups=op.layer.groups)
    if walk is not None and len(alike) == 1 and all(w is not None for _, _, w in calls):
        return shape(walk=walk, put=(False,) * len(calls), image=image)
    positions, inputs = op.patches.shape
    wide = _pixels(inputs) if positions == 1 else 1
    if inputs // wide > MOST_INPUTS:
        raise InputError(f"layer {name!r} must take a window of an image that has at most {rows} pixels, the rows of a "
                         f"tile, or at most {MOST_INPUTS} inputs at a position, not {inputs}")
    window = SlidingWindow(run=inputs // wide, channel=0, width=positions * wide, positions_x=positions, kernel_x=wide)
    flat = {(wide, inputs // wide)} == alike
    return shape(walk=window, put=tuple(w is None or not flat for _, _, w in calls),
                 image=Image(channels=inputs // wide, width=positions * wide))


def _pixels(inputs: int) -> int:
    """The fewest pixels that have as many inputs, for a layer that takes them once; 1 if there are none."""
    return next((n for n in range(1, MOST_KERNEL + 1) if inputs % n == 0 and inputs // n <= MOST_INPUTS), 1)


def with_shapes(program: Program, shapes: Sequence[Shape], entry: Image) -> Program:
    """The program with the stages that put the inputs of layers side by side, or their values into other images."""
    stages: list[Stage] = []
    number, called = {0: 0}, dict.fromkeys(range(len(shapes)), 0)
    images = images_of(program.stages, entry, outputs_in(program))

    def add(operation: object, inputs: tuple[int, ...]) -> int:
        stages.append(Stage(operation=operation, inputs=inputs))  # type: ignore[arg-type]
        return len(stages)

    for k, stage in enumerate(program.stages):
        op, inputs = stage.operation, tuple(number[v] for v in stage.inputs)
        if isinstance(op, Call):
            shape, image = shapes[op.layer], images[stage.inputs[0]]
            put = shape.put[called[op.layer]]
            called[op.layer] += 1
            if put:
                inputs, op = (add(_side_by_side(op), inputs),), _beside(op, shape.groups, images[k + 1])
            elif not _same(layer_walk(op, image), shape.walk):
                index = np.arange(image.elements, dtype=np.int32)
                inputs = (add(Select(index=index, fill=np.zeros(len(index), np.int16)), inputs),)
        number[k + 1] = add(op, inputs)
    return replace(program, stages=tuple(stages))


def _same(walk: SlidingWindow | None, expected: SlidingWindow) -> bool:
    """Whether rows are in the same order."""
    return walk is not None and (walk.terms, walk.run) == (expected.terms, expected.run)


def _side_by_side(call: Call) -> Select:
    """A value of a pixel for each position, with the inputs there as channels."""
    fill = np.where(call.patches == PAD, call.pad, 0)
    return Select(index=call.patches.T.ravel().astype(np.int32), fill=fill.T.ravel().astype(np.int16))


def _beside(call: Call, groups: int, image: Image) -> Call:
    """The call that takes them; positions are those of what it makes."""
    positions, inputs = call.patches.shape
    patches = np.arange(inputs, dtype=np.int32) * positions + np.arange(positions, dtype=np.int32)[:, None]
    many = (image.height, image.width) if image.height > 1 else (positions,) if positions > 1 else ()
    single, wide = (1,) * len(many), _pixels(inputs) if positions == 1 else 1
    if wide > 1:
        return replace(call, patches=patches, pad=np.zeros(inputs, np.int16),
                       window=recover(patches, inputs // wide, (1,), (wide,), (1,), (1,), groups))
    window = recover(patches, inputs, many, single, single, single, groups)
    return replace(call, patches=patches, pad=np.zeros(inputs, np.int16), window=window)
