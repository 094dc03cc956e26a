"""Which image each value is: channels of pixels, in which a ring holds it.

Steps of a network and stages of its program are asked alike. An image follows from what is taken, where every element
stays at its pixel; else from the layer that takes the value; else the value is one pixel.

Layers of one position may be computed by several tiles, each for every so many images. Copy ``t`` of ``n`` makes what
the layer makes of image ``i`` where ``i`` is ``t`` modulo ``n``, and 0 of others (:class:`~mho.compiler.program.Call`):
the sum of all copies is the layer. On tiles nothing is added: what takes the sum takes the values in turn, one of an
image. All copies take one value, which a stage of its own makes by leaving it as it is: on tiles that sends each image
to the copy that has it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from mho.compiler.model.stages import Gather, Step
from mho.compiler.program import Call, Program, Stage
from mho.compiler.tile.graph.graph import Value
from mho.compiler.tile.lowering.geometry import Image, Taking, call_image, pooling, seen_image, turns_of
from mho.compiler.tile.lowering.routes import NotAlikeError, route
from mho.macro_models.integer.vector import Select, WeightedSum
from mho.macro_models.types import Indices

Doing = Step | Stage
"""A step of a model, or a stage of a program."""


def sum_of_interleaved(copies: int, elements: int) -> WeightedSum:
    """What makes a layer's value of those of its copies, each of so many elements."""
    index = np.arange(copies * elements, dtype=np.int32).reshape(copies, elements).T
    return WeightedSum(index=index, multiplier=np.ones_like(index), shift=0, offset=np.zeros(elements, np.int32))


def interleaved_values(parts: Sequence[Doing], number: int) -> tuple[int, ...]:
    """The values of copies of which stage ``number`` is the sum, in the order of their turns; none if it is no such."""
    op, inputs = parts[number].operation, parts[number].inputs
    if not isinstance(op, WeightedSum) or not all(inputs):
        return ()
    calls = [parts[v - 1].operation for v in inputs]
    turns = [(call.turn, call.turns) for call in calls if isinstance(call, Call)]
    count = len(inputs)
    if count < 2 or turns != [(turn, count) for turn in range(count)]:
        return ()
    expected = sum_of_interleaved(count, len(op.index))
    same = np.array_equal(op.index, expected.index) and np.array_equal(op.multiplier, expected.multiplier)
    return inputs if same and not op.shift and not op.offset.any() else ()


def deal(elements: int) -> Select:
    """What deals images of so many elements."""
    return Select(index=np.arange(elements, dtype=np.int32), fill=np.zeros(elements, np.int16))


def interleaved_turns(parts: Sequence[Doing], number: int) -> int:
    """How many copies stage ``number`` deals images; 0 if it does not."""
    op, inputs = parts[number].operation, parts[number].inputs
    if not isinstance(op, Select) or len(inputs) != 1 or op.index.ndim != 1:
        return 0
    taking = [part.operation for part in parts if number + 1 in part.inputs]
    turns = [(call.turn, call.turns) for call in taking if isinstance(call, Call)]
    count = len(taking)
    if count < 2 or turns != [(turn, count) for turn in range(count)]:
        return 0
    return count if np.array_equal(op.index, np.arange(len(op.index))) else 0


FEWEST = 4
"""Values of a single pixel from which on they are pixels of an image in turn."""


def images_of(parts: Sequence[Doing], entry: Image, outputs: Callable[[object], int]) -> list[Image]:
    """The images of all values; ``outputs`` gives those of a layer's operation."""
    images = [entry]
    for k, part in enumerate(parts):
        op, inputs = part.operation, [images[v] for v in part.inputs]
        if isinstance(op, Taking):
            images.append(_called(parts, k, op, outputs(op)))
        else:
            images.append(_made(parts, k, op, inputs))
    return images


def _called(parts: Sequence[Doing], k: int, op: Taking, outputs: int) -> Image:
    """What a layer makes; where no window says of which image its positions are, that of whoever takes it."""
    image = call_image(op, outputs)
    view = _seen(parts, k + 1, image.elements) if op.window is None and image.pixels > 1 else None
    return image if view is None or view.channels != outputs else view


def entry_image(parts: Sequence[Doing], shape: tuple[int, ...], elements: int) -> Image:
    """The image of the network's input, or of what the host makes of it: as the model has it, or a layer sees it."""
    if len(shape) == 3 and int(np.prod(shape, dtype=int)) == elements:
        return Image(channels=shape[0], height=shape[1], width=shape[2])
    return _seen(parts, 0, elements) or Image(channels=elements)


def outputs_in(program: Program) -> Callable[[object], int]:
    """What gives the outputs of a call of a program."""
    def outputs(op: object) -> int:
        assert isinstance(op, Call)
        return program.layers[op.layer].outputs

    return outputs


def joined(images: Sequence[Image]) -> Image:
    """Values side by side: channels of the same pixels, else one pixel."""
    first = images[0]
    if all((image.height, image.width) == (first.height, first.width) for image in images):
        return Image(channels=sum(image.channels for image in images), height=first.height, width=first.width)
    return Image(channels=sum(image.elements for image in images))


