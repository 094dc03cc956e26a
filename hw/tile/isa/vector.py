"""The vector unit of a tile in numpy: one formula and its kinds, bit by bit.

    ``y = clip(((sum_k (a_k - c) m) >> shift) + d, lo, hi)``,    ``>>`` rounding half up.

Widths: a and c 16 bits signed, m 16, d 17. The sum of products has 32 bits and wraps around; nothing after it does. It
is what leaf, root, encode, residual sum, limit, mean and table are, with the operands that
:mod:`mho.macro_models.integer.vector` lists. A sum over two sources takes the terms of both.

Accumulators have 32 bits and wrap around. Element i of a result adds to accumulator ``target`` of its parameter, in the
order of the elements: where the parameter says ``start`` the accumulator begins at 0, where it is not ``valid`` nothing
is done. Their values are not clipped. Read as lanes they are their low 16 bits, so that sums of leaves wrap at 16 bits.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.tile.isa import ACCUMULATORS, PARAMETER, Kind, Operand

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Parameters:
    """Parameters of the elements of an operation, each of shape (elements,)."""

    m: Integers
    c: Integers
    d: Integers
    target: Integers
    valid: NDArray[np.bool_]
    start: NDArray[np.bool_]

    @classmethod
    def unpack(cls, words: NDArray[np.uint64], first: int, period: int, elements: int) -> "Parameters":
        """Those of ``elements`` elements from the parameter memory: ``words[first + i % period]``."""
        chosen = words[first + np.arange(elements) % period]
        fields = {}
        for field in PARAMETER.fields:
            raw = (chosen >> np.uint64(32 * field.word + PARAMETER.low[field.name])).astype(np.int64)
            raw &= (1 << field.width) - 1
            top = 1 << field.width - 1
            fields[field.name] = (raw ^ top) - top if field.signed else raw
        valid, start = fields.pop("valid") == 1, fields.pop("start") == 1
        return cls(valid=valid, start=start, **fields)


def pack_parameters(
    m: ArrayLike, c: ArrayLike = 0, d: ArrayLike = 0, target: ArrayLike = 0, valid: ArrayLike = 0, start: ArrayLike = 0
) -> NDArray[np.uint64]:
    """Words of the parameter memory, of the shape of all arguments together.

    Raises ValueError if a value does not fit its field.
    """
    values = {"m": m, "c": c, "d": d, "target": target, "valid": valid, "start": start}
    word = np.zeros(np.broadcast_shapes(*(np.shape(v) for v in values.values())), dtype=np.uint64)
    for field in PARAMETER.fields:
        value = np.asarray(values[field.name], dtype=np.int64)
        low, high = field.range
        if ((value < low) | (value > high)).any():
            raise ValueError(f"{field.name} must be between {low} and {high}")
        bits = (value & ((1 << field.width) - 1)).astype(np.uint64)
        word |= bits << np.uint64(32 * field.word + PARAMETER.low[field.name])
    return word


def wrap(value: Integers, bits: int = 32) -> Integers:
    """The number of ``bits`` bits, signed, that has the low bits of ``value``."""
    top = 1 << bits - 1
    return ((value + top) & ((1 << bits) - 1)) - top


def lanes_of(accumulators: NDArray[np.int32]) -> Integers:
    """Accumulators as a source reads them."""
    return wrap(accumulators.astype(np.int64), 16)


def finish(total: Integers, shift: int, d: Integers | int) -> Integers:
    """``(total >> shift) + d`` of a sum that wraps at 32 bits, without clipping."""
    return ((wrap(total) + ((1 << shift) >> 1)) >> shift) + d


def compute(
    vec: Mapping[str, int], parameters: NDArray[np.uint64], tables: NDArray[np.int16], accumulators: NDArray[np.int32],
    a: NDArray[np.integer] | None, b: NDArray[np.integer] | None = None,
) -> NDArray[np.int16] | None:
    """The result of a legal vector operation, shape (elements,); None where it went to the accumulators.

    Parameters
    ----------
    vec
        Values of the descriptor.
    parameters
        The parameter memory, (words,).
    tables
        Shape (2, 1024).
    accumulators
        Shape (256,), written in place where they are the target.
    a, b
        The terms of each source, (terms, elements), none where the descriptor has none.
    """
    kind, count = vec["kind"], vec["elements"]
    sources = [np.asarray(s, dtype=np.int64) for s in (a, b) if s is not None]
    if kind == Kind.MAX:
        return _clip(np.max(np.concatenate(sources), axis=0), vec)
    if kind == Kind.PRODUCT:
        return _clip(finish((sources[0] * sources[1]).sum(axis=0), vec["shift"], 0), vec)
    first, period = vec["parameters"], vec["period"]
    a_parameters = Parameters.unpack(parameters, first, period, count)
    total = accumulators[:count].astype(np.int64) if vec["add"] else np.zeros(count, dtype=np.int64)
    if a is not None:
        total += ((np.asarray(a, dtype=np.int64) - a_parameters.c) * a_parameters.m).sum(axis=0)
    if b is not None:
        b_parameters = Parameters.unpack(parameters, first + period, period, count)
        total += ((np.asarray(b, dtype=np.int64) - b_parameters.c) * b_parameters.m).sum(axis=0)
    sums = finish(total, vec["shift"], a_parameters.d)
    if vec["target"] == Operand.ACCUMULATORS:
        _scatter(accumulators, sums, a_parameters)
        return None
    result = _clip(sums, vec)
    return tables[vec["b"]][result] if kind == Kind.TABLE else result


def _clip(value: Integers, vec: Mapping[str, int]) -> NDArray[np.int16]:
    return np.clip(value, vec["lo"], vec["hi"]).astype(np.int16)


def _scatter(accumulators: NDArray[np.int32], values: Integers, parameters: Parameters) -> None:
    """Adds elements to their accumulators, in order."""
    # What an accumulator had before its last start is forgotten.
    order = np.arange(len(values))
    begins = np.full(ACCUMULATORS, -1)
    starts = parameters.valid & parameters.start
    np.maximum.at(begins, parameters.target[starts], order[starts])
    used = parameters.valid & (order >= begins[parameters.target])
    total = np.where(begins >= 0, 0, accumulators.astype(np.int64))
    np.add.at(total, parameters.target[used], values[used])
    accumulators[:] = wrap(total).astype(np.int32)
