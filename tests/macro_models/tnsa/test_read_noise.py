"""Noise of a conversion against cells drawn one by one."""

import numpy as np
import pytest

from mho.macro_models.devices import Device, device_from_dict, load_device
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.sensing import INPUT_TOP, variance_unit

LINES, DRAWS = 16, 20_000


@pytest.fixture(scope="module", params=[[0.4], [0.1, 0.9]], ids=["constant", "growing with g"])
def device(request: pytest.FixtureRequest) -> Device:
    tree = load_device("rram-neurram").to_dict()
    tree["read_noise"]["sigma_uS"] = request.param
    return device_from_dict(tree)


@pytest.mark.slow
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("differential", [False, True])
def test_read_noise_is_that_of_cells_that_fluctuate(device: Device, backward: bool, differential: bool) -> None:
    rng = np.random.default_rng(7)
    config = TnsaConfig(lines=LINES)
    model = TnsaModel(
        config, rng.uniform(5, 40, (LINES, LINES)), device=device, seed=3, core=1, causes=frozenset({"read-noise"})
    )
    wl = rng.random(LINES) < 0.8
    x = rng.integers(-15, 16, LINES)
    if differential:
        x[1::2] = -x[0::2]
    key = model.key(backward, wl)
    charge = model.charge(key, np.broadcast_to(x, (DRAWS, LINES)), np.arange(DRAWS))
    accumulator = (charge - 1) / 2

    g = model.cells * config.lsb_uS
    on = np.where(wl[:, None], 1.0, 0.0)
    sigma = model.device.read_noise_uS(g)
    fluctuating = (g + sigma * rng.standard_normal((DRAWS, LINES, LINES))) * on
    if backward:
        ratio = (fluctuating @ x) / np.maximum(fluctuating.sum(axis=2), 1e-9)
        sum_g = (g * on).sum(axis=1)
    else:
        ratio = (x @ fluctuating) / fluctuating.sum(axis=1)
        sum_g = (g * on).sum(axis=0)
    # The settled ratio times the nominal sum is what the accumulator counts, in codes.
    expected = ratio * sum_g / config.lsb_uS
    loaded = sum_g > 0
    deviation, reference = accumulator.std(axis=0)[loaded], expected.std(axis=0)[loaded]
    # Each deviation has a relative error of 1 / sqrt(2 DRAWS), and the grid and second order 0.5 %.
    assert np.abs(deviation / reference - 1.0).max() < 5 * np.sqrt(1.0 / DRAWS) + 0.005
    error = np.abs(accumulator.mean(axis=0) - expected.mean(axis=0))[loaded]
    assert (error < 5 * reference * np.sqrt(2.0 / DRAWS) + 0.01 * reference + 0.5).all()


def test_read_noise_is_independent_between_lines_and_conversions(device: Device) -> None:
    model = TnsaModel(TnsaConfig(lines=LINES), np.full((LINES, LINES), 20.0), device=device, seed=3, core=1)
    key = model.key(False, np.ones(LINES, dtype=bool))
    x = np.tile(np.array([9, -9]), LINES // 2)
    charge = model.charge(key, np.broadcast_to(x, (DRAWS, LINES)), np.arange(DRAWS))
    z = (charge - charge.mean(axis=0)) / charge.std(axis=0)
    between_lines = (z.T @ z) / DRAWS - np.eye(LINES)
    assert np.abs(between_lines).max() < 5 / np.sqrt(DRAWS)
    assert np.abs((z[1:] * z[:-1]).mean(axis=0)).max() < 5 / np.sqrt(DRAWS)


def test_inputs_that_are_all_alike_make_no_noise() -> None:
    # Then every cell pulls the line to the same voltage, whatever its conductance.
    model = TnsaModel(
        TnsaConfig(lines=LINES), np.full((LINES, LINES), 20.0), device=load_device("rram-neurram"), seed=1, core=0
    )
    key = model.key(True, np.ones(LINES, dtype=bool))
    charge = model.charge(key, np.full((50, LINES), 5), np.arange(50))
    assert (charge == charge[0]).all()


@pytest.mark.parametrize("sigma_mV", [0.2, 1.0])
def test_output_noise_has_its_deviation(sigma_mV: float) -> None:
    tree = load_device("rram-neurram").to_dict()
    tree["converter"]["sigma_output_mV"] = sigma_mV
    config = TnsaConfig(lines=LINES, v_read_V=0.25)
    model = TnsaModel(
        config, np.full((LINES, LINES), 20.0), device=device_from_dict(tree), seed=1, core=0, causes=frozenset({"adc"})
    )
    key = model.key(False, np.ones(LINES, dtype=bool))
    charge = model.charge(key, np.zeros((DRAWS, LINES), dtype=int), np.arange(DRAWS))
    volts = (charge - 1) / 2 / key.sum_g * config.v_read_V
    assert np.abs(volts.std(axis=0) / (sigma_mV * 1e-3) - 1.0).max() < 5 * np.sqrt(0.5 / DRAWS) + 0.002
    assert np.abs(volts.mean(axis=0)).max() < 5 * sigma_mV * 1e-3 / np.sqrt(DRAWS)


@pytest.mark.parametrize("lines", [2, 16, 64, 256, 1024])
def test_sums_of_variances_fit_single_precision(lines: int) -> None:
    for top in np.geomspace(1e-9, 1e9, 57):
        unit = variance_unit(top, lines)
        largest = np.rint(top / unit)
        assert largest * lines * INPUT_TOP**2 < 2**24
        assert abs(largest * unit / top - 1) < 0.0035 * max(1.0, lines / 256)
