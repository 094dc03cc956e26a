"""Statistics of programmed cells, as statistics with fixed seeds."""

import math

import numpy as np
import pytest

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device, device_from_dict, load_device
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel

DRAWS = 400_000
LEVELS = (1.0, 2.5, 5.0, 10.0, 12.0, 20.0, 30.0, 40.0)
ALL = frozenset(CAUSES)
PUBLISHED = {
    1.0: (0.348, 16.030, -43.853, 45.393, -16.815),
    86400.0: (0.701, 22.086, -50.773, 47.095, -16.458),
    172800.0: (0.782, 20.274, -43.507, 37.062, -11.934),
}


@pytest.fixture(scope="module")
def neurram() -> Device:
    return load_device("rram-neurram")


def cells(device: Device, g: float, time_s: float, *, seed: int = 0, causes: frozenset[str] = ALL) -> np.ndarray:
    return programmed(np.full(DRAWS, g), device=device, seed=seed, core=0, time_s=time_s, causes=causes).g_uS


def clamped_moments(mean: float, sigma: float) -> tuple[float, float]:
    """Mean and standard deviation of max(0, N(mean, sigma))."""
    a = mean / sigma
    density, below = math.exp(-a * a / 2) / math.sqrt(2 * math.pi), (1 + math.erf(a / math.sqrt(2))) / 2
    first = mean * below + sigma * density
    second = (mean * mean + sigma * sigma) * below + mean * sigma * density
    return first, math.sqrt(second - first * first)


@pytest.mark.parametrize("time_s", PUBLISHED)
@pytest.mark.parametrize("g", LEVELS)
def test_cells_have_the_published_mean_and_spread(neurram: Device, g: float, time_s: float) -> None:
    sigma = sum(c * (g / 40.0) ** k for k, c in enumerate(PUBLISHED[time_s]))
    mean, deviation = clamped_moments(g, sigma)
    drawn = cells(neurram, g, time_s, seed=int(g * 10 + time_s))
    assert abs(drawn.mean() - mean) < 5 * deviation / math.sqrt(DRAWS)
    assert drawn.std() == pytest.approx(deviation, rel=0.01)


def test_cells_of_a_core_have_the_published_spread(neurram: Device) -> None:
    # Through the integer codes of whole cores, clipping at full scale included.
    config = TnsaConfig(lines=256)
    codes = [
        TnsaModel(config, np.full((256, 256), 12.0), device=neurram, seed=3, core=core, time_s=86400.0).cells
        for core in range(6)
    ]
    g = np.array(codes) * config.lsb_uS
    mean, deviation = clamped_moments(12.0, sum(c * 0.3**k for k, c in enumerate(PUBLISHED[86400.0])))
    assert abs(g.mean() - mean) < 5 * deviation / math.sqrt(g.size)
    assert g.std() == pytest.approx(deviation, rel=0.01)


@pytest.mark.parametrize("g", LEVELS)
def test_write_verify_accepts_within_one_microsiemens(neurram: Device, g: float) -> None:
    error = cells(neurram, g, 0.0) - g
    half = float(neurram.window_uS(g))
    assert np.abs(error).max() <= half <= 1.0
    assert error.std() == pytest.approx(half / math.sqrt(3.0), rel=0.01)
    assert abs(error.mean()) < 5 * half / math.sqrt(3.0 * DRAWS)


@pytest.mark.slow
def test_relaxation_of_a_cell_is_coherent_in_time(neurram: Device) -> None:
    relaxation = frozenset({"relaxation"})
    moved = {t: cells(neurram, 20.0, t, causes=relaxation) - 20.0 for t in (0.01, 1.0, 3600.0, 86400.0)}
    for t in (1.0, 3600.0, 86400.0):
        ratio = float(neurram.relaxation_uS(20.0, t) / neurram.relaxation_uS(20.0, 0.01))
        np.testing.assert_allclose(moved[t], moved[0.01] * ratio, atol=1e-9, rtol=1e-6)


@pytest.mark.slow
def test_programming_error_and_relaxation_are_independent(neurram: Device) -> None:
    error = cells(neurram, 20.0, 1.0, causes=frozenset({"programming"})) - 20.0
    moved = cells(neurram, 20.0, 1.0, causes=frozenset({"relaxation"})) - 20.0
    assert abs(np.corrcoef(error, moved)[0, 1]) < 5 / math.sqrt(DRAWS)
    both = cells(neurram, 20.0, 1.0) - 20.0
    np.testing.assert_allclose(both, error + moved, atol=1e-9, rtol=1e-6)


def test_another_seed_or_core_is_another_chip(neurram: Device) -> None:
    target = np.full((64, 64), 20.0)
    config = TnsaConfig(lines=64)
    first, same, seed, core = (
        TnsaModel(config, target, device=neurram, seed=s, core=c, time_s=1.0).cells
        for s, c in [(1, 0), (1, 0), (2, 0), (1, 1)]
    )
    assert np.array_equal(first, same)
    assert (first == seed).mean() < 0.05
    assert (first == core).mean() < 0.05


@pytest.mark.parametrize(
    ("causes", "time_s"),
    [(frozenset(), 86400.0), (ALL - {"programming", "relaxation"}, 86400.0), (ALL - {"programming"}, 0.0)],
)
def test_causes_are_switched_one_by_one(neurram: Device, causes: frozenset[str], time_s: float) -> None:
    assert (cells(neurram, 20.0, time_s, causes=causes) == 20.0).all()


def test_ideal_cells_are_their_targets() -> None:
    target = np.random.default_rng(0).uniform(0, 50, 1000)
    assert np.array_equal(
        programmed(target, device=load_device("ideal"), seed=1, core=1, time_s=1e6, causes=ALL).g_uS, target
    )


def test_dead_cells_stay_dead(neurram: Device) -> None:
    target = np.where(np.arange(DRAWS) % 2 == 0, np.nan, 20.0)
    g = programmed(target, device=neurram, seed=0, core=0, time_s=86400.0, causes=ALL).g_uS
    assert (g[::2] == 0.0).all()
    assert np.array_equal(g[1::2], cells(neurram, 20.0, 86400.0)[1::2])


def test_stuck_cells_have_their_fraction_and_values(neurram: Device) -> None:
    tree = neurram.to_dict()
    tree["stuck"] = {"fraction": 0.05, "values_uS": [0.0, 7.0, 40.0]}
    device = device_from_dict(tree)
    stuck_only = cells(device, 20.0, 86400.0, causes=frozenset({"stuck"}))
    stuck = stuck_only != 20.0
    assert abs(stuck.mean() - 0.05) < 5 * math.sqrt(0.05 * 0.95 / DRAWS)
    values, counts = np.unique(stuck_only[stuck], return_counts=True)
    assert values.tolist() == [0.0, 7.0, 40.0]
    assert np.abs(counts / stuck.sum() - 1 / 3).max() < 5 * math.sqrt(2 / 9 / stuck.sum())
    # Relaxation does not move them.
    assert np.array_equal(cells(device, 20.0, 86400.0)[stuck], stuck_only[stuck])
