"""Real factors and biases as integers: the nearest ones, on the finest scale that a lane holds."""

import numpy as np
import pytest

from mho.compiler.calibration.assembly.layer_lowering import (
    LANE_ROOM,
    Product,
    lower_last,
    lower_layer,
    smallest_scale,
    worst_case,
)
from mho.compiler.calibration.quantisers import CodeFormat, Quantiser
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import Mvm
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.integer.vector import LANE_MAX, MULTIPLIER_MAX, largest_code

OUTPUTS = 3


def product(seed: int) -> Product:
    """Two columns for each output, one core."""
    rng, op = np.random.default_rng(seed), TnsaOperation(in_bits=4, out_bits=6)
    columns = np.arange(2 * OUTPUTS, dtype=np.int32)
    mvm = Mvm(
        core=0, operation=0, op=op, first=0, rows=np.arange(2, dtype=np.int32), columns=columns,
        outputs=columns % OUTPUTS, multiplier=np.ones(len(columns), dtype=np.int32),
    )
    return Product(mvm, rng.uniform(0.001, 0.02, len(columns)))


def linear(bias: np.ndarray) -> LinearLayer:
    return LinearLayer(name="l", weight=np.ones((OUTPUTS, 2)), bias=bias, relu=True)


@pytest.mark.parametrize("seed", range(8))
def test_factors_and_biases_are_the_nearest_integers(seed: int) -> None:
    p, bias = product(seed), np.random.default_rng(seed).uniform(-0.5, 0.5, OUTPUTS)
    spread = np.arange(2, dtype=np.int32)
    following = Quantiser(
        format=CodeFormat(bits=4, signed=True), offset=np.full(OUTPUTS, 0.1), scale=np.full(OUTPUTS, 0.07)
    )
    last, unit = lower_last(linear(bias), spread, [p], bias)
    inner = lower_layer(linear(bias), spread, [p], bias, following)
    assert inner.root.requantise is not None
    fraction = inner.root.requantise.shift
    assert (inner.root.requantise.low, inner.root.requantise.high) == (-7, 7)
    for layer, scale, offset in (
        (last, unit, bias),
        (inner, following.scale * 2.0**-fraction, bias - following.offset),
    ):
        factor = p.half_step / scale[p.mvm.outputs] * 2.0**layer.shift
        assert abs(layer.mvms[0].multiplier - factor).max() <= 0.5
        assert MULTIPLIER_MAX / 2 < factor.max() <= MULTIPLIER_MAX
        assert abs(layer.root.bias - offset / scale).max() <= 0.5
    reach = worst_case([p], OUTPUTS)
    largest = largest_code(p.mvm.op)
    np.testing.assert_allclose(reach, largest * (p.half_step[:OUTPUTS] + p.half_step[OUTPUTS:]))
    np.testing.assert_allclose(smallest_scale([p], OUTPUTS), reach / 3700)
    np.testing.assert_allclose((reach + abs(bias)) / unit, LANE_ROOM)
    # One more fraction bit would not fit.
    total = ((reach + abs(bias - following.offset)) / following.scale).max()
    assert LANE_ROOM / 2 < total * 2.0**fraction <= LANE_ROOM < LANE_MAX
