"""Stages as vector operations of a tile: with the parameters that each channel has alike, or of all elements."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mho.compiler.program import Layer, Mvm
from mho.compiler.tile.lowering.geometry import CODES_OUT, Image
from mho.compiler.tile.lowering.routes import ABSENT, NotAlikeError, Route, Run, each_of, route
from mho.compiler.tile.lowering.vectors import (
    LANE_MIN,
    MOST_RUNS,
    OUT,
    SUMS,
    StepOperand,
    Taken,
    Temporary,
    Vector,
    VectorStep,
    chunks,
    copied,
    gathered,
    on_each,
    rows,
    summed,
    took,
)
from mho.hw.tile.isa import Kind
from mho.macro_models.integer import vector
from mho.macro_models.types import Integers, Integral

Each = Callable[[Integral], Integers]


def leaf(layer: Layer, mvm: Mvm, base: int, begun: set[int]) -> Vector:
    """The leaf of a product; output ``base`` has accumulator 0, ``begun`` are those that have something, and grows.

    Elements are the codes of the words that are drained, from an even column on.
    """
    first = int(mvm.columns.min()) // CODES_OUT * CODES_OUT
    parameters = np.zeros((int(mvm.columns.max()) - first + 1, 6), np.int64)
    order = np.argsort(mvm.columns)
    for column, output, m in zip(*(array[order].tolist() for array in (mvm.columns, mvm.outputs, mvm.multiplier)),
                                 strict=True):
        parameters[column - first] = (m, 0, 0, output - base, 1, output not in begun)
        begun.add(output)
    return Vector(fields={"shift": layer.shift}, parameters=parameters)


def finished_leaf(layer: Layer, finish: vector.Root, base: int, mvms: Sequence[Mvm]) -> Vector | None:
    """Leaf and root in one operation, for outputs of one product that come side by side and are not requantised.

    None where that is not so. The bits are those of both: a leaf fits a lane, and what a root takes away is added.
    """
    if len(mvms) != 1 or finish.requantise is not None:
        return None
    row = leaf(layer, mvms[0], base, set()).parameters
    assert row is not None
    if not np.array_equal(row[:, 3], np.arange(len(finish.bias))) or not row[:, 4].all():
        return None
    ends = root(finish).fields
    return took(rows(row[:, 0], 0, finish.bias.astype(np.int64)), shift=layer.shift, lo=ends["lo"], hi=ends["hi"])


def root(finish: vector.Root) -> Vector:
    """Bias, ReLU and requantisation: one operation, since rounding keeps the order and 0."""
    low, high, shift = LANE_MIN, vector.LANE_MAX, 0
    if finish.requantise is not None:
        low, high, shift = finish.requantise.low, finish.requantise.high, finish.requantise.shift
    return took(rows(np.ones(len(finish.bias)), -finish.bias.astype(np.int64)), shift=shift,
                lo=max(low, 0) if finish.relu else low, hi=high)


def window_of(op: vector.Largest | vector.WeightedSum, image: Image) -> Vector:
    """A stage that takes a window of its value: all of its terms count alike.

    Raises NotAlikeError if they do not.
    """
    if isinstance(op, vector.Largest):
        return copied()
    used = op.index != ABSENT
    factor = np.where(used, op.multiplier, 0).max(axis=1)
    if (used & (op.multiplier != factor[:, None])).any():
        factor = np.where(used, op.multiplier, 0).min(axis=1)
    if (used & (op.multiplier != factor[:, None])).any():
        raise NotAlikeError
    parameters = rows(each_of(factor, image, whole=False), 0, each_of(op.offset, image, whole=False))
    return took(parameters, shift=op.shift, lo=-vector.LANE_MAX, hi=vector.LANE_MAX)


def steps_of(operation: object, images: Sequence[Image], result: Image, *, whole: bool) -> list[VectorStep]:
    """A stage as steps at one pixel of what it makes; with ``whole`` at all of them, pixel by pixel.

    Raises NotAlikeError if pixels differ.
    """
    def each(values: Integral) -> Integers:
        return each_of(values, result, whole=whole)

    index = getattr(operation, "index", None)
    if isinstance(operation, vector.Product):
        ways = [route(side[:, None], images, result, whole=whole) for side in (operation.left, operation.right)]
        return _product(operation, *ways)
    if index is None:
        index = np.arange(sum(image.elements for image in images))
    way = route(index.reshape(len(index), -1), images, result, whole=whole)
    return _STEPS[type(operation)](operation, way, each)


def _encode(op: vector.Encode, way: Route, at_each: Each) -> list[VectorStep]:
    m, c = at_each(op.multiplier), at_each(op.offset)
    return on_each(way, lambda first, end, a, at: [VectorStep(
        vector=took(rows(m[first:end], c[first:end]), shift=op.shift, lo=op.low, hi=op.high), elements=end - first,
        a=a, a_offset=at, target_offset=first)])


def _table(op: vector.Table, way: Route, at_each: Each) -> list[VectorStep]:
    m = at_each(op.multiplier)

    def make(first: int, end: int, a: StepOperand, at: int) -> list[VectorStep]:
        half = vector.TABLE_HALF
        affine = took(rows(m[first:end], 0, half), kind=Kind.TABLE, shift=op.shift, lo=0, hi=2 * half - 1)
        return [VectorStep(vector=replace(affine, entries=op.entries), elements=end - first, a=a, a_offset=at,
                           target_offset=first)]

    return on_each(way, make)


def _select(op: vector.Select, way: Route, at_each: Each) -> list[VectorStep]:
    fill = np.where(way.source[:, 0] == ABSENT, at_each(op.fill), 0)
    return summed(way, np.ones_like(way.source), 0, fill, LANE_MIN, vector.LANE_MAX)


def _sum(op: vector.WeightedSum, way: Route, at_each: Each) -> list[VectorStep]:
    return summed(way, at_each(op.multiplier), op.shift, at_each(op.offset), -vector.LANE_MAX, vector.LANE_MAX)


def _limit(op: vector.Limit, way: Route, at_each: Each) -> list[VectorStep]:
    low, high = at_each(op.low), at_each(op.high)
    return on_each(way, lambda first, end, a, at: _limited(low[first:end], high[first:end], first, a, at))


def _limited(low: Integers, high: Integers, first: int, a: StepOperand, at: int) -> list[VectorStep]:
    """Limits that elements have alike are fields; others are the constant side of a ``max``, of negatives for high."""
    count, (t0, t1, t2) = len(low), map(Temporary, range(3))

    def affine(
        source: StepOperand, m: int, d: Integers | int, target: StepOperand, offset: int = 0, **ends: int
    ) -> VectorStep:
        limits = {"lo": LANE_MIN, "hi": vector.LANE_MAX, **ends}
        return VectorStep(vector=took(rows(np.full(count, m), 0, d), **limits), elements=count, a=source,
                          a_offset=offset, target=target, target_offset=first if target == OUT else 0)

    def larger(source: StepOperand, offset: int, b: StepOperand, target: StepOperand) -> VectorStep:
        return VectorStep(vector=copied(), elements=count, a=source, a_offset=offset, b=b, target=target,
                          target_offset=first if target == OUT else 0)

    if (low == low[0]).all() and (high == high[0]).all():
        return [VectorStep(vector=copied(int(low[0]), int(high[0])), elements=count, a=a, a_offset=at,
                           target_offset=first)]
    if (low == low[0]).all():
        return [affine(a, -1, 0, t0, at), affine(a, 0, -high, t1, at), larger(t0, 0, t1, t2),
                affine(t2, -1, 0, OUT, lo=int(low[0]))]
    steps = [affine(a, 0, low, t0, at)]
    if (high == high[0]).all():
        last = larger(a, at, t0, OUT)
        return [*steps, replace(last, vector=copied(LANE_MIN, int(high[0])))]
    return [*steps, larger(a, at, t0, t1), affine(t1, -1, 0, t0), affine(t1, 0, -high, t2),
            larger(t0, 0, t2, t1), affine(t1, -1, 0, OUT)]


def _largest(op: vector.Largest, way: Route, at_each: Each) -> list[VectorStep]:
    ways = [way.term(t) for t in range(way.terms)]
    if all(len(side.runs) == 1 for side in ways):
        return _chain([side.runs[0] for side in ways], way.elements)
    ones, steps = np.ones((way.elements, 1), np.int64), list[VectorStep]()
    for first, end in chunks(way.elements):
        for t, side in enumerate(ways):
            steps += gathered(side, ones, first, end)
            last = t == way.terms - 1
            a, b = (Temporary(t % 2), SUMS) if t else (SUMS, None)
            steps.append(VectorStep(
                vector=copied(), elements=end - first, target=OUT if last else Temporary((t + 1) % 2), a=a, b=b,
                target_offset=first if last else 0))
    return steps


def _chain(runs: Sequence[Run], count: int) -> list[VectorStep]:
    """The larger of two, then of that and the next one."""
    places = [(Taken(run.source), run.place) for run in runs]
    (a, at), steps = places[0], list[VectorStep]()
    if len(places) == 1:
        return [VectorStep(vector=copied(), elements=count, a=a, a_offset=at)]
    for t, (b, at_b) in enumerate(places[1:]):
        target = OUT if t == len(places) - 2 else Temporary(t % 2)
        steps.append(VectorStep(vector=copied(), elements=count, a=a, a_offset=at, b=b, b_offset=at_b, target=target))
        a, at = target, 0
    return steps


def _product(op: vector.Product, left: Route, right: Route) -> list[VectorStep]:
    product = Vector(fields={"kind": Kind.PRODUCT, "shift": op.shift, "lo": -vector.LANE_MAX, "hi": vector.LANE_MAX})
    both = _common(left, right)
    if len(both) <= MOST_RUNS:
        return [VectorStep(
            vector=product, elements=end - first,
            a=Taken(int(left.source[first, 0])), a_offset=int(left.place[first, 0]),
            b=Taken(int(right.source[first, 0])), b_offset=int(right.place[first, 0]), target_offset=first,
        ) for first, end in both]
    ones, steps = np.ones_like(left.source), list[VectorStep]()
    for first, end in chunks(left.elements):
        steps += gathered(left, ones, first, end)
        steps.append(VectorStep(vector=copied(), elements=end - first, a=SUMS, target=Temporary(0)))
        steps += gathered(right, ones, first, end)
        steps.append(VectorStep(vector=product, elements=end - first, a=Temporary(0), b=SUMS, target_offset=first))
    return steps


def _common(left: Route, right: Route) -> list[tuple[int, int]]:
    """Pieces that are side by side in both."""
    edges = sorted({run.first for way in (left, right) for run in way.runs} | {left.elements})
    return list(pairwise(edges))


_STEPS: dict[type, Callable[..., list[VectorStep]]] = {
    vector.Encode: _encode, vector.Limit: _limit, vector.Table: _table, vector.Largest: _largest,
    vector.WeightedSum: _sum, vector.Select: _select,
}
