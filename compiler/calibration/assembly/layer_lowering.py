"""Integer parameters of a layer: multipliers and shift of its leaves, bias and requantisation of its root.

A layer may take its inputs in two parts: their codes, and codes of what those leave. Eight bits of an input are not
enough where terms of a sum nearly cancel, where a decision of the host turns on a small difference, or where codes
must reach far beyond what calibration saw. The layer is then called twice, on the same cells: ``W x = W c + ratio * W
r``, with r the codes of the rest on a step that is ``ratio`` times as large. Nothing of it is new to a chip: two calls
of a layer, and sums of lanes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mho.compiler.calibration.assembly.assembly import Assembly, beside
from mho.compiler.calibration.assembly.carried import Encoded, InLanes
from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import Layer, Mvm
from mho.compiler.types import Float, Lanes
from mho.macro_models.integer import vector
from mho.macro_models.types import Flags, Indices, Integral

ROOM = 1.02
"""Codes of the rest reach this many times as far as half a step: codes are made in integers, and round otherwise."""

UNEVEN = 0.5
"""By how much copies count more or less than each other, at most."""


def copy_weights(copies: int) -> Float:
    """What each copy of a layer counts in their mean, (copies,): unevenly, in no order.

    A leaf rounds to whole lanes, and copies of one output have nearly the same codes. Multiplied by different numbers,
    their roundings differ, too, so that they do not add up.
    """
    turned = np.array([int(f"{k:016b}"[::-1], 2) for k in range(copies)]) / 2.0**16
    weights = 1.0 + UNEVEN * (2.0 * turned - 1.0)
    return weights / weights.mean()


@dataclass(frozen=True)
class Rest:
    """Codes of what the codes of ``quantiser`` leave.

    Attributes
    ----------
    ratio
        What one of them stands for, in steps of the quantiser.
    shift
        What is added to the rest, in steps of the quantiser: where codes have no sign, it is made positive.
    """

    quantiser: Quantiser

    @property
    def shift(self) -> float:
        return 0.0 if self.quantiser.format.signed else ROOM / 2

    @property
    def ratio(self) -> float:
        top = self.quantiser.format.top
        return ROOM / (2 * top if self.quantiser.format.signed else top)

    def codes(self, h: Float, codes: Integral) -> Lanes:
        """Codes of the rest of values ``h`` whose codes are given."""
        left = (h - self.quantiser.offset) / self.quantiser.scale - codes
        fmt = self.quantiser.format
        return np.clip(np.rint((left + self.shift) / self.ratio), fmt.low, fmt.top).astype(np.int16)

    def codes_of(self, value: InLanes, encoded: Encoded, assembly: Assembly) -> InLanes:
        """Codes of the rest of a value in lanes whose codes are given, as stages of the program."""
        encode = assembly.stages[encoded.number - 1].operation
        assert isinstance(encode, vector.Encode)
        left, coded = self.lower(encode)
        codes = assembly.in_lanes(encoded.number, encoded.codes, value.unit)
        return assembly.done(coded, assembly.done(left, beside([value, codes]), value.unit), value.unit)

    def lower(self, coder: vector.Encode) -> tuple[vector.WeightedSum, vector.Encode]:
        """What makes them of lanes and of their codes by ``coder``, side by side: the rest in lanes, its codes.

        A step of the codes is so many lanes; both are in whole numbers, so that the rest is exact to a lane.
        """
        used = coder.multiplier > 0
        step = np.where(used, 2.0**coder.shift / np.maximum(coder.multiplier, 1), 0.0)
        size, top = len(step), float(step.max(initial=0.0))
        most = min(vector.MULTIPLIER_MAX / max(top, 1.0), (vector.SUM_MAX - 1) / (top + 1.0))
        fraction = max(0, int(np.floor(np.log2(most))))
        element = np.arange(size, dtype=np.int32)
        counts = np.minimum(np.rint(step * 2.0**fraction), vector.MULTIPLIER_MAX)
        factor = np.stack([np.where(used, 2.0**fraction, 0.0), -counts], axis=1)
        lanes = vector.WeightedSum(
            index=np.stack([element, element + size], axis=1), multiplier=factor.astype(np.int32), shift=fraction,
            offset=np.where(used, -coder.offset.astype(np.int32), 0),
        )
        lanes.check()
        return lanes, self._coded(step, used)

    def _coded(self, step: Float, used: Flags) -> vector.Encode:
        """Codes of the rest in lanes, for steps of so many lanes."""
        fmt, factor = self.quantiser.format, np.where(used, 1.0 / (self.ratio * np.where(used, step, 1.0)), 0.0)
        largest = max(float(factor.max(initial=0.0)), 1e-30)
        shift = int(np.clip(np.floor(np.log2(vector.MULTIPLIER_MAX / largest)), 0, 31))
        offset = np.clip(np.rint(-self.shift * step), -vector.LANE_MAX, vector.LANE_MAX)
        return vector.Encode(
            offset=offset.astype(np.int16), multiplier=np.rint(factor * 2.0**shift).astype(np.int32), shift=shift,
            low=fmt.low, high=fmt.top,
        )


def sum_of_parts(ratio: float, bias: Integral) -> vector.WeightedSum:
    """Lanes of a layer from those of its two calls side by side, both of which have added ``bias``, (elements,)."""
    size, fraction = len(bias), 14
    element = np.arange(size, dtype=np.int32)
    factor = np.rint(np.array([1.0, ratio]) * 2.0**fraction).astype(np.int32)
    added = -np.rint(factor[1] * 2.0**-fraction * bias.astype(np.float64))
    return vector.WeightedSum(
        index=np.stack([element, element + size], axis=1), multiplier=np.tile(factor, (size, 1)), shift=fraction,
        offset=added.astype(np.int32),
    )

LANE_ROOM = 0.99 * vector.LANE_MAX
"""What a lane may reach by the real numbers: the rest is for their rounding."""

LANE_CODES = 3700
"""Codes of the next layer that the converters' range may span: with the bias, a lane then keeps two fraction bits."""

