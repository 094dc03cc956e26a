"""Integer parameters of a layer: multipliers and shift of its leaves, bias and requantisation of its root."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import Layer, Mvm
from mho.compiler.types import Float
from mho.macro_models.integer.vector import LANE_MAX, MULTIPLIER_MAX, SHIFT_MAX, Requantise, Root, largest_code

__all__ = ["Product", "lower_last", "lower_layer", "smallest_scale", "worst_case"]


LANE_ROOM = 0.99 * LANE_MAX
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
        np.add.at(worst, p.mvm.outputs, largest_code(p.mvm.op) * p.half_step)
    return worst


def smallest_scale(products: Sequence[Product], outputs: int) -> Float:
    """Smallest scale of the next layer's codes, of shape (outputs,), for which a lane holds every sum."""
    return worst_case(products, outputs) / LANE_CODES


def lower_layer(
    layer: LinearLayer, spread: NDArray[np.int32], products: Sequence[Product], bias: Float, following: Quantiser
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
    requantise = Requantise(shift=fraction, low=following.format.low, high=following.format.top)
    lowered = _lower(layer, spread, products, bias, following.scale * 2.0**-fraction, requantise)
    return replace(lowered, root=replace(lowered.root, relu=layer.relu and not following.offset.any()))


def lower_last(
    layer: LinearLayer, spread: NDArray[np.int32], products: Sequence[Product], bias: Float, *, uniform: bool = False,
) -> tuple[Layer, Float]:
    """The last layer, and what one unit of its lanes stands for, of shape (outputs,): ``uniform``, the same of all."""
    reach = worst_case(products, layer.outputs) + np.abs(bias)
    reach = np.full_like(reach, reach.max()) if uniform else reach
    unit = np.where(reach > 0, reach, 1.0) / LANE_ROOM
    return _lower(layer, spread, products, bias, unit, None), unit


def _lower(
    layer: LinearLayer,
    spread: NDArray[np.int32],
    products: Sequence[Product],
    bias: Float,
    unit: Float,
    requantise: Requantise | None,
) -> Layer:
    factors = [p.half_step / unit[p.mvm.outputs] for p in products]
    largest = max(float(f.max()) for f in factors)
    shift = int(np.clip(np.floor(np.log2(MULTIPLIER_MAX / largest)), 0, SHIFT_MAX))
    mvms = tuple(
        replace(p.mvm, multiplier=np.minimum(np.rint(f * 2.0**shift), MULTIPLIER_MAX).astype(np.int32))
        for p, f in zip(products, factors, strict=True)
    )
    root = Root(bias=np.rint(bias / unit).astype(np.int16), relu=layer.relu, requantise=requantise)
    result = Layer(
        name=layer.name, inputs=layer.inputs, outputs=layer.outputs, spread=spread, mvms=mvms, shift=shift, root=root
    )
    result.check()
    return result
