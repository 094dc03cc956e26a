"""Candidates for the input codes of a layer: how many bits, which range, and how inputs share the levels.

Each input has a scale of its own, since the digital side before the layer (the host, or the affine stage) scales each
value anyway and the weights take the rest. Full scales for all inputs give the smallest rounding errors; but every code
drives its cells' noise too, so that inputs of small influence are better given small codes. The exponent ``balance``
moves between the two.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mho.compiler.options import LayerOptions
from mho.compiler.program import InputStage
from mho.compiler.types import Float, Lanes
from mho.hw.config import Chip
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MAX_BITS
from mho.macro_models.types import Integral

TAIL = 0.95
"""Quantile of the magnitudes of an input from which on they are kept: no range is below."""

SMALLEST_SHARE = 1 / 16
"""Share of the levels that an input gets at least, however small its influence."""


@dataclass(frozen=True, kw_only=True)
class CodeFormat:
    """Format of input codes as an operation takes it."""

    bits: int
    signed: bool
    planes_at_once: int = LSB_SEGMENT_BITS

    @property
    def planes(self) -> int:
        return max(self.bits - 1, 1) if self.signed else self.bits

    @property
    def top(self) -> int:
        return 2**self.planes - 1

    @property
    def low(self) -> int:
        return -self.top if self.signed else 0

    @property
    def segments(self) -> int:
        """Conversions of a product with such codes."""
        return 1 if self.planes <= self.planes_at_once else 2


@dataclass(frozen=True, kw_only=True)
class Quantiser:
    """Input codes of a layer: their format and, per input, offset and scale in the units of the model."""

    format: CodeFormat
    offset: Float
    scale: Float

    @property
    def stage(self) -> InputStage:
        return InputStage(offset=self.offset, scale=self.scale, low=self.format.low, high=self.format.top)

    def coarsened(self, smallest: Float, anchor: str, reach: Float | float = np.inf) -> "Quantiser":
        """With scales of at least ``smallest``, and with no code that stands for more than ``reach``."""
        scale = np.maximum(np.minimum(self.scale, reach / self.format.top), smallest)
        return replace(self, scale=scale, offset=self.format.top * scale if anchor == "relu" else self.offset)

    def codes(self, h: Float) -> Lanes:
        return self.stage.compute(h)

    def single(self, h: NDArray[np.float32]) -> NDArray[np.float32]:
        """Codes of values in single precision, (inputs, samples), in the same.

        What is near the middle of two codes may get the other one.
        """
        codes = h - self.offset.astype(np.float32)[:, None]
        codes /= self.scale.astype(np.float32)[:, None]
        np.rint(codes, out=codes)
        return np.clip(codes, self.format.low, self.format.top, out=codes)

    def rounded(self, h: Float) -> Float:
        """What the codes of ``h`` stand for."""
        return self.stage.value(self.codes(h))

    def of(self, inputs: Integral) -> "Quantiser":
        """The codes of some inputs, in their order."""
        return replace(self, offset=self.offset[inputs], scale=self.scale[inputs])


def formats(signed: bool, chip: Chip, options: LayerOptions) -> list[CodeFormat]:
    """Formats to try, cheapest first: the magnitude planes of one conversion, then all, which may take two.

    Between the two nothing is gained: the conversion of the high segment counts 16 times, and with fewer planes than
    the most it uses less of the converter's range.
    """
    widest, planes = chip.widest_input(signed), chip.operation_type.planes_at_once
    allowed = [planes + signed, MAX_BITS] if options.in_bits is None else [options.in_bits]
    widths = sorted({min(bits, widest) for bits in allowed})
    return [CodeFormat(bits=bits, signed=signed, planes_at_once=planes) for bits in widths]


def needs_sign(h: Float, anchor: str) -> bool:
    """Whether codes of values ``h`` have a sign."""
    return anchor in ("mean", "middle", "relu") or (anchor == "zero" and bool((h < 0).any()))


class Ranges:
    """Values of a layer's inputs, of shape (samples, inputs), and what candidates for its codes want to know of them.

    Candidates differ in how inputs share the levels more than in the range of each input, so that this is kept.
    """

    def __init__(self, h: Float) -> None:
        self.h, self.low, self.high = h, h.min(axis=0), h.max(axis=0)
        self._tails: dict[tuple[str, bool], Float] = {}

    @cached_property
    def mean(self) -> Float:
        """Mean of each input."""
        return self.h.mean(axis=0)

    @cached_property
    def largest(self) -> float:
        """Largest magnitude of all."""
        return float(max(self.high.max(initial=0.0), -self.low.min(initial=0.0)))

    def offset(self, anchor: str) -> Float:
        """What code 0 stands for, see :func:`fit_quantiser`."""
        if anchor == "mean":
            return self.mean
        return {"middle": (self.low + self.high) / 2, "least": self.low}.get(anchor, np.zeros_like(self.low))

    def reach(self, anchor: str, signed: bool, extent: float) -> Float:
        """A quantile of the magnitudes of each input, up to 1."""
        tail, size = self._tail(anchor if anchor != "relu" else "zero", signed), len(self.h)
        # As numpy.quantile has it: on the straight line between two neighbours.
        place = extent * (size - 1) - (size - tail.shape[1])
        if place < 0:
            raise ValueError(f"the ranges of inputs are known from the quantile {TAIL} on, not at {extent}")
        at = int(place)
        low, high, part = tail[:, at], tail[:, min(at + 1, tail.shape[1] - 1)], place - at
        return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part

    def _tail(self, anchor: str, signed: bool) -> Float:
        """The largest magnitudes of each input in ascending order, (inputs, values)."""
        if (anchor, signed) not in self._tails:
            offset = self.offset(anchor)
            magnitude = np.subtract(self.h.T, offset[:, None], order="C")
            magnitude = np.abs(magnitude, out=magnitude) if signed else np.maximum(magnitude, 0.0, out=magnitude)
            first = int(TAIL * (len(self.h) - 1))
            magnitude.partition(first, axis=1)
            self._tails[anchor, signed] = np.sort(magnitude[:, first:], axis=1)
        return self._tails[anchor, signed]


def fit_quantiser(
    h: Float | Ranges, norm: Float, fmt: CodeFormat, *, anchor: str = "zero", extent: float = 1.0, balance: float = 0.0
) -> Quantiser:
    """Offset and scales from calibration values.

    Parameters
    ----------
    h
        Values of the layer's inputs, of shape (samples, inputs), or what is known of them.
    norm
        Root of the sum of the squares of each input's weights in the units of the model, of shape (inputs,).
    anchor
        What code 0 stands for: ``"zero"``, the ``"mean"`` of the input, its ``"middle"``, or its ``"least"`` value.
        ``"relu"`` is the middle of a range whose lowest code stands for 0, so that saturation is the ReLU.
    extent
        What takes the largest code, beyond which values saturate: up to 1 a quantile of the magnitudes, above 1 that
        many times the largest of them.
    balance
        0: every input uses all levels; 1: levels in proportion to an input's influence on the outputs.
    """
    ranges = h if isinstance(h, Ranges) else Ranges(h)
    offset, signed = ranges.offset(anchor), fmt.signed and anchor != "relu"
    largest = ranges.reach(anchor, signed, 1.0)
    reach = ranges.reach(anchor, signed, extent) if extent < 1 else extent * largest
    reach = np.where(reach > 0, reach, largest)
    reach = _fill_constant(reach, ranges.largest, norm)
    influence = reach * norm
    share = np.maximum(influence / max(influence.max(initial=0.0), 1e-300), SMALLEST_SHARE) ** balance
    scale = reach / (fmt.top * share)
    if anchor == "relu":
        return Quantiser(format=fmt, offset=fmt.top * scale / 2, scale=scale / 2)
    return Quantiser(format=fmt, offset=offset, scale=scale)


def _fill_constant(reach: Float, limit: float, norm: Float) -> Float:
    """Ranges for inputs that never differed during calibration: that of their value, or a typical influence.

    ``limit`` is the largest magnitude of all values.
    """
    moved = reach > 0
    if moved.all():
        return reach
    typical = float(np.median((reach * norm)[moved])) if moved.any() else 1.0
    guess = np.where(norm > 0, typical / np.where(norm > 0, norm, 1.0), 1.0)
    largest = float(reach.max(initial=0.0))
    if largest > 0:
        # Values of a layer or an image are of one kind, so a constant one would hardly exceed the largest.
        guess = np.minimum(guess, max(largest, limit))
    return np.where(moved, reach, np.maximum(guess, 1e-30))