MAX_FRACTION = 12


@dataclass(frozen=True)
class Product:
    """A product of a layer before its leaf is in integers.

    ``half_step``, of shape (columns,), is what one half step of each column adds to its output, in the units of the
    model.
    """

    mvm: Mvm
    half_step: Float


def worst_case(products: Sequence[Product], outputs: int) -> Float:
    """Largest magnitude of each output's sum without bias, of shape (outputs,)."""
    worst = np.zeros(outputs)
    for p in products:
        np.add.at(worst, p.mvm.outputs, vector.largest_code(p.mvm.op) * p.half_step)
    return worst


def smallest_scale(products: Sequence[Product], outputs: int) -> Float:
    """Smallest scale of the next layer's codes, of shape (outputs,), for which a lane holds every sum."""
    return worst_case(products, outputs) / LANE_CODES


def lower_layer(
    layer: LinearLayer, spread: Indices, products: Sequence[Product], bias: Float, following: Quantiser
) -> Layer:
    """A layer whose outputs become input codes of ``following``.

    A lane holds such a code with fraction bits, their number the same for all outputs, so that requantisation is a
    shift. What their code 0 stands for is subtracted with the bias; saturation at the lowest code is the ReLU then.
    """
    bias = bias - following.offset
    worst = worst_case(products, layer.outputs)
    top = following.scale * following.format.top
    # A bias beyond saturates the code whatever the sum, so that a smaller one gives the same codes.
    bias = np.clip(bias, -worst - 2 * top, worst + 2 * top)
    reach = ((worst + np.abs(bias)) / following.scale).max()
    fraction = int(np.clip(np.floor(np.log2(LANE_ROOM / reach)), 0, MAX_FRACTION))
    requantise = vector.Requantise(shift=fraction, low=following.format.low, high=following.format.top)
    lowered = _lower(layer, spread, products, bias, following.scale * 2.0**-fraction, requantise)
    return replace(lowered, root=replace(lowered.root, relu=layer.relu and not following.offset.any()))


def lower_last(
    layer: LinearLayer, spread: Indices, products: Sequence[Product], bias: Float, *, uniform: bool = False,
) -> tuple[Layer, Float]:
    """The last layer, and what one unit of its lanes stands for, of shape (outputs,): ``uniform``, the same of all."""
    reach = worst_case(products, layer.outputs) + np.abs(bias)
    reach = np.full_like(reach, reach.max()) if uniform else reach
    unit = np.where(reach > 0, reach, 1.0) / LANE_ROOM
    return _lower(layer, spread, products, bias, unit, None), unit


def _lower(
    layer: LinearLayer,
    spread: Indices,
    products: Sequence[Product],
    bias: Float,
    unit: Float,
    requantise: vector.Requantise | None,
) -> Layer:
    factors = [p.half_step / unit[p.mvm.outputs] for p in products]
    largest = max(float(f.max()) for f in factors)
    shift = int(np.clip(np.floor(np.log2(vector.MULTIPLIER_MAX / largest)), 0, vector.SHIFT_MAX))
    mvms = tuple(
        replace(p.mvm, multiplier=np.minimum(np.rint(f * 2.0**shift), vector.MULTIPLIER_MAX).astype(np.int32))
        for p, f in zip(products, factors, strict=True)
    )
    root = vector.Root(bias=np.rint(bias / unit).astype(np.int16), relu=layer.relu, requantise=requantise)
    result = Layer(
        name=layer.name, inputs=layer.inputs, outputs=layer.outputs, spread=spread, mvms=mvms, shift=shift, root=root
    )
    result.check()
    return result
