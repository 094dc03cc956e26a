"""Cells that drift: their statistics against the published formulas, and what a chip keeps."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.cells.programming import SettledCells, programmed
from mho.macro_models.devices import CAUSES, device_from_dict, load_device
from mho.macro_models.devices.device import Device
from mho.macro_models.devices.grid import exp_negative
from mho.macro_models.errors import InputError
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel

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


class Published:
    """Mean and deviation of a read by published formulas, by quadrature; the clamp at 0 included."""

    g_max, t_0, t_read = G_MAX, T_0, T_READ

    def sigma(self, r: float) -> float:
        return 0.26348 + 1.9650 * r - 1.1731 * r * r

    def nu(self, r: float) -> tuple[float, float]:
        return (
            float(np.clip(-0.0155 * math.log(r) + 0.0244, 0.049, 0.1)),
            float(np.clip(-0.0125 * math.log(r) - 0.0059, 0.008, 0.045)),
        )

    def q(self, r: np.ndarray) -> np.ndarray:
        return np.minimum(0.0088 / np.maximum(r**0.65, 1e-3), 0.2)

    def moments(self, target: float, time_s: float) -> tuple[float, float]:
        r = target / self.g_max
        z, weight = nodes()
        g_p = np.maximum(0.0, target + self.sigma(r) * z)[:, None]
        mean_nu, std_nu = self.nu(r)
        g = g_p * ((time_s + self.t_0) / self.t_0) ** -np.abs(mean_nu + std_nu * z)
        grown = math.sqrt(math.log((time_s + self.t_0 + self.t_read) / (2 * self.t_read)))
        sigma = np.maximum(g * self.q(np.maximum(g_p / self.g_max, 1e-7)) * grown, 1e-12)
        a = g / sigma
        below = 0.5 * (1.0 + np.vectorize(math.erf)(a / math.sqrt(2)))
        density = np.exp(-a * a / 2) / math.sqrt(2 * math.pi)
        first = g * below + sigma * density
        second = (g * g + sigma * sigma) * below + g * sigma * density
        mean = float(weight @ first @ weight)
        return mean, math.sqrt(float(weight @ second @ weight) - mean * mean)


class PublishedHermes(Published):
    """The formulas of the 64-core chip, for one or two devices."""

    t_read = 512e-9

    def __init__(self, devices: int) -> None:
        self.g_max, self.t_0 = 10.35 * devices, {1: 200.0, 2: 300.0}[devices]
        self.one = devices == 1

    def sigma(self, r: float) -> float:
        if self.one:
            return 0.15781817 + 2.32443916 * r - 2.16310839 * r**2 + 0.68841818 * r**3
        return 0.16603222 + 4.71806468 * r - 8.48101252 * r**2 + 4.68961419 * r**3

    def nu(self, r: float) -> tuple[float, float]:
        logs = math.log(r)
        mean = np.clip(-0.0387 * logs - 0.0182, 0.072, 0.13) if r < 0.0945 else -0.0436 * r**2 - 0.0126 * r + 0.0736
        if self.one:
            low, high = np.clip(-0.0120 * logs - 0.0023, 0.0124, 0.04), -0.0165 * r**2 + 0.0116 * r + 0.0104
        else:
            low, high = np.clip(-0.0117 * logs - 0.0057, 0.0091, 0.04), -0.0118 * r**2 + 0.0093 * r + 0.0073
        return float(mean), float(low if r < (0.3039 if self.one else 0.3055) else high)

    def q(self, r: np.ndarray) -> np.ndarray:
        if self.one:
            low = np.clip(-0.0078 * np.log(r) + 0.0038, 0.0179, 0.04)
            return np.where(r < 0.1591, low, 0.0664 * r**3 - 0.1352 * r**2 + 0.0768 * r + 0.0088)
        low = np.clip(-0.0117 * np.log(r) - 0.0069, 0.015, 0.04)
        return np.where(r < 0.16, low, 0.0069 * r**3 - 0.0280 * r**2 + 0.0211 * r + 0.0123)


FORMULAS = {"pcm-generic": Published(), "pcm-hermes-1dev": PublishedHermes(1), "pcm-hermes-2dev": PublishedHermes(2)}


def reads(device: Device, target: float, time_s: float, seed: int = 0, count: int = DRAWS) -> np.ndarray:
    cells = programmed(np.full(count, target), device=device, seed=seed, core=0, time_s=time_s, causes=ALL)
    sigma = device.read_noise_uS(cells.g_uS, time_s, cells.origin_uS)
    return np.maximum(cells.g_uS + sigma * np.random.default_rng(seed).standard_normal(count), 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("time_s", TIMES)
@pytest.mark.parametrize("name", list(FORMULAS))
def test_reads_have_the_published_mean_and_spread(name: str, time_s: float) -> None:
    device, formulas = load_device(name), FORMULAS[name]
    for level in LEVELS:
        target = level / G_MAX * formulas.g_max
        mean, deviation = formulas.moments(target, time_s)
        drawn = reads(device, target, time_s, seed=int(10 * level + math.log10(time_s)), count=DRAWS // 4)
        assert abs(drawn.mean() - mean) < 5 * deviation / math.sqrt(len(drawn)), level
        assert drawn.std() == pytest.approx(deviation, rel=0.01), level


@pytest.mark.parametrize(
    ("name", "target", "time_s", "mean", "deviation"),
    # Computed elsewhere, from the source of aihwkit.
    [
        ("pcm-generic", 25, 1.0, 24.940, 1.3978), ("pcm-generic", 25, 3600.0, 19.395, 1.4089),
        ("pcm-generic", 25, 86400.0, 16.625, 1.5144), ("pcm-generic", 12.5, 86400.0, 8.3127, 1.0277),
        ("pcm-generic", 25, 31536000.0, 12.505, 1.6503), ("pcm-generic", 2.5, 86400.0, 1.5384, 0.5125),
        ("pcm-hermes-2dev", 20.7, 86400.0, 18.763, 1.6033),
    ],
)
def test_the_formulas_are_those_of_the_source(
    name: str, target: float, time_s: float, mean: float, deviation: float
) -> None:
    moments = FORMULAS[name].moments(target, time_s)
    assert moments == (pytest.approx(mean, rel=5e-4), pytest.approx(deviation, rel=2e-3))


@pytest.mark.parametrize("time_s", [0.0, *TIMES])
def test_a_device_says_the_moments_that_its_cells_have(pcm: Device, time_s: float) -> None:
    for target in (5.0, 25.0):
        g = programmed(np.full(DRAWS, target), device=pcm, seed=3, core=0, time_s=time_s, causes=ALL).g_uS
        sigma = float(pcm.sigma_uS(target, time_s))
        assert abs(g.mean() - target - pcm.mean_uS(target, time_s)) < 5 * sigma / math.sqrt(DRAWS)
        assert g.std() == pytest.approx(sigma, rel=0.01)


def test_nu_that_changes_from_read_to_read_adds_to_the_noise_of_reads(pcm: Device) -> None:
    tree = pcm.to_dict()
    tree["drift"]["nu_read"] = 0.02
    device, time_s = device_from_dict(tree), 86400.0
    grown, origin = math.log((time_s + T_0) / T_0), 10.0
    quiet, noisy = (float(law.read_noise_uS(8.0, time_s, origin)) for law in (pcm, device))
    assert noisy == pytest.approx(math.hypot(quiet, 8.0 * 0.02 * grown), rel=1e-5)
    assert float(device.read_noise_uS(8.0, 0.0, origin)) == float(pcm.read_noise_uS(8.0, 0.0, origin))


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


@pytest.mark.slow
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
