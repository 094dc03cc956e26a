"""A law between, before and beyond its times; the order of its cells; what the cells of a chip have in common."""

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device, device_from_dict, load_device
from mho.macro_models.errors import InputError

ALL = frozenset(CAUSES)
Z = np.linspace(-4.5, 4.5, 37)
CELLS = 40_000


def device(sizes: list[Any], times: tuple[float, ...], **law: Any) -> Device:
    """One level of 20 uS; at each time the standard deviation, or quantiles at the nodes."""
    rows = [[list(size) if np.ndim(size) else list(Z * size)] for size in sizes]
    return device_from_dict({
        "schema": 1, "name": "mine",
        "law": {
            "model": "empirical", "levels_uS": [20.0], "times_s": list(times), "kept": [1.0] * len(times),
            "quantiles_uS": rows, **law,
        },
    })


def change(mine: Device, time_s: float, seed: int = 1, cells: int = CELLS) -> NDArray[np.float64]:
    target = np.full(cells, 20.0)
    return programmed(target, device=mine, seed=seed, core=0, time_s=time_s, causes=ALL).g_uS - target


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.corrcoef(a.argsort().argsort(), b.argsort().argsort())[0, 1])


def test_a_cell_keeps_its_rank_without_memory_and_loses_it_with() -> None:
    rows, times = [0.0, 1.0, 2.0, 4.0], (0.0, 1.0, 1e2, 1e4)
    remembering = device(rows, times)
    assert rank_correlation(change(remembering, 1.0), change(remembering, 1e4)) > 0.999
    memory = [[1.0, 0.0], [1.0, 0.0], [0.8, 0.6], [0.3, math.sqrt(0.91)]]
    moved = device(rows, times, memory=memory)
    at = {t: change(moved, t) for t in (1.0, 10.0, 1e2, 1e4, 1e6)}
    for before, after, shared in ((1.0, 1e2, 0.8), (1.0, 1e4, 0.3), (1e2, 1e4, 0.24 + 0.6 * math.sqrt(0.91))):
        # Of two normal variables with this correlation.
        assert rank_correlation(at[before], at[after]) == pytest.approx(6 / math.pi * math.asin(shared / 2), abs=0.02)
    assert 0.8 < rank_correlation(at[1.0], at[10.0]) < 1.0
    assert rank_correlation(at[1e4], at[1e6]) > 0.999
    # Each time has the same distribution as with one number.
    for t, size in zip(times[1:], rows[1:], strict=True):
        assert abs(at[t].mean()) < 5 * size / math.sqrt(CELLS)
        assert at[t].std() == pytest.approx(size, rel=0.02)
        assert (np.abs(at[t]) > 2 * size).mean() == pytest.approx(0.0455, abs=0.005)
    assert change(moved, 10.0).std() == pytest.approx(1.5, rel=0.02)


def test_the_first_number_is_that_of_a_device_without_memory() -> None:
    rows, times = [0.0, 1.0], (0.0, 1.0)
    plain, same = device(rows, times), device(rows, times, memory=[[1.0, 0.0], [1.0, 0.0]])
    assert np.array_equal(change(plain, 1.0), change(same, 1.0))


def test_quantiles_that_would_cross_are_held_apart_from_the_median() -> None:
    # Lower quantiles rise and the median falls: far beyond the data all of the lower side would be above it.
    first = np.where(Z < 0, 3.0 * Z, 1.0 * Z)
    last = np.where(Z < 0, 1.0 * Z, 1.0 * Z) - 0.5
    mine = device([0.0, first, last], (0.0, 1.0, 1e3))
    law = mine.law
    beyond = law.change(1e9, 1e-6)[0]
    assert (np.diff(beyond) >= 0.0).all()
    median = law.table[2, 0, 18] + 2 * (law.table[2, 0, 18] - law.table[1, 0, 18])
    assert beyond[18] == pytest.approx(median)
    assert change(mine, 1e9).mean() == pytest.approx(median, abs=0.6)  # half of the cells keep their quantiles
    # Inside of the data nothing is moved.
    assert np.array_equal(law.change(1e3, 1e-6), law.table[2])


def test_shipped_devices_do_not_cross_within_ten_years() -> None:
    mine = load_device("rram-relax")
    for t in (1.0, 3600.0, 86400.0, 3.2e7, 3.2e8):
        assert (np.diff(mine.law.change(t, 1e-6), axis=-1) >= 0.0).all()