def is_windowed(operation: object, inputs: tuple[int, ...]) -> bool:
    """Whether a stage takes several elements of one value for each that it makes."""
    index = getattr(operation, "index", None)
    return len(inputs) == 1 and index is not None and index.ndim == 2 and index.shape[1] > 1


def is_sequence(images: Sequence[Image]) -> bool:
    """Whether values are so many of a single pixel that they are taken one after the other."""
    return len(images) >= FEWEST and all(image.pixels == 1 for image in images)


def _made(parts: Sequence[Doing], k: int, op: object, inputs: list[Image]) -> Image:
    if interleaved_values(parts, k) or interleaved_turns(parts, k):
        return inputs[0]
    index, total = getattr(op, "index", None), sum(image.elements for image in inputs)
    size = getattr(op, "size", None)
    left = getattr(op, "left", None)
    elements = len(index) if index is not None else len(left) if left is not None else (
        len(op.unit) if hasattr(op, "unit") else size if isinstance(size, int) else total)  # type: ignore[attr-defined]
    if isinstance(op, Select | Gather):
        # Copies of a layer make rows in turn, and so do steps of a recurrent cell.
        every = all(v and isinstance(parts[v - 1].operation, Taking) for v in parts[k].inputs)
        turns = turns_of(op.index, inputs) if every or is_sequence(inputs) else None
        if turns is not None:
            return turns[0]
    if is_windowed(op, parts[k].inputs):
        window = pooling(index, inputs[0])  # type: ignore[arg-type]
        if window is not None:
            return window[1]
    if len(inputs) == 1 and _moves_nothing(op, total):
        # It is there to make another image of a value: that of whoever takes it.
        return _seen(parts, k + 1, elements) or Image(channels=elements)
    by_pixel = index if index is not None else np.arange(total) if elements == total and left is None else None
    for image in sorted((part for part in inputs if part.pixels > 1), key=lambda part: -part.pixels):
        result = Image(channels=max(1, elements // image.pixels), height=image.height, width=image.width)
        if result.elements == elements and (by_pixel is None or _stays(by_pixel, inputs, result)):
            return result
    return _seen(parts, k + 1, elements) or Image(channels=elements)


def _moves_nothing(op: object, total: int) -> bool:
    """Whether a choice of elements takes all of them as they are."""
    return isinstance(op, Select) and op.index.ndim == 1 and np.array_equal(op.index, np.arange(total))


def _stays(index: np.ndarray, inputs: list[Image], image: Image) -> bool:
    """Whether every element stays at its pixel."""
    try:
        route(index.reshape(len(index), -1), inputs, image, whole=False)
    except NotAlikeError:
        return False
    return True


def _seen(parts: Sequence[Doing], value: int, elements: int) -> Image | None:
    """The image that the first layer sees that takes a value, or what is made of it element by element."""
    for k, part in enumerate(parts):
        if value not in part.inputs:
            continue
        op = part.operation
        if isinstance(op, Taking):
            return seen_image(op, elements)
        alike = not any(hasattr(op, name) for name in ("index", "left", "unit")) or interleaved_turns(parts, k)
        if len(part.inputs) == 1 and alike:
            return _seen(parts, k + 1, elements)
    return None


def single_pixels(
    program: Program, values: Sequence[Value], results: Collection[int]
) -> tuple[Mapping[int, tuple[int, int]], frozenset[int]]:
    """Values that are pixels of others, each with that value and which pixel; and those that are only on the way there.

    ``values`` are those of the program as tiles hold them; the host takes ``results``.
    """
    sources = {v: pixel for v in range(1, len(values)) if (pixel := _pixel(program, values, v)) is not None}
    several = {source for source, _ in sources.values()}
    pixels = {v: pixel for v, pixel in sources.items()
              if len({p for source, p in sources.values() if source == pixel[0]}) >= FEWEST}
    takers: dict[int, list[int]] = {}
    for k, stage in enumerate(program.stages):
        for v in stage.inputs:
            takers.setdefault(v, []).append(k + 1)
    between = frozenset(
        v for v in takers if v not in results and v not in pixels and v and v not in several
        and isinstance(program.stages[v - 1].operation, Select) and all(w in pixels for w in takers[v]))
    return pixels, between


def _pixel(program: Program, values: Sequence[Value], value: int) -> tuple[int, int] | None:
    """Of which value of several pixels a value is one, and which."""
    index: Indices | None = None
    source = value
    while source and isinstance(op := program.stages[source - 1].operation, Select):
        inputs = program.stages[source - 1].inputs
        if len(inputs) != 1 or (op.index < 0).any() or op.index.ndim != 1:
            break
        index = op.index if index is None else op.index[index]
        source = inputs[0]
    if index is None or values[source].image.pixels < FEWEST or values[value].image.pixels > 1:
        return None
    image, whole, part = values[source].image, values[source], values[value]
    alike = (whole.wide, whole.signed) == (part.wide, part.signed)
    elements = np.arange(image.channels) * image.pixels + index[0]
    return (source, int(index[0])) if alike and np.array_equal(index, elements) else None
