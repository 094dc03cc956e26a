"""Layers that several tiles compute together, each every so many rows of the image, or every so many images.

A layer that takes longest holds up all others. Where cores are free its weights stand in several of them: copy ``t`` of
``n`` computes rows ``t``, ``t + n``, ... of what the layer makes, and a choice of elements puts the rows together
again. Copies of a layer of one position are dealt images: copy ``t`` computes images ``t``, ``t + n``, ..., which a
stage before them sends it (:mod:`mho.compiler.tile.graph.images`). Each copy is
a layer of its own, with cells, operations and noise of its own, so that every backend runs the same network and gives
the same bits; nothing is calibrated anew, since copies hold the same weights.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mho.compiler.calibration.outputs import Calibration, converters_of
from mho.compiler.job import warned
from mho.compiler.model import FloatNetwork
from mho.compiler.model.before import Before
from mho.compiler.model.stages import Gather, Linear, Step
from mho.compiler.network import CoreImage, Network
from mho.compiler.network.file.stages import MOST_TURNS
from mho.compiler.program import Call, Layer, Program, Stage
from mho.compiler.tile.graph.images import deal, images_of, outputs_in, sum_of_interleaved
from mho.compiler.tile.lowering.geometry import Image, rows_in_turns
from mho.compiler.tile.refusal import Refusal
from mho.hw.config import Chip
from mho.hw.tile.isa import DESCRIPTORS
from mho.macro_models.integer.vector import Select, WeightedSum
from mho.macro_models.integer.window import Window
from mho.macro_models.types import Indices, Integers

Judge = Callable[[Network], float | Refusal]
"""Cycles of an image in the steady state, or why a network finds no room on the tiles."""

SLOWER = 0.01
"""What an image may take longer with fewer copies."""


def prune_copies(copied: Callable[[int, float], Network], limit: int, layers: int, judge: Judge | None) -> Network:
    """The network with as many copies of layers as gain something.

    Parameters
    ----------
    copied
        The network with so many copies of a layer at most, and none that would let the busiest array do less than so
        many cycles.
    limit
        Copies of a layer, at most.
    layers
        Layers without copies.
    judge
        What an image takes; None: as many copies as there may be.
    """
    best, refused = copied(limit, 0.0), ""
    if judge is None:
        return best
    cycles: float | Refusal = 0.0
    while len(best.program.layers) > layers and isinstance(cycles := judge(best), Refusal):
        limit, refused = limit - 1, f"layers have at most {limit - 1} tiles in turn, since with more {cycles.sentence}"
        best, cycles = copied(limit, 0.0), 0.0
    while layers < len(best.program.layers) > len((fewer := copied(limit, cycles)).program.layers):
        slower = judge(fewer)
        if isinstance(slower, Refusal) or slower > (1 + SLOWER) * cycles:
            break
        best, cycles = fewer, slower
    if not refused:
        return best
    return replace(best, calibration=replace(best.calibration, warnings=(refused, *best.calibration.warnings)))


FEWEST_CYCLES = 100
"""Analog cycles between two positions below which more copies gain nothing: vectors and walks take as long."""
FEWEST_DEALT = 50
"""The same of a layer of one position, whose outputs one tile takes in each image."""
MOST_STRIDE = DESCRIPTORS["walk"].layout["stride_y"].range[1]

Part = TypeVar("Part", Call, Linear)


def duplicate_layers(network: Network, entry: Image, limit: int, until: float = 0.0) -> Network:
    """The network with at most ``limit`` copies of a layer, as :func:`choose` has them; cores of copies are the last.

    ``entry`` is the image of its input.
    """
    chip, cores = network.chip, len(network.cores)
    counts, warnings = choose(network.program, network.calibration.cycles, chip, cores, limit, until)
    return warned(_duplicated(network, counts, entry) if counts else network, warnings)


def choose(
    program: Program, cycles: Sequence[float], chip: Chip, used: int, limit: int, until: float = 0.0
) -> tuple[dict[int, int], list[str]]:
    """How many copies of which layers lower what the busiest core has to do, by the layers' numbers; and warnings.

    Parameters
    ----------
    program
        The program without copies.
    cycles
        Analog cycles of an image of each layer, products one after the other.
    chip, used
        The chip, and how many of its cores are taken.
    limit
        Copies of a layer, at most.
    until
        Cycles that an image takes whatever its busiest core does: if that has no more to do, no copy gains anything.
    """
    counts = dict.fromkeys(range(len(program.layers)), 1)
    limits = {k: min(limit, _limit(program, k)) for k in counts}
    per_product = [total / len(layer.mvms) for total, layer in zip(cycles, program.layers, strict=True)]
    while True:
        load: dict[int, float] = {}
        for k, layer in enumerate(program.layers):
            for mvm in layer.mvms:
                load[mvm.core] = load.get(mvm.core, 0.0) + per_product[k] * _share(program, k, counts[k])
        busiest = max(load, key=lambda core: load[core])
        on_it = [k for k, layer in enumerate(program.layers) if any(mvm.core == busiest for mvm in layer.mvms)]
        worst = max(on_it, key=lambda k: per_product[k] * _share(program, k, counts[k]))
        positions, more = program.layers[worst].positions, _next(program, worst, counts[worst])
        tiles_taken = _taken(program, counts)
        needed, free = _taken(program, {**counts, worst: more}) - tiles_taken, chip.cores - used - tiles_taken
        shortest = FEWEST_DEALT if positions == 1 else FEWEST_CYCLES
        if more > limits[worst] or needed > free or per_product[worst] / positions / more < shortest:
            chosen = {k: count for k, count in counts.items() if count > 1}
            return chosen, [] if limit == 1 else _refused(program, worst, more, limits[worst], limit, needed, free)
        if load[busiest] <= until:
            return {k: count for k, count in counts.items() if count > 1}, [
                f"layer {program.layers[worst].name!r} takes longest and has no more than {counts[worst]} tiles in "
                f"turn, since with more an image would take {until:,.0f} cycles as well"]
        counts[worst] = more


def _share(program: Program, layer: int, count: int) -> float:
    """What the first of so many copies has of a layer's positions, or of the images."""
    rows = _height(program, layer)
    return -(-rows // count) / rows if rows else 1 / count


def _next(program: Program, layer: int, count: int) -> int:
    """The next number of copies with which the first one has less to do."""
    rows = _height(program, layer)
    return next((n for n in range(count + 1, rows) if -(-rows // n) < -(-rows // count)), max(count + 1, rows))


def _height(program: Program, layer: int) -> int:
    """Rows of positions of a layer, 0 if it has none that copies may take."""
    window = _call(program, layer).window
    if program.layers[layer].positions == 1 or window is None or not window.axes:
        return 0
    return window.axes[0].positions


def _taken(program: Program, counts: Mapping[int, int]) -> int:
    """Tiles that so many copies take: their own, and those of what takes rows or images in turn and deals images."""
    tiles = 0
    for k, count in counts.items():
        layer = program.layers[k]
        cores = len({mvm.core for mvm in layer.mvms})
        tiles += (count - 1) * cores + (count > 1) * (1 + (layer.positions == 1 and not _joined(program, k, counts)))
    return tiles


def _joined(program: Program, layer: int, counts: Mapping[int, int]) -> bool:
    """Whether the layer before has copies: what takes those in turn deals images, too."""
    value = next(stage.inputs[0] for stage in program.stages
                 if isinstance(stage.operation, Call) and stage.operation.layer == layer)
    while value:
        stage = program.stages[value - 1]
        if isinstance(stage.operation, Call):
            return counts[stage.operation.layer] > 1
        value = stage.inputs[0]
    return False


def _refused(program: Program, layer: int, more: int, limit: int, asked_for: int, needed: int, free: int) -> list[str]:
    """Why the layer that takes longest has no more copies, where there is a reason beside what was asked for."""
    name = program.layers[layer].name
    if limit < min(more, asked_for):
        calls = sum(call.layer == layer for call in program.calls)
        why = "its windows have a form that no copy can take a part of"
        if calls > 1 or _called_again(program):
            why = f"it is called {calls} times" if calls > 1 else "other layers are called at several steps"
        return [f"layer {name!r} takes longest and has no more than {limit} tiles in turn, since {why}"]
    if more == 2 and needed > free:
        return [f"layer {name!r} takes longest and has no copy, which would take {needed} free tiles; there are {free}"]
    return []


def _duplicated(network: Network, counts: Mapping[int, int], entry: Image) -> Network:
    """The network with so many copies of layers."""
    program, cores, chip = network.program, network.cores, network.chip
    images = images_of(program.stages, entry, outputs_in(program))
    images_made = list(cores)
    layers, was = list[Layer](), list[int]()
    first: dict[int, int] = {}
    for k, layer in enumerate(program.layers):
        count = counts.get(k, 1)
        first[k] = len(layers)
        rows = _rows(_call(program, k)) if count > 1 and layer.positions > 1 else np.arange(1)
        begun = 0
        for turn in range(count):
            share = rows[turn::count].size if layer.positions > 1 else 1
            copied = layer if count == 1 else _copy(layer, turn, count, share, begun if layer.positions > 1 else 0)
            begun += copied.positions
            if turn:
                at = {core: len(images_made) + n for n, core in enumerate(dict.fromkeys(m.core for m in copied.mvms))}
                images_made += [_only(cores[core], copied, core, chip) for core in at]
                copied = replace(copied, mvms=tuple(replace(m, core=at[m.core]) for m in copied.mvms))
            layers.append(copied)
            was.append(k)
    model, number = _model(network.model, counts)
    whole, before = _program(program, counts, first, images), program.input.before
    if before is not None:
        before = Before(steps=model.steps, numbers=tuple(number[k + 1] - 1 for k in before.numbers),
                        values=tuple(number[v] for v in before.values))
    whole = replace(whole, layers=tuple(layers), input=replace(program.input, before=before))
    return replace(network, model=model, program=whole, cores=tuple(images_made),
                   calibration=_facts(network, was, layers, len(images_made)))


def _facts(network: Network, was: Sequence[int], layers: Sequence[Layer], cores: int) -> Calibration:
    """Facts about layers, for those that they have become; each has the cycles of its part of the positions."""
    facts, total = network.calibration, [0] * (max(was) + 1)
    for k, layer in zip(was, layers, strict=True):
        total[k] += layer.positions
    return replace(
        facts, errors=tuple(facts.errors[k] for k in was), slices=tuple(facts.slices[k] for k in was),
        slice_bits=tuple(facts.slice_bits[k] for k in was), clipped=tuple(facts.clipped[k] for k in was),
        cycles=tuple(facts.cycles[k] * (layer.positions / total[k]) for k, layer in zip(was, layers, strict=True)),
        converters=converters_of(network.chip, network.device, cores),
    )


def _call(program: Program, layer: int) -> Call:
    return next(call for call in program.calls if call.layer == layer)


def _limit(program: Program, layer: int) -> int:
    """Copies of a layer that there may be."""
    calls = [call for call in program.calls if call.layer == layer]
    window = calls[0].window
    if len(calls) == 1 and len(calls[0].patches) == 1:
        # Steps of recurrent cells share rings, which images that differ do not.
        return 1 if _called_again(program) else MOST_TURNS
    if len(calls) > 1 or window is None or not 1 <= len(window.axes) <= 2 or program.layers[layer].positions < 2:
        return 1
    return min(window.axes[0].positions, MOST_STRIDE // window.axes[0].stride)


def _called_again(program: Program) -> bool:
    return len(program.calls) > len(program.layers)


def _rows(call: Call | Linear) -> Integers:
    """Positions of a call, (rows, width)."""
    assert call.window is not None
    return np.arange(len(call.patches)).reshape(call.window.axes[0].positions, -1)


def _turn_of(op: Part, turn: int, count: int) -> Part:
    """Every so many rows of what a call, or a step of the model, computes; a call of one position is dealt images."""
    if len(op.patches) == 1:
        return replace(op, turn=turn, turns=count) if isinstance(op, Call) else op
    assert op.window is not None
    return replace(op, patches=op.patches[_rows(op)[turn::count].ravel()], window=_part(op.window, turn, count))


def _part(window: Window, turn: int, count: int) -> Window:
    """Every so many rows of a window's positions."""
    axis = window.axes[0]
    part_axis = replace(axis, stride=axis.stride * count, before=axis.before - turn * axis.stride,
                  positions=len(range(turn, axis.positions, count)))
    return replace(window, axes=(part_axis, *window.axes[1:]))


def _copy(layer: Layer, turn: int, count: int, positions: int, begun: int) -> Layer:
    """A copy of a layer, whose conversions are behind those of the copies before."""
    shift = begun * layer.conversions
    return replace(layer, name=_name(layer.name, turn, count), positions=positions,
                   mvms=tuple(replace(m, operation=m.operation + shift) for m in layer.mvms))


def _name(name: str, turn: int, count: int) -> str:
    return f"{name} {turn + 1}/{count}"


def _only(core: CoreImage, layer: Layer, number: int, chip: Chip) -> CoreImage:
    """What a core holds of one layer, at the same places."""
    cell_map = chip.macro_config().cell_map
    used = np.zeros_like(core.bl_skip), np.zeros_like(core.sl_skip)
    for mvm in layer.mvms:
        if mvm.core == number:
            used[0][cell_map.lines_of(mvm.rows)] = True
            used[1][mvm.columns] = True
    cells = used[0][:, None] & used[1][None, :]
    return replace(core, targets_uS=np.where(cells, core.targets_uS, np.float32(chip.cells.g_min_uS)))


def _program(program: Program, counts: Mapping[int, int], first: Mapping[int, int], images: Sequence[Image]) -> Program:
    """The stages, with calls of copies, what deals them images, and what puts their rows together."""
    stages, number = list[Stage](), {0: 0}
    for k, stage in enumerate(program.stages):
        op, inputs = stage.operation, tuple(number[v] for v in stage.inputs)
        if not isinstance(op, Call):
            stages.append(replace(stage, inputs=inputs))
        elif counts.get(op.layer, 1) == 1:
            stages.append(Stage(operation=replace(op, layer=first[op.layer]), inputs=inputs))
        else:
            count, outputs = counts[op.layer], program.layers[op.layer].outputs
            if len(op.patches) == 1:
                stages.append(Stage(operation=deal(images[stage.inputs[0]].elements), inputs=inputs))
                inputs = (len(stages),)
            for turn in range(count):
                call = replace(_turn_of(op, turn, count), layer=first[op.layer] + turn)
                stages.append(Stage(operation=call, inputs=inputs))
            stages.append(Stage(operation=_together(op, count, outputs),
                                inputs=tuple(range(len(stages) - count + 1, len(stages) + 1))))
        number[k + 1] = len(stages)
    return replace(program, stages=tuple(stages))


def _model(net: FloatNetwork, counts: Mapping[int, int]) -> tuple[FloatNetwork, dict[int, int]]:
    """The same in floating point, so that its layers are those of the program; new numbers of values by the old."""
    steps, number = list[Step](), {0: 0}
    numbers = {calls[0]: k for k, calls in enumerate(net.calls)}
    for k, step in enumerate(net.steps):
        op, inputs, count = step.operation, tuple(number[v] for v in step.inputs), counts.get(numbers.get(k, -1), 1)
        if count == 1 or not isinstance(op, Linear):
            steps.append(replace(step, inputs=inputs))
        else:
            for turn in range(count):
                layer = replace(op.layer, name=_name(op.layer.name, turn, count))
                steps.append(Step(operation=replace(_turn_of(op, turn, count), layer=layer), inputs=inputs))
            # In floating point all copies that are dealt images are the same.
            index = _joining(_rows(op), count, op.layer.outputs) if len(op.patches) > 1 else np.arange(
                op.layer.outputs, dtype=np.int32)
            steps.append(Step(operation=Gather(index=index, like=index),
                              inputs=tuple(range(len(steps) - count + 1, len(steps) + 1))))
        number[k + 1] = len(steps)
    return replace(net, steps=tuple(steps)), number


def _together(call: Call, count: int, outputs: int) -> Select | WeightedSum:
    """What makes the value of a layer of those of its copies."""
    if len(call.patches) == 1:
        return sum_of_interleaved(count, outputs)
    index = _joining(_rows(call), count, outputs)
    return Select(index=index, fill=np.zeros(len(index), np.int16))


def _joining(rows: Integers, count: int, outputs: int) -> Indices:
    return rows_in_turns([(outputs, len(rows[turn::count]), rows.shape[1]) for turn in range(count)])
