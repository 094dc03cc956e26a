"""Layers on tiles: placement in the order of walks, calibration, and permutations done where values are put together.

Layers count their inputs channel by channel, a walk gives them pixel by pixel. The layer's ``spread`` says which input
each row takes, so that the same network runs with the same cells, the same numbers of operations and the same noise on
tiles and on every other backend. Gates of recurrent cells are looked up together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mho.compiler.calibration.calibrate import Calibrated, Calibrator
from mho.compiler.calibration.finer import refined
from mho.compiler.calibration.outputs import output_warnings
from mho.compiler.job import CalibratedLayers, Job
from mho.compiler.mapping.place import DEFAULT_COPIES, Placement
from mho.compiler.model import FloatNetwork
from mho.compiler.model.stages import Linear, Step
from mho.compiler.program import Program, Stage
from mho.compiler.tile.graph.images import FEWEST, Image
from mho.compiler.tile.graph.shapes import MOST_ELEMENTS, MOST_PIXELS, Shape, with_shapes
from mho.compiler.tile.placement.placing import Growth, place_on_tiles
from mho.macro_models.integer.vector import PAD, Encode, Limit, Select, Table
from mho.macro_models.types import Indices, Integers


def join_tables(program: Program) -> Program:
    """The program in which slices of a value that have one table and one unit are looked up in one stage.

    They must be side by side and be taken by their tables alone; what takes a gate then takes a slice of the result.
    """
    stages, groups = program.stages, _groups(program.stages)
    made, number, parts = list[Stage](), {0: 0}, dict[int, Stage]()
    dropped = {stages[j].inputs[0] for group in groups.values() for j in group}
    for k, stage in enumerate(stages):
        if k in groups:
            slices, op = [_taken(stages, j) for j in groups[k]], stage.operation
            assert isinstance(op, Table)
            first, count = min(int(index[0]) for index in slices), sum(map(len, slices))
            made.append(Stage(operation=_slice(first, count), inputs=(number[_source(stages, k)],)))
            made.append(Stage(operation=replace(op, multiplier=np.repeat(op.multiplier[:1], count)),
                              inputs=(len(made),)))
            parts |= {j: Stage(operation=_slice(int(index[0]) - first, len(index)), inputs=(len(made),))
                      for j, index in zip(groups[k], slices, strict=True)}
        if k + 1 not in dropped:
            made.append(parts.get(k) or replace(stage, inputs=tuple(number[v] for v in stage.inputs)))
            number[k + 1] = len(made)
    return replace(program, stages=tuple(made)) if groups else program


def _groups(stages: Sequence[Stage]) -> dict[int, list[int]]:
    """Numbers of the tables that are one, by the first of them in the program."""
    takers = np.bincount([value for stage in stages for value in stage.inputs], minlength=len(stages) + 1)
    alike: dict[tuple[object, ...], list[int]] = {}
    for k, stage in enumerate(stages):
        op, value = stage.operation, stage.inputs[0]
        if isinstance(op, Table) and value and takers[value] == 1 and (op.multiplier == op.multiplier[0]).all():
            before = stages[value - 1]
            if isinstance(before.operation, Select) and len(before.inputs) == 1 and before.operation.index.ndim == 1:
                key = before.inputs[0], op.shift, int(op.multiplier[0]), op.entries.tobytes()
                alike.setdefault(key, []).append(k)
    groups: dict[int, list[int]] = {}
    for group in alike.values():
        index = np.concatenate(sorted((_taken(stages, k) for k in group), key=lambda places: int(places[0])))
        if len(group) > 1 and index[0] >= 0 and (np.diff(index) == 1).all():
            groups[group[0]] = group
    return groups


def _source(stages: Sequence[Stage], k: int) -> int:
    """The value of a slice of which a table takes."""
    return stages[stages[k].inputs[0] - 1].inputs[0]


def _taken(stages: Sequence[Stage], k: int) -> Indices:
    """What a table takes, by its places in that value."""
    operation = stages[stages[k].inputs[0] - 1].operation
    assert isinstance(operation, Select)
    return operation.index


def _slice(first: int, count: int) -> Select:
    """Elements side by side."""
    return Select(index=np.arange(first, first + count, dtype=np.int32), fill=np.zeros(count, np.int16))


_ARRAYS: dict[type, tuple[str, ...]] = {
    Encode: ("offset", "multiplier"), Limit: ("low", "high"), Table: ("multiplier",),
}
"""What stages that are done element by element hold for each element."""


def hoist_moves(program: Program) -> Program:
    """The program in which a choice of elements takes several values in the order that a later one would put them in.

    States of all steps are put side by side, encoded, and moved so that a layer has a pixel for each: the same elements
    in another order, moved before they are encoded.
    """
    stages = list(program.stages)
    takers = [0] * (len(stages) + 1)
    for stage in stages:
        for value in stage.inputs:
            takers[value] += 1
    for k, stage in enumerate(program.stages):
        op = stage.operation
        if isinstance(op, Select) and (chain := _chain(stages, takers, k)):
            index = op.index
            for at in chain:
                stages[at] = replace(stages[at], operation=_moved(stages[at].operation, index))
            stages[k] = replace(stage, operation=replace(op, index=np.arange(len(index), dtype=np.int32)))
    return replace(program, stages=tuple(stages))


def _chain(stages: Sequence[Stage], takers: Sequence[int], k: int) -> list[int]:
    """Stages before a permutation that may have their elements in its order, down to one that takes several values."""
    op, chain, at = stages[k].operation, list[int](), k
    if not isinstance(op, Select) or len(stages[k].inputs) != 1 or op.index.ndim != 1:
        return []
    if not np.array_equal(np.sort(op.index), np.arange(len(op.index))):
        return []
    while (value := stages[at].inputs[0]) and takers[value] == 1:
        at = value - 1
        chain.append(at)
        before = stages[at].operation
        if isinstance(before, Select):
            count = len(stages[at].inputs)
            if count < FEWEST or len(chain) == 1 or len(before.index) != len(op.index) or len(op.index) % count:
                return []
            # Then each value is a pixel.
            pixels = np.arange(len(op.index)).reshape(count, -1).T.ravel()
            return chain if np.array_equal(before.index[op.index], pixels) else []
        if type(before) not in _ARRAYS or len(stages[at].inputs) != 1:
            return []
    return []


def _moved(op: object, index: Indices) -> object:
    names = ("index", "fill") if isinstance(op, Select) else _ARRAYS[type(op)]
    return replace(op, **{name: getattr(op, name)[index] for name in names})  # type: ignore[type-var]


def calibrate_on_tiles(job: Job, shapes: Sequence[Shape]) -> CalibratedLayers:
    """Layers on tiles, calibrated there.

    Layers are repeated in free columns as often as ``copies`` says; else as often as ``error`` takes, in more pieces
    where there are tiles; else 4 times where noise of the cells would be more than a tenth of the outputs, by estimate,
    and as for an ``error`` where it would be too large even so, or 4 times where outputs are not right without, as of
    recurrent layers, whose errors add up over the steps; else not: copies take time, as a tile drains and adds them.
    Where not all layers have room for so many, those are repeated that matter (:class:`.placing.Growth`).
    """
    net, cell_map, noise, options = job.net, job.chip.macro_config().cell_map, job.noise, job.options
    tied, mesh = _tied(net, shapes, job.chip.tile.parameters), job.chip.mesh

    def put(copies: int) -> Placement:
        wide = noise.enough < 1.0 and not options.copies
        limit, enough = (DEFAULT_COPIES, noise.enough) if wide else (copies, 0.0)
        growth = Growth(noise.error, limit, enough, mesh.columns, mesh.contexts) if noise.layers else None
        return place_on_tiles(shapes, cell_map, job.chip.cores, copies=copies, wide=wide, slices=job.slices,
                              faults=job.faults, growth=growth)

    def calibrated(copies: int) -> tuple[Placement, Calibrated, list[str]]:
        placement = put(copies)
        result = refined(lambda chosen: Calibrator(
            tied, placement, job.chip, job.trial_device, chosen, job.x, job.progress, products=True).run(), options)
        return placement, result, output_warnings(result.outputs, net.layers[result.at_fault].name)

    copies, *more = [options.copies] if options.copies else noise.copies()
    placement, result, warnings = calibrated(copies)
    if warnings and more:
        placement, result, warnings = calibrated(*more)
    redundancy = noise.redundancy(placement, put(1), net.positions)
    return CalibratedLayers(placement=placement, redundancy=redundancy, result=result, warnings=tuple(warnings))


def with_walks(layers: CalibratedLayers, shapes: Sequence[Shape], entry: Image) -> CalibratedLayers:
    """The layers with stages before them that put side by side what walks take; ``entry`` is the input's image."""
    program = join_tables(hoist_moves(with_shapes(layers.program, shapes, entry)))
    return replace(layers, result=replace(layers.result, program=program))


