"""Cells that drift: their statistics against the published formulas, and what a chip keeps."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from macro_models.cells.programming import programmed
from macro_models.cells.settled import SettledCells
from macro_models.devices import CAUSES, device_from_dict, load_device
from macro_models.devices.device import Device
from macro_models.devices.grid import exp_negative
from macro_models.errors import InputError
from macro_models.tnsa.config import TnsaConfig
from macro_models.tnsa.model import TnsaModel

DRAWS = 400_000
LEVELS = (1.0, 5.0, 10.0, 17.5, 25.0)
TIMES = (1.0, 3600.0, 86400.0, 31557600.0)
G_MAX, T_0, T_READ = 25.0, 20.0, 250e-9
ALL = frozenset(CAUSES)


@pytest.fixture(scope="module")
def pcm() -> Device:
    return load_device("pcm-generic")


def nodes() -> tuple[np.ndarray, np.ndarray]:
    z = np.linspace(-7.0, 7.0, 561)
    weight = np.exp(-z * z / 2)
    return z, weight / weight.sum()


def published(target: float, time_s: float) -> tuple[float, float]:
    """Mean and deviation of a read by the formulas of PCMLikeNoiseModel, by quadrature; the clamp at 0 included."""
    r = target / G_MAX
    z, weight = nodes()
    g_p = np.maximum(0.0, target + (0.26348 + 1.9650 * r - 1.1731 * r * r) * z)[:, None]
    mean_nu = np.clip(-0.0155 * math.log(r) + 0.0244, 0.049, 0.1)
    std_nu = np.clip(-0.0125 * math.log(r) - 0.0059, 0.008, 0.045)
    g = g_p * ((time_s + T_0) / T_0) ** -np.abs(mean_nu + std_nu * z)
    q = np.minimum(0.0088 / np.maximum((g_p / G_MAX) ** 0.65, 1e-3), 0.2)
    sigma = np.maximum(g * q * math.sqrt(math.log((time_s + T_0 + T_READ) / (2 * T_READ))), 1e-12)
    a = g / sigma
    below = 0.5 * (1.0 + np.vectorize(math.erf)(a / math.sqrt(2)))
    density = np.exp(-a * a / 2) / math.sqrt(2 * math.pi)
    first = g * below + sigma * density
    second = (g * g + sigma * sigma) * below + g * sigma * density
    mean = float(weight @ first @ weight)
    return mean, math.sqrt(float(weight @ second @ weight) - mean * mean)


def reads(device: Device, target: float, time_s: float, seed: int = 0) -> np.ndarray:
    cells = programmed(np.full(DRAWS, target), device=device, seed=seed, core=0, time_s=time_s, causes=ALL)
    sigma = device.read_noise_uS(cells.g_uS, time_s, cells.origin_uS)
    return np.maximum(cells.g_uS + sigma * np.random.default_rng(seed).standard_normal(DRAWS), 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("time_s", TIMES)
@pytest.mark.parametrize("target", LEVELS)
def test_reads_have_the_published_mean_and_spread(pcm: Device, target: float, time_s: float) -> None:
    mean, deviation = published(target, time_s)
    drawn = reads(pcm, target, time_s, seed=int(10 * target + math.log10(time_s)))
    assert abs(drawn.mean() - mean) < 5 * deviation / math.sqrt(DRAWS)
    assert drawn.std() == pytest.approx(deviation, rel=0.01)


@pytest.mark.parametrize(
    ("target", "time_s", "mean", "deviation"),
    # Computed elsewhere, from the source of aihwkit.
    [
        (25, 1.0, 24.940, 1.3978), (25, 3600.0, 19.395, 1.4089), (25, 86400.0, 16.625, 1.5144),
        (12.5, 86400.0, 8.3127, 1.0277), (25, 31536000.0, 12.505, 1.6503), (2.5, 86400.0, 1.5384, 0.5125),
    ],
)
def test_the_formulas_are_those_of_the_source(target: float, time_s: float, mean: float, deviation: float) -> None:
    assert published(target, time_s) == (pytest.approx(mean, rel=5e-4), pytest.approx(deviation, rel=2e-3))


@pytest.mark.parametrize("time_s", [0.0, *TIMES])
def test_a_device_says_the_moments_that_its_cells_have(pcm: Device, time_s: float) -> None:
    for target in (5.0, 25.0):
        g = programmed(np.full(DRAWS, target), device=pcm, seed=3, core=0, time_s=time_s, causes=ALL).g_uS
        sigma = float(pcm.sigma_uS(target, time_s))
        assert abs(g.mean() - target - pcm.mean_uS(target, time_s)) < 5 * sigma / math.sqrt(DRAWS)
        assert g.std() == pytest.approx(sigma, rel=0.01)


def test_a_cell_of_a_chip_keeps_its_exponent(pcm: Device) -> None:
    target = np.full(4096, 10.0)

    def nu(time_s: float, seed: int = 1) -> np.ndarray:
        cells = programmed(target, device=pcm, seed=seed, core=2, time_s=time_s, causes=frozenset({"relaxation"}))
        assert cells.origin_uS is not None
        return -np.log(cells.g_uS / cells.origin_uS) / math.log((time_s + T_0) / T_0)

    first = nu(60.0)
    assert nu(31557600.0) == pytest.approx(first, abs=1e-5)
    assert first.mean() == pytest.approx(0.049, abs=5 * 0.008 / 64)
    assert abs(np.corrcoef(first, nu(60.0, seed=2))[0, 1]) < 5 / 64
    # Programmed again by pulses, it is the same cell still.
    settled = SettledCells(
        left_uS=target, waits=np.zeros(4096, int), wait_s=0.0, pulses=np.arange(4096) % 7, moves=np.ones(4096, bool),
        seed=1, core=2,
    )
    again = -np.log(settled.relaxed_uS(pcm, 3600.0) / target) / math.log(3620.0 / T_0)
    assert again == pytest.approx(first, abs=1e-5)


def test_causes_are_apart(pcm: Device) -> None:
    target = np.full(1000, 10.0)

    def cells(*causes: str, time_s: float = 3600.0) -> np.ndarray:
        return programmed(target, device=pcm, seed=1, core=0, time_s=time_s, causes=frozenset(causes)).g_uS

    assert (cells() == target).all()
    assert (cells("relaxation", time_s=0.0) == target).all()
    assert np.array_equal(cells("programming"), cells("programming", "relaxation", time_s=0.0))
    assert (cells("programming", "relaxation") < cells("programming")).all()


def test_cells_do_not_fall_below_the_floor(pcm: Device) -> None:
    tree = pcm.to_dict()
    tree["drift"]["floor_uS"] = 0.7
    device = device_from_dict(tree)
    drifted = programmed(np.full(1000, 1.0), device=device, seed=0, core=0, time_s=1e8, causes=ALL).g_uS
    assert drifted.min() == 0.7
    assert (drifted == 0.7).mean() > 0.5


def test_exponentials_are_right_and_made_of_sums_and_products() -> None:
    y = np.random.default_rng(0).uniform(0.0, 30.0, 100_000)
    assert exp_negative(y) == pytest.approx(np.exp(-y), rel=1e-10)
    assert exp_negative(np.array([0.0]))[0] == 1.0
    assert exp_negative(np.array([1e9]))[0] < 1e-300


def test_read_noise_of_a_core_goes_by_what_programming_left(pcm: Device) -> None:
    config = TnsaConfig(lines=16, g_bits=12)
    target = np.random.default_rng(0).uniform(2.0, 25.0, (16, 16))
    model = TnsaModel(config, target, device=pcm, seed=1, core=0, time_s=86400.0)
    assert model.origin is not None
    variances, unit = model.read_variances()
    lsb = config.lsb_uS
    sigma = pcm.read_noise_uS(model.cells * lsb, 86400.0, model.origin * lsb)
    assert variances is not None
    assert np.sqrt(variances * unit) * 4096 * lsb == pytest.approx(sigma, rel=0.02)
    again = TnsaModel.from_state(json_state(model))
    assert np.array_equal(again.read_variances()[0], variances)
    quiet = TnsaModel(config, target, device=pcm, seed=1, core=0, time_s=86400.0, causes=ALL - {"read-noise"})
    assert quiet.read_variances()[0] is None


def json_state(model: TnsaModel) -> dict[str, object]:
    state = model.state()
    plain = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
    return {**state, **json.loads(json.dumps(plain))}


def test_warnings_say_where_the_data_end(pcm: Device) -> None:
    assert pcm.warnings(86400.0, 25.0) == []
    assert pcm.warnings(1e7, 60.0) == [
        "pcm-generic is fitted up to 86400 s after programming: for 1e+07 s its power law goes on",
        "pcm-generic is fitted at 25 C only: 60 C changes nothing in the model",
    ]


HEAD = 'schema = 1\nname = "mine"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[drift]\nnu_mean = [0, 0.1, 0.2, 0.1]\n",
         "drift.nu_mean must have its least value before its largest, not [0, 0.1, 0.2, 0.1]"),
        ("[drift]\nnu_std = [0, 0.1]\n", "drift.nu_std must be a list of 4 to 5, not [0, 0.1]"),
        ("[drift]\nt_c_s = 0\n", "drift.t_c_s must be a number from 1e-09 to 1e+06, not 0"),
        ('[drift]\n[temperature]\nacts_on = "change"\n',
         'temperature.acts_on must be "time" where cells drift, not "change"'),
        ("[drift]\ntimes_s = [3, 3]\n", "drift.times_s must increase, not [3, 3]"),
        ('[drift]\n[law]\nmodel = "empirical"\n', "cells have one law, not drift and law"),
    ],
)
def test_wrong_drift_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(InputError) as failure:
        load_device(path)
    assert str(failure.value) == f"{path}: {sentence}"
