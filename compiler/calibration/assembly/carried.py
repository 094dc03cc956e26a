"""How values travel from layer to layer while a network is calibrated, and how a layer takes them.

Two ways, with the same methods: :data:`Value`, and as a layer takes it :data:`Carried`. In a chain each value has one
taker, which chooses the codes that the layer before it, or the host, gives: :class:`Handed`. Everywhere else a value is
made in 16-bit lanes, on units chosen when it is made, and each layer encodes what it takes: :class:`InLanes`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mho.compiler.calibration.assembly.stage_lowering import MOST_GAIN, element_groups, lower_encode, tied
from mho.compiler.calibration.quantisers import CodeFormat, Quantiser, Ranges, fit_quantiser
from mho.compiler.model.stages import Linear
from mho.compiler.program import InputStage, Operation
from mho.compiler.types import Float, Lanes
from mho.macro_models.integer.vector import LANE_MAX, PAD
from mho.macro_models.types import Integral

ANCHORS = ("zero", "least", "mean", "middle")
HIDDEN_ANCHORS = ("zero", "relu")
"""What code 0 of the network's input and of hidden values may stand for."""

INPUT_ROOM = 4.0
"""Lanes of the input reach this many times as far as the calibration inputs."""


@dataclass(frozen=True)
class Encoded:
    """Codes of a value on each chip, (chips, images, elements), their number in the program, and the share clipped."""

    number: int
    codes: Lanes
    clipped: float


@dataclass(frozen=True, kw_only=True)
class Handed:
    """A value of a chain, whose one taker chooses its codes.

    ``values`` is what it is on each chip, (chips, images, elements), ``smallest`` the smallest scales for its codes;
    ``close`` puts what makes the codes into the program and gives them, and the share that is clipped.
    """

    number: int
    values: Float
    smallest: Float
    anchors: Sequence[str]
    close: Callable[[Quantiser], tuple[Lanes, float]]

    def sample(self, op: Linear, image: Integral, position: Integral, chips: int | None = None) -> Float:
        """Inputs of a layer at samples in the model's units, on each chip or the first: (chips, samples, inputs)."""
        return self.values[:chips, image]

    def taken_by(self, calls: Sequence[Linear], ranges: Float, is_first: bool) -> "Handed":
        """The value as a layer takes it in the first of its calls, with codes that serve all of them.

        ``ranges`` are samples with all that occurs, ``is_first``: of the input.
        """
        return self

    def coded(self, op: Linear, quantiser: Quantiser) -> Encoded:
        """Codes of all elements, as a layer takes them in another of its calls."""
        return self.encode(quantiser)

    def fit(self, flat: Float, norm: Float, fmt: CodeFormat, *, anchor: str, **options: Any) -> Quantiser:
        """Input codes from samples ``flat`` of the layer's inputs, (samples, inputs)."""
        return fit_quantiser(flat, norm, fmt, anchor=anchor, **options)

    def coarsen(self, quantiser: Quantiser, anchor: str) -> Quantiser:
        """Input codes that the value can be brought to."""
        return quantiser.coarsened(self.smallest, anchor)

    def encode(self, quantiser: Quantiser) -> Encoded:
        """Codes of all elements, which are made in the program from now on."""
        return Encoded(self.number, *self.close(quantiser))


@dataclass(frozen=True, kw_only=True)
class InLanes:
    """A value in lanes on each chip, (chips, images, elements), with unit and zero of each, (elements,).

    ``numbers`` are those of the values that it is in the program, side by side; ``append`` puts an operation on them
    there and gives the number of what it makes.
    """

    numbers: tuple[int, ...]
    lanes: Lanes
    unit: Float
    zero: Float
    append: Callable[[Operation, Sequence[int]], int]

    def sample(self, op: Linear, image: Integral, position: Integral, chips: int | None = None) -> Float:
        patches = op.patches[position]
        element = np.maximum(patches, 0)
        lanes = self.lanes[:chips, image[:, None], element]
        return np.where(patches < 0, op.pad, lanes * self.unit[element] + self.zero[element])

    def taken_by(self, calls: Sequence[Linear], ranges: Float, is_first: bool) -> "LaneInput":
        # The range of hidden values begins at 0, even where all of a few samples are far from it. The lanes of later
        # calls are not known yet, so that code 0 stands for what every lane holds.
        hidden = HIDDEN_ANCHORS if ranges.min(initial=0.0) >= 0 and len(calls) == 1 else HIDDEN_ANCHORS[:1]
        return LaneInput(self, calls, ANCHORS if is_first else hidden)

    def coded(self, op: Linear, quantiser: Quantiser) -> Encoded:
        encode = lower_encode(quantiser, op.ties, self.unit, self.zero)
        codes, clipped = zip(*(encode.compute_counted(chip) for chip in self.lanes), strict=True)
        every = np.stack(codes)
        return Encoded(self.append(encode, self.numbers), every, sum(clipped) / every.size)