@dataclass(frozen=True, kw_only=True)
class _TiedLinear(Linear):
    """A layer whose inputs of one channel are encoded alike, at all ``pixels`` of an image of so many.

    ``each`` is the channel of each input.
    """

    each: Integers
    pixels: int

    @property
    def ties(self) -> Indices:
        """More rows, one for each pixel, in which all inputs of a channel take it."""
        every = self.each * self.pixels + np.arange(self.pixels)[:, None]
        return np.concatenate([self.patches, every.astype(np.int32)])


def _tied(net: FloatNetwork, shapes: Sequence[Shape], parameters: int) -> FloatNetwork:
    """The network with such layers, where codes of a channel would differ between pixels and tiles could not do that.

    Windows that reach beyond the image have one padding a channel; an image that is large, or has more elements than a
    tile ``parameters``, is encoded pixel by pixel. What is put side by side is as it was.
    """
    limit = min(parameters, MOST_ELEMENTS - 1)
    shape_of = {shape.name: shape for shape in shapes}

    def one(step: Step) -> Step:
        op = step.operation
        if not isinstance(op, Linear):
            return step
        shape = shape_of[op.layer.name]
        image, walk = shape.image, shape.walk
        large = image.pixels > MOST_PIXELS or (image.pixels > 1 and image.elements > limit)
        if any(shape.put) or not (large or (op.patches == PAD).any()):
            return step
        channels: Integers = walk.channel + np.arange(op.patches.shape[1], dtype=np.int64) // walk.terms
        return replace(step, operation=_TiedLinear(
            layer=op.layer, patches=op.patches, pad=op.pad, window=op.window, each=channels, pixels=image.pixels))

    return replace(net, steps=tuple(map(one, net.steps)))