def test_the_change_sets_in_on_its_own_scale() -> None:
    # G0 (1 + t / 20 s)^-nu is linear in the logarithm to first order: the scale of a pulse would be far off.
    times = (0.0, 3600.0, 86400.0)
    rows = [0.0, *(0.05 * math.log1p(t / 20.0) for t in times[1:])]
    mine, assumed = device(rows, times, onset_s=20.0), device(rows, times)
    for t in (1.0, 60.0, 3600.0, 2e4, 86400.0, 1e6):
        assert float(mine.relaxation_uS(20.0, t)) == pytest.approx(0.05 * math.log1p(t / 20.0), rel=2e-3)
    assert float(mine.relaxation_uS(20.0, 0.0)) == 0.0
    assert float(assumed.relaxation_uS(20.0, 1.0)) > 0.15  # 0.002 in truth


def test_rows_that_are_close_by_give_no_trend() -> None:
    times, onset = (0.0, 1.0, 1e3, 9e4, 1e5), 1e-3
    truth = [0.1 * math.log1p(t / onset) for t in times]
    noisy = [*truth[:3], truth[3] * 1.02, truth[4] * 0.98]
    mine = device(noisy, times, onset_s=onset)
    assert float(mine.relaxation_uS(20.0, 1e8)) == pytest.approx(0.1 * math.log1p(1e8 / onset), rel=0.06)


def test_what_a_chip_has_in_common_is_drawn_once_for_it() -> None:
    mine = device([0.5, 1.0], (0.0, 1.0), die=[0.0, 0.3])
    chips = np.array([change(mine, 1.0, seed=s, cells=400) for s in range(300)])
    # Programming 0.5 and a change of 1, of whose variance 0.3 is common: 300 chips give its deviation to 4 %.
    assert chips.mean(axis=1).std() == pytest.approx(math.sqrt(0.3), rel=0.15)
    assert chips.std() == pytest.approx(math.sqrt(1.25), rel=0.05)
    target = np.full(400, 20.0)
    cores = [
        programmed(target, device=mine, seed=5, core=c, time_s=1.0, causes=ALL).g_uS.mean() - 20.0 for c in range(8)
    ]
    assert np.std(cores) < 0.15 < abs(np.mean(cores))
    also = device([0.5, 1.0], (0.0, 1.0), die=[0.5, 0.0])
    chips = np.array([change(also, 0.0, seed=s, cells=400) for s in range(300)])
    assert chips.mean(axis=1).std() == pytest.approx(0.5 * math.sqrt(0.5), rel=0.15)


@pytest.mark.parametrize(
    ("law", "sentence"),
    [
        ({"memory": [[1.0]]}, "mine: law.memory must have 2 rows, one for each time, of as many weights, at most 32"),
        ({"memory": [[1.0], [0.5]]}, "mine: law.memory[1] must have squares that sum to 1, not 0.25"),
        ({"memory": [[1.0], [0.6, 0.8]]}, "mine: law.memory must have 2 rows"),
        ({"die": [0.1]}, "mine: law.die must have 2 entries as times_s, not 1"),
        ({"die": [0.1, 1.5]}, "mine: law.die[1] must be a number from 0 to 1, not 1.5"),
        ({"onset_s": -1.0}, "mine: law.onset_s must be a number from 0"),
    ],
)
def test_what_is_refused(law: dict[str, Any], sentence: str) -> None:
    good = device([0.0, 1.0], (0.0, 1.0)).to_dict()
    with pytest.raises(InputError) as error:
        device_from_dict({**good, "law": {**good["law"], **law}}, where="mine")
    assert str(error.value).startswith(sentence), str(error.value)


def test_kinds_of_read_noise_add_as_variances() -> None:
    noise = {
        "sigma_uS": [0.1], "telegraph_uS": [0.0, 0.4], "telegraph_fraction": 0.2, "flicker_uS": [0.05],
        "flicker_efolds": 16.0, "g_ref_uS": 80.0,
    }
    mine = device_from_dict({"schema": 1, "name": "mine", "read_noise": noise})
    sigma_uS = math.sqrt(0.1**2 + (0.4 * 0.5) ** 2 + 0.05**2 * 16.0)
    assert float(mine.read_noise_uS(40.0)) == pytest.approx(sigma_uS)
    assert device_from_dict(json.loads(json.dumps(mine.to_dict()))) == mine
    with pytest.raises(InputError, match=r"read_noise\.generator must be cells where"):
        device_from_dict({"schema": 1, "name": "mine", "read_noise": {**noise, "generator": "lfsr"}})
