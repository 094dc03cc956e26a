"""Steps in floating point to stages in integers: units of the lanes, multipliers, shifts, tables."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.functions import TABLES
from mho.compiler.model.stages import Combine, Gather, Map, Maximum
from mho.compiler.program import Host
from mho.compiler.types import Float, Lanes
from mho.macro_models.errors import InputError
from mho.macro_models.integer import vector
from mho.macro_models.types import Indices

VectorOperation = vector.Select | vector.Largest | vector.WeightedSum | vector.Limit | vector.Table
Units = Float
"""What one unit of each lane of a value stands for, of shape (elements,)."""

ROOM = 4.0
"""Lanes of a weighted sum reach this many times as far as its values during calibration did, if they can at all."""

TABLE_ROOM, HOST_ROOM = 1.25, 2.0
"""Tables of functions and lanes that the host makes reach this many times as far as during calibration."""

MOST_COARSE = 0.75
"""Unit of lanes that stand for whole numbers, at most, or 1: half of it is what rounding loses."""

NEAR = 0.25
"""A range whose middle is further from 0 than this part of it is moved to 0 before its table."""

MOST_GAIN = 32.0
"""A channel's lanes are enlarged at most this times as much as those of another: all share one shift."""


def _shift(largest: float, top: float = vector.MULTIPLIER_MAX) -> int:
    """The largest shift for which ``largest`` times its power of two is at most ``top``."""
    return int(np.clip(np.floor(np.log2(top / max(largest, 1e-300))), 0, vector.SHIFT_MAX))


def _multipliers(ratio: Float, shift: int) -> Indices:
    return np.clip(np.rint(ratio * 2.0**shift), -vector.MULTIPLIER_MAX, vector.MULTIPLIER_MAX).astype(np.int32)


def _lanes(value: Float, unit: Units) -> Lanes:
    return np.clip(np.rint(value / unit), -vector.LANE_MAX, vector.LANE_MAX).astype(np.int16)