class LaneInput:
    """Lanes as a layer takes them: rows that take the same elements in turn have one scale and offset."""

    def __init__(self, value: InLanes, calls: Sequence[Linear], anchors: tuple[str, ...]) -> None:
        op = calls[0]
        self.value, self.op, self.anchors = value, op, anchors
        self.group = tied([linear.ties for linear in calls])
        # Largest and smallest unit of the lanes that the rows of each group take, of shape (rows,).
        units = value.unit[np.maximum(op.patches, 0)]
        highest, lowest = np.zeros(self.group.max() + 1), np.full(self.group.max() + 1, np.inf)
        np.maximum.at(highest, self.group, np.where(op.patches < 0, 0.0, units).max(axis=0))
        np.minimum.at(lowest, self.group, np.where(op.patches < 0, np.inf, units).min(axis=0))
        self.most, self.least = highest[self.group], lowest[self.group]
        self._pooled: tuple[Float, Ranges] | None = None

    def fit(self, flat: Float, norm: Float, fmt: CodeFormat, *, anchor: str, **options: Any) -> Quantiser:
        """With codes of at least two lanes, with scales that one shift serves, and with a code 0 that lanes hold."""
        fitted, used = self._fit_groups(flat, norm, fmt, anchor=anchor, **options), self.most > 0
        typical = np.median(fitted.scale[used] / self.most[used]) if used.any() else 0.0
        # What code 0 stands for is taken off in lanes. Where that is 0, codes may reach beyond the lanes of what has
        # the smallest unit: the same rows may take values of another one, whose range would be cut.
        reach = np.inf if anchor == "zero" and not self.value.zero.any() else LANE_MAX * self.least
        return fitted.coarsened(max(2.0, typical / MOST_GAIN) * self.most, anchor, reach)

    def _fit_groups(self, flat: Float, norm: Float, fmt: CodeFormat, **options: Any) -> Quantiser:
        group, rows = self.group, self._members
        if self._pooled is None or self._pooled[0] is not flat:
            pooled = flat if rows is None else flat[:, rows.T].reshape(-1, len(rows))
            self._pooled = flat, Ranges(pooled)
        ranges = self._pooled[1]
        if rows is None:
            return fit_quantiser(ranges, norm, fmt, **options)
        shared = fit_quantiser(ranges, np.sqrt((norm[rows] ** 2).sum(axis=1)), fmt, **options)
        return replace(shared, offset=shared.offset[group], scale=shared.scale[group])

    @cached_property
    def _members(self) -> Integral | None:
        """Rows of each group, (groups, rows), those of small ones several times; None where each row is alone."""
        count = int(self.group.max()) + 1
        if count == len(self.group):
            return None
        members = np.split(np.argsort(self.group, kind="stable"), np.bincount(self.group).cumsum()[:-1])
        longest = max(len(m) for m in members)
        return np.stack([np.resize(m, longest) for m in members])

    def coarsen(self, quantiser: Quantiser, anchor: str) -> Quantiser:
        return quantiser.coarsened(np.zeros(()), anchor)

    def encode(self, quantiser: Quantiser) -> Encoded:
        return self.value.coded(self.op, quantiser)


Value = Handed | InLanes
"""A value while the program is built."""
Carried = Handed | LaneInput
"""A value as a layer takes it."""


def input_in_lanes(x: Float, users: Sequence[Linear], alone: bool, moved: bool = False) -> InputStage:
    """The network's input in lanes that are fine enough to be taken for exact.

    ``users`` are the layers that take it, ``alone`` whether nothing else does: of what is pooled or added to, all
    elements have one unit. ``moved``: whether elements are moved on the way to layers; lane 0 is 0 then.
    """
    largest = float(np.abs(x).max(initial=0.0)) or 1.0
    if not alone:
        zero, reach = np.zeros(x.shape[1]), np.full(x.shape[1], largest)
        return InputStage(offset=zero, scale=INPUT_ROOM * reach / LANE_MAX, low=-LANE_MAX, high=LANE_MAX)
    group = element_groups([op.patches for op in users], x.shape[1])
    low, high = np.full(group.max() + 1, np.inf), np.full(group.max() + 1, -np.inf)
    np.minimum.at(low, group, x.min(axis=0))
    np.maximum.at(high, group, x.max(axis=0))
    for op in users:
        # What stands for an element outside of the image is in the range, too.
        for column, pad in zip(op.patches.T, op.pad, strict=True):
            if (column == PAD).any() and (column != PAD).any():
                at = group[column.max()]
                low[at], high[at] = min(low[at], pad), max(high[at], pad)
    if moved:
        low = np.minimum(low, -high)
        high = -low
    zero, reach = ((low + high) / 2)[group], ((high - low) / 2)[group]
    reach = np.where(reach > 0, reach, largest)
    return InputStage(offset=zero, scale=INPUT_ROOM * reach / LANE_MAX, low=-LANE_MAX, high=LANE_MAX)
