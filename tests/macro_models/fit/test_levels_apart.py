"""Levels: decades apart each is met, and between them the law is met or said to be unknown."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device, load_device
from mho.macro_models.devices.quantiles import node_moments
from mho.macro_models.devices.resampled import resampled
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.fit import device_toml, fit_device
from mho.macro_models.fit.law.between import with_levels_between
from mho.macro_models.fit.law.doubts import Beside, about_tails
from mho.macro_models.fit.law.statistics import choose_levels, smoothed_summaries
from mho.macro_models.fit.rows import law_rows
from tests.macro_models.fit.reading import read_measurements

Reals = NDArray[np.float64]
TIMES = (0.0, 60.0, 86400.0)


def cells(r: np.random.Generator, target: Reals, width: Callable[[Reals], Reals]) -> dict[float, Reals]:
    left, z = 0.4 * width(target) * r.normal(size=len(target)), r.normal(size=len(target))
    return {
        t: np.maximum(target + left + math.log10(1.0 + t / 1e-3) * (width(target) / 8.0 * z - 0.005 * target), 0.0)
        for t in TIMES
    }


def fitted(path: Path, levels: tuple[float, ...], width: Callable[[Reals], Reals], per: int = 150) -> Device:
    r = np.random.default_rng(5)
    target = np.repeat(levels, per)
    true_g = cells(r, target, width)
    rows = [f"{k},{t:g},{g:.6g},{target[k]:g}" for t, values in true_g.items() for k, g in enumerate(values)]
    path.write_text("\n".join(["cell,t_s,g_uS,g_target_uS", *rows]) + "\n")
    return fit_device(read_measurements(path), name="mine")


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law_rows, "DRAWS", 8000)


@pytest.mark.slow
@pytest.mark.parametrize("power", [1.0, 0.5])
def test_levels_decades_apart_are_met_and_so_is_what_is_between(tmp_path: Path, power: float) -> None:
    def width(g: Reals) -> Reals:
        return 0.1 * g**power

    device = fitted(tmp_path / "lab.csv", (0.1, 1.0, 10.0, 100.0), width)
    assert len(device.law.levels_uS) > 4 == len(device.fit.levels_uS)
    (tmp_path / "mine.toml").write_text(device_toml(device))
    device = load_device(str(tmp_path / "mine.toml"))
    assert resampled(device, 3).law.levels_uS == device.law.levels_uS
    for g in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0):
        target = np.full(8000, g)
        true_g = cells(np.random.default_rng(1), target, width)
        for t in TIMES:
            drawn = programmed(target, device=device, seed=1, core=0, time_s=t, causes=frozenset(CAUSES)).g_uS
            std = float(true_g[t].std())
            assert abs(drawn.mean() - true_g[t].mean()) < 0.3 * std + 0.01 * g, (g, t)
            assert drawn.std() / std == pytest.approx(1.0, abs=0.2), (g, t)


def test_between_levels_of_other_tails_the_deviation_is_the_one_between_theirs() -> None:
    whole = law_of_tails(0.0, 0.3, 0.3)
    device = replace(load_device("ideal"), law=whole)
    law = with_levels_between(device).law
    assert len(law.levels_uS) > 3
    deviation = node_moments(law.table)[1] / np.array(law.levels_uS)
    assert deviation == pytest.approx(deviation[:, [0]].repeat(len(law.levels_uS), 1), rel=0.02)


def law_of_tails(*tails: float) -> Law:
    """Levels a factor of twelve apart with as wide a law for their size, more of it in the tails of some."""
    levels, rows = (1.0, 12.0, 144.0), (tails, tails)

    def law(wide: Reals) -> Law:
        widths = tuple(map(tuple, np.array([wide, wide]).tolist()))
        return Law(
            model="parametric", levels_uS=levels, times_s=(0.0, 60.0), kept=(1.0, 1.0), shift_uS=((0.0,) * 3,) * 2,
            low_uS=widths, high_uS=widths, low_tail=rows, high_tail=rows, low_ratio=((3.0,) * 3,) * 2,
            high_ratio=((3.0,) * 3,) * 2,
        )

    core = 0.05 * np.array(levels)
    return law(core * core / node_moments(law(core).table)[1][0])


def test_small_targets_are_not_moved_by_what_large_ones_scatter() -> None:
    r = np.random.default_rng(0)
    levels = np.array([0.1, 1.0, 10.0, 100.0])
    level = np.repeat(np.arange(4), 50)
    change = 0.05 * levels[level] * (r.normal(size=200) - 1.0)
    summaries = np.array([
        [change[level == k].mean(), change[level == k].std(), change[level == k].std(), 0.0] for k in range(4)
    ])
    smooth = smoothed_summaries(levels, summaries, change, level)
    error = 0.05 * levels / math.sqrt(50.0)
    assert np.all(np.abs(smooth[:, 0] + 0.05 * levels) < 3.0 * error)
    assert smooth[:, 1] / (0.05 * levels) == pytest.approx(1.0, abs=0.15)
    assert smooth[:, 0].sum() == pytest.approx(summaries[:, 0].sum())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("levels", "named"),
    [
        ((20.0,), "one level, 20 uS"), ((2.0, 40.0), "two levels: between 2 and 40 uS"),
        ((2.0, 11.0, 20.0, 30.0, 40.0), "it would be off there by"), ((2.0, 8.0, 30.0, 40.0), ""),
    ],
)
def test_what_is_between_levels_is_foreseen_or_named(
    tmp_path: Path, levels: tuple[float, ...], named: str
) -> None:
    def width(g: Reals) -> Reals:
        return 0.5 + 3.0 * np.exp(-(((g - 20.0) / 6.0) ** 2)) * (len(levels) != 4)

    warnings = [w for w in fitted(tmp_path / "lab.csv", levels, width, 80).fit.warnings if "level" in w]
    assert bool(warnings) is bool(named), warnings
    assert not named or named in warnings[0]


def test_a_level_of_few_cells_is_one_of_its_own() -> None:
    target = np.concatenate([np.full(300, 2.0), np.full(300, 40.0), np.full(5, 20.0)])
    assert choose_levels(target).tolist() == [2.0, 20.0, 40.0]


def test_tails_that_a_model_has_not_are_named() -> None:
    r = np.random.default_rng(0)
    level = np.zeros(4000, dtype=np.int64)

    def beside(change: np.ndarray, drawn: np.ndarray) -> Beside:
        return Beside(1.0, np.ones(1), change, level, drawn, level)

    normal, heavy = r.normal(size=4000), np.where(r.random(4000) < 0.03, -6.0, 1.0) * np.abs(r.normal(size=4000))
    assert about_tails(beside(normal, r.normal(size=4000))) == ""
    assert "the model has its lowest 1%" in about_tails(beside(heavy, np.abs(r.normal(size=4000))))
    assert "are where the model has its" in about_tails(beside(normal, r.standard_t(2, 4000)))