def tied(calls: Sequence[Indices]) -> Indices:
    """Groups of the rows of a layer that share an element at some positions, of shape (rows,), numbered from 0.

    ``calls`` are the patches of each call, (positions, rows): each has codes of its own.
    """
    rows, row, element, elements = calls[0].shape[1], [], [], 0
    for patches in calls:
        row.append(np.broadcast_to(np.arange(rows), patches.shape)[patches != vector.PAD])
        element.append(patches[patches != vector.PAD] + elements)
        elements += int(patches.max(initial=0)) + 1
    row, element = np.concatenate(row), np.concatenate(element)
    size = rows + elements
    graph = coo_matrix((np.ones(len(row), dtype=np.int8), (row, rows + element)), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    return np.unique(label[:rows], return_inverse=True)[1].astype(np.int32)


def element_groups(patches: Sequence[Indices], elements: int) -> Indices:
    """Groups of elements of a value that one row of some layer takes in turn, of shape (elements,), from 0."""
    columns = [column[column != vector.PAD] for call_patches in patches for column in call_patches.T]
    first = np.concatenate([np.full(len(c), c[0]) for c in columns if len(c)])
    members = np.concatenate(columns)
    graph = coo_matrix((np.ones(len(members), dtype=np.int8), (first, members)), shape=(elements, elements))
    return connected_components(graph, directed=False)[1].astype(np.int32)


def lower_encode(quantiser: Quantiser, patches: Indices, unit: Units, zero: Float) -> vector.Encode:
    """Input codes of a layer from the lanes of a value; ``zero`` is what lane 0 of each element stands for."""
    ratio, offset = np.zeros(len(unit)), np.zeros(len(unit))
    for row, column in enumerate(patches.T):
        used = column[column != vector.PAD]
        ratio[used] = unit[used] / quantiser.scale[row]
        offset[used] = (quantiser.offset[row] - zero[used]) / unit[used]
    shift = _shift(float(ratio.max(initial=0.0)))
    return vector.Encode(
        offset=np.clip(np.rint(offset), -vector.LANE_MAX, vector.LANE_MAX).astype(np.int16),
        multiplier=_multipliers(ratio, shift),
        shift=shift,
        low=quantiser.format.low,
        high=quantiser.format.top,
    )


def equalise(op: Maximum, unit: Units) -> tuple[vector.WeightedSum, Units] | None:
    """Lanes on units that are the same within each window, or None if they are already."""
    if (unit[op.index] == unit[op.index[:, :1]]).all():
        return None
    size = len(unit)
    element = np.concatenate([op.index[:, 0]] * op.index.shape[1])
    graph = coo_matrix((np.ones(len(element), dtype=np.int8), (element, op.index.T.reshape(-1))), shape=(size, size))
    count, label = connected_components(graph, directed=False)
    common = np.zeros(count)
    np.maximum.at(common, label, unit)
    return weighted(np.arange(size, dtype=np.int32)[:, None], unit[:, None], np.zeros(size), common[label])


def weighted(index: Indices, value: Float, offset: Float, unit: Units) -> tuple[vector.WeightedSum, Units]:
    """A weighted sum, where ``value`` (elements, terms) is what one unit of each term adds."""
    ratio = np.where(index == vector.PAD, 0.0, value / unit[:, None])
    total = float(np.abs(ratio).sum(axis=1).max(initial=0.0))
    # Rounding may add half a unit to each multiplier.
    shift = min(_shift(float(np.abs(ratio).max(initial=0.0))), _shift(total, vector.SUM_MAX - index.shape[1] / 2 - 1))
    added = np.clip(np.rint(offset / unit), -2 * vector.LANE_MAX, 2 * vector.LANE_MAX).astype(np.int32)
    op = vector.WeightedSum(index=index, multiplier=_multipliers(ratio, shift), shift=shift, offset=added)
    op.check()
    return op, unit


def lower_uniform(op: Combine, unit: Units, reached: float) -> tuple[vector.WeightedSum, Units]:
    """A weighted sum whose elements have one unit, which follows from how far they ``reached`` alone."""
    value = np.where(op.index == vector.PAD, 0.0, op.coefficient * unit[op.index])
    return weighted(op.index, value, op.offset, np.full(op.size, ROOM * (reached or 1.0) / vector.LANE_MAX))


def _lower_combine(op: Combine, unit: Units, reached: Float) -> tuple[vector.WeightedSum, Units]:
    """``reached`` is the largest magnitude of each element during calibration."""
    value = np.where(op.index == vector.PAD, 0.0, op.coefficient * unit[op.index])
    bound = np.abs(value).sum(axis=1) * vector.LANE_MAX + np.abs(op.offset)
    reach, observed = np.zeros(int(op.channel.max()) + 1), np.zeros(int(op.channel.max()) + 1)
    np.maximum.at(reach, op.channel, bound)
    np.maximum.at(observed, op.channel, ROOM * reached)
    least_gain = np.where(observed > 0, reach / np.maximum(observed, 1e-300), np.inf).min(initial=np.inf)
    floor = reach / (MOST_GAIN * max(1.0, least_gain))
    reach = np.where(observed > 0, np.minimum(reach, np.maximum(observed, floor)), reach)
    # Where terms cancel to next to nothing, multipliers end what lanes can be enlarged to.
    smallest = np.zeros(len(reach))
    np.maximum.at(smallest, op.channel, np.abs(value).sum(axis=1) / vector.MULTIPLIER_MAX)
    shared = np.maximum(np.where(reach > 0, reach, 1.0) / vector.LANE_MAX, smallest)[op.channel]
    result, _ = weighted(op.index, value, op.offset, shared)
    return result, _exact(result, value, shared, op.channel)


def _exact(op: vector.WeightedSum, value: Float, unit: Units, channel: Indices) -> Units:
    """Units for which the rounded multipliers of a channel fit best: of a mean, exactly."""
    if op.offset.any():
        return unit
    over, under = np.zeros(int(channel.max()) + 1), np.zeros(int(channel.max()) + 1)
    np.add.at(over, channel, (value * op.multiplier).sum(axis=1))
    np.add.at(under, channel, (op.multiplier.astype(np.float64) ** 2).sum(axis=1))
    fitted = np.where(under > 0, over / np.maximum(under, 1), 0.0)[channel] * 2.0**op.shift
    return np.where(fitted > 0, fitted, unit)


def lower_step(op: Gather | Maximum | Combine | Map, unit: Units, reached: Float) -> tuple[VectorOperation, Units]:
    """A step as a stage, for the units of what it takes; units of what it makes."""
    if isinstance(op, Gather):
        units = unit[op.like]
        fill = np.where(op.index == vector.PAD, _lanes(np.full(op.size, op.fill), units), 0)
        return vector.Select(index=op.index, fill=fill.astype(np.int16)), units
    if isinstance(op, Maximum):
        return vector.Largest(index=op.index), unit[op.index[:, 0]]
    if isinstance(op, Combine):
        return _lower_combine(op, unit, reached)
    if op.function == "clip":
        low, high = (np.full(op.size, np.clip(v, -1e300, 1e300)) for v in (op.low, op.high))
        return vector.Limit(low=_lanes(low, unit), high=_lanes(high, unit)), unit
    function = TABLES[op.function]
    ratio = unit * function.resolution
    shift = _shift(float(ratio.max()))
    argument = (np.arange(2 * vector.TABLE_HALF) - vector.TABLE_HALF) / function.resolution
    entries = np.rint(function.compute(argument) * vector.LANE_MAX).astype(np.int16)
    table = vector.Table(multiplier=_multipliers(ratio, shift), shift=shift, entries=entries)
    return table, np.full(op.size, 1.0 / vector.LANE_MAX)


def centre(unit: Units, observed: Float) -> tuple[vector.WeightedSum, float] | None:
    """Lanes less the middle of what they stand for, and that middle; None where 0 is near enough to it.

    ``observed`` are the values during calibration, of shape (images, elements).
    """
    low, high = float(observed.min(initial=0.0 if not observed.size else np.inf)), float(observed.max(initial=-np.inf))
    middle = (low + high) / 2
    if abs(middle) <= NEAR * (high - low) or not unit.any():
        return None
    index = np.arange(len(unit), dtype=np.int32)[:, None]
    return weighted(index, unit[:, None], np.full(len(unit), -middle), unit)[0], middle


def _check_whole(op: Evaluated, unit: Units) -> None:
    """Raises InputError where the host takes whole numbers, such as indices, that lanes are too coarse for."""
    coarse = unit[op.whole & (unit != 1.0)]
    if coarse.max(initial=0.0) > MOST_COARSE:
        raise InputError(
            f"the host's step {' '.join(op.operators)[:60]} takes whole numbers up to about "
            f"{coarse.max() * vector.LANE_MAX:.0f}, which lanes of 16 bits do not hold; smaller ones are needed"
        )


def lower_evaluated(
    op: Evaluated, unit: Units, inputs: Float, outputs: Float, mid: float
) -> tuple[Host | vector.Table, Units]:
    """A step of operators of ONNX as a table, or as work of the host; ``inputs`` and ``outputs`` are from calibration.

    The lanes stand for what is taken less ``mid``. Beyond what was seen, a table goes on for a quarter of it.
    """
    if not op.pointwise:
        _check_whole(op, unit)
        reached = HOST_ROOM * float(np.abs(outputs).max(initial=0.0)) / vector.LANE_MAX
        # Whole numbers stay what they are, as long as lanes hold them.
        common = 1.0 if op.makes_whole and reached <= 1.0 else reached or float(unit.max(initial=0.0)) or 1.0
        units = np.full(op.size, common)
        return Host(step=op, taken=unit, unit=units), units
    half = TABLE_ROOM * max(float(np.abs(inputs - mid).max(initial=0.0)), 1e-30)
    resolution = vector.TABLE_HALF / half
    argument = mid + (np.arange(2 * vector.TABLE_HALF) - vector.TABLE_HALF) / resolution
    low, high = float(outputs.min(initial=np.inf)), float(outputs.max(initial=-np.inf))
    beyond = high - low
    values = np.clip(op.compute(argument[:, None])[:, 0], low - beyond, high + beyond)
    common = (float(np.abs(values).max()) or 1.0) / vector.LANE_MAX
    ratio = unit * resolution
    shift = _shift(float(ratio.max()))
    entries = np.rint(values / common).astype(np.int16)
    table = vector.Table(multiplier=_multipliers(ratio, shift), shift=shift, entries=entries)
    return table, np.full(op.size, common)
