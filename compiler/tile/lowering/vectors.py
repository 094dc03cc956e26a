"""Vector operations of a tile: fields of their descriptors, parameters, and steps that make a value of others.

Sums of any elements of any values go through the accumulators: what takes a source says for each of its elements to
which accumulator it adds. So a tile can move elements to any place of a block, 256 of them at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike

from mho.compiler.tile.lowering.routes import ABSENT, Route
from mho.compiler.types import Lanes
from mho.hw.tile.isa import ACCUMULATORS, Kind
from mho.macro_models.integer.vector import LANE_MAX
from mho.macro_models.types import Integers

LANE_MIN = -LANE_MAX - 1


class StepEnd(Enum):
    """Operands of a step that are no streams: the value that a stage makes, and the accumulators."""

    OUT = "out"
    SUMS = "sums"


OUT, SUMS = StepEnd.OUT, StepEnd.SUMS


@dataclass(frozen=True)
class Taken:
    """What a stage takes, by its place among its inputs."""

    number: int


@dataclass(frozen=True)
class Temporary:
    """What steps of a stage hand on."""

    number: int


StepOperand = StepEnd | Taken | Temporary
MOST_RUNS = 4
"""Pieces side by side in which a value is taken as it is; of more its elements are put together first."""


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A vector operation without its operands: fields of the descriptor, and parameters, one row an element.

    ``parameters`` have the columns m, c, d, target, valid, start; None where the kind has none. ``period`` is after how
    many elements they begin anew, None for as many as there are. ``entries`` are a table's.
    """

    fields: Mapping[str, int] = field(default_factory=dict[str, int])
    parameters: Integers | None = None
    period: int | None = None
    entries: Lanes | None = None


@dataclass(frozen=True, kw_only=True)
class VectorStep:
    """An operation with its operands; a source may be none."""

    vector: Vector
    elements: int
    target: StepOperand = OUT
    a: StepOperand | None = None
    b: StepOperand | None = None
    a_offset: int = 0
    b_offset: int = 0
    target_offset: int = 0


MOST_LANES = 8
"""Lanes of a vector unit, at most: parameters that begin anew after a multiple of them take no more time."""


def rows(m: ArrayLike, c: ArrayLike = 0, d: ArrayLike = 0) -> Integers:
    """Parameters of elements."""
    parameters = np.zeros((*np.broadcast_shapes(np.shape(m), np.shape(c), np.shape(d)), 6), np.int64)
    parameters[:, 0], parameters[:, 1], parameters[:, 2] = m, c, d
    return parameters


def took(*sources: Integers, **fields: int) -> Vector:
    """An operation with the parameters of each of its sources, up to where they begin anew.

    Those of all elements that are alike are one row; of features at each of many steps they are some, a multiple of all
    lanes.
    """
    shortest = min(map(len, sources))
    for period in (1, *range(MOST_LANES, shortest // 2 + 1, MOST_LANES)):
        if all(np.array_equal(source[period:], source[:-period]) for source in sources if len(source) > period):
            sources = tuple(source[:period] for source in sources)
            break
    return Vector(fields=fields, parameters=np.concatenate(sources), period=len(sources[0]))


def copied(low: int = LANE_MIN, high: int = LANE_MAX) -> Vector:
    """Elements as they are, within limits."""
    return Vector(fields={"kind": Kind.MAX, "lo": low, "hi": high})


def gathered(way: Route, factor: Integers, first: int, end: int) -> list[VectorStep]:
    """Sums of the terms of some elements in the accumulators from 0 on, each by its ``factor``, (elements, terms)."""
    passes: list[tuple[int, dict[int, tuple[int, int]]]] = []
    for target in range(first, end):
        terms = (array[target].tolist() for array in (way.source, way.place, factor))
        for source, place, m in zip(*terms, strict=True):
            if source != ABSENT and m:
                _put(passes, source, [place], target - first, m)
    # An accumulator to which nothing adds begins at 0 all the same.
    missing = set(range(end - first)) - {target for _, array in passes for target, _ in array.values()}
    for target in sorted(missing):
        source = passes[0][0] if passes else 0
        _put(passes, source, range(way.sizes[source]), target, 0)
    begun, steps = set[int](), list[VectorStep]()
    for source, targets in passes:
        low, high = min(targets), max(targets)
        parameters = np.zeros((high - low + 1, 6), np.int64)
        for place in sorted(targets):
            target, m = targets[place]
            parameters[place - low] = (m, 0, 0, target, 1, target not in begun)
            begun.add(target)
        steps.append(VectorStep(
            vector=Vector(parameters=parameters), elements=len(parameters), target=SUMS, a=Taken(source), a_offset=low))
    return steps


def _put(
    passes: list[tuple[int, dict[int, tuple[int, int]]]], source: int, places: Sequence[int], target: int, m: int
) -> None:
    """One of some elements, in the first pass over its source that has not taken it yet."""
    for begun, targets in passes:
        free = next((place for place in places if place not in targets), None) if begun == source else None
        if free is not None:
            targets[free] = target, m
            return
    passes.append((source, {places[0]: (target, m)}))


def summed(way: Route, factor: Integers, shift: int, offset: Integers, low: int, high: int) -> list[VectorStep]:
    """``clip((sum of terms by their factors >> shift) + offset)`` of each element."""
    columns = [way.term(t).runs for t in range(way.terms)]
    absent = (way.source == ABSENT).any()
    ends = {"shift": shift, "lo": low, "hi": high}
    if way.terms == 1 and len(columns[0]) <= MOST_RUNS and not absent:
        plain = not shift and not offset.any() and (factor == 1).all()
        return [VectorStep(
            vector=copied(low, high) if plain else took(
                rows(factor[run.first : run.end, 0], 0, offset[run.first : run.end]), **ends),
            elements=run.end - run.first, a=Taken(run.source), a_offset=run.place, target_offset=run.first,
        ) for run in columns[0]]
    if way.terms == 2 and all(len(runs) == 1 for runs in columns) and not absent:
        (a,), (b,) = columns
        return [VectorStep(
            vector=took(rows(factor[:, 0], 0, offset), rows(factor[:, 1], 0, offset), **ends), elements=way.elements,
            a=Taken(a.source), a_offset=a.place, b=Taken(b.source), b_offset=b.place)]
    steps = list[VectorStep]()
    for first, end in chunks(way.elements):
        steps += gathered(way, factor, first, end)
        steps.append(VectorStep(
            vector=took(rows(np.zeros(end - first), 0, offset[first:end]), add=1, **ends), elements=end - first,
            target_offset=first))
    return steps


def chunks(elements: int) -> list[tuple[int, int]]:
    """Elements in pieces that the accumulators hold."""
    return [(first, min(first + ACCUMULATORS, elements)) for first in range(0, elements, ACCUMULATORS)]


Make = Callable[[int, int, StepOperand, int], Sequence[VectorStep]]


def on_each(way: Route, make: Make) -> list[VectorStep]:
    """Steps for all elements: ``make`` gives those of some, (first, end, operand, offset)."""
    runs = way.runs
    if len(runs) <= MOST_RUNS:
        return [step for run in runs for step in make(run.first, run.end, Taken(run.source), run.place)]
    ones, steps = np.ones_like(way.source), list[VectorStep]()
    for first, end in chunks(way.elements):
        steps += [*gathered(way, ones, first, end), *make(first, end, SUMS, 0)]
    return steps
