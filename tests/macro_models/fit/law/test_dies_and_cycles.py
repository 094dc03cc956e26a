"""Dies, repeated programming and switching cycles: what they have of the variance is separated, or refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import CAUSES, Device, device_from_dict, load_device
from mho.macro_models.devices.quantiles import node_z
from mho.macro_models.devices.resampled import cycled
from mho.macro_models.devices.sections.law import Law
from mho.macro_models.devices.sections.programming import Programming
from mho.macro_models.files import parse_toml
from mho.macro_models.fit import device_toml, fit_device
from mho.macro_models.fit.law.components import fit_trend, share_of_groups
from tests.macro_models.fit.reading import read_measurements


def test_share_of_groups_is_that_of_the_truth() -> None:
    r = np.random.default_rng(0)
    fits = [
        share_of_groups(math.sqrt(0.2) * np.repeat(r.normal(size=30), 40) + math.sqrt(0.8) * r.normal(size=1200),
                        np.repeat(np.arange(30), 40))
        for _ in range(60)
    ]
    shares, errors = np.array([f.share for f in fits]), np.array([f.error for f in fits])
    assert shares.mean() == pytest.approx(0.2, abs=0.03)
    assert errors.mean() == pytest.approx(shares.std(), rel=0.35)
    none = [share_of_groups(r.normal(size=1200), np.repeat(np.arange(30), 40)).share for _ in range(60)]
    assert np.count_nonzero(none) <= 3  # one in a hundred by chance


def test_trend_over_cycles_is_that_of_the_truth() -> None:
    r = np.random.default_rng(1)
    cycles = np.power(10.0, r.integers(0, 7, 6000)).astype(np.float64) - 1.0
    decade = np.log10(1.0 + cycles)
    wide = np.full(6000, 2.0)
    trend = fit_trend(0.15 * (decade - 3.0) + (1.0 + 0.1 * (decade - 3.0)) * r.normal(size=6000), wide, cycles)
    assert trend is not None
    assert trend.mean_uS == pytest.approx(0.3, abs=4 * trend.mean_error_uS)
    assert trend.spread == pytest.approx(0.1, abs=4 * trend.spread_error)
    assert trend.mean_error_uS < 0.03
    assert trend.spread_error < 0.02
    assert fit_trend(r.normal(size=6000), wide, np.full(6000, 10.0)) is None


def fitted(path: Path, header: str, lines: list[str]) -> Device:
    path.write_text("\n".join([header, *lines]) + "\n")
    return fit_device(read_measurements(path), name="mine")


@pytest.mark.slow
def test_dies_differ_in_the_model_as_in_the_data(tmp_path: Path) -> None:
    r, lines = np.random.default_rng(2), []
    for die in range(25):
        of_die = math.sqrt(0.3) * r.normal()
        target = np.linspace(5.0, 40.0, 6)[np.arange(120) % 6]
        z = of_die + math.sqrt(0.7) * r.normal(size=120)
        error = r.normal(size=120)
        for t, size in ((0.0, 0.0), (1.0, 0.7), (1e4, 1.5)):
            lines += [f"D{die},{c},{t},{g:.6g},{target[c]:g}" for c, g in enumerate(target + 0.3 * error + size * z)]
    device = fitted(tmp_path / "dies.csv", "die,cell,t_s,g_uS,g_target_uS", lines)
    assert device.law.die[0] == 0.0  # programming does not differ
    assert device.law.die[2] == pytest.approx(0.3, abs=0.12)
    assert device.fit.share_die[2] == device.law.die[2]
    target, causes = np.full(300, 20.0), frozenset(CAUSES)
    chips = np.array([
        programmed(target, device=device, seed=s, core=0, time_s=1e4, causes=causes).g_uS.mean() for s in range(200)
    ])
    assert chips.std() == pytest.approx(1.5 * math.sqrt(device.law.die[2]), rel=0.2)
    everything = np.concatenate([
        programmed(target, device=device, seed=s, core=0, time_s=1e4, causes=causes).g_uS for s in range(200)
    ])
    assert everything.std() == pytest.approx(math.hypot(0.3, 1.5), rel=0.1)


@pytest.mark.slow
def test_few_dies_are_named(tmp_path: Path) -> None:
    r, lines = np.random.default_rng(3), []
    for die in range(3):
        g = 20.0 + 0.8 * die + r.normal(size=300)
        lines += [f"{die},{c},0,20" for c in range(300)] + [f"{die},{c},100,{v:.6g}" for c, v in enumerate(g)]
    device = fitted(tmp_path / "dies.csv", "die,cell,t_s,g_uS", lines)
    assert any(w.startswith("3 dies: the share of the variance that a die has in common") for w in device.fit.warnings)


@pytest.mark.slow
def test_cells_are_told_from_cycles(tmp_path: Path) -> None:
    r, lines = np.random.default_rng(4), []
    of_cell = math.sqrt(0.6) * r.normal(size=300)
    for cycle in range(6):
        z = of_cell + math.sqrt(0.4) * r.normal(size=300)
        lines += [f"{c},{cycle},0,20,20" for c in range(300)]
        lines += [f"{c},{cycle},1000,{20 + v:.6g},20" for c, v in enumerate(z)]
    device = fitted(tmp_path / "again.csv", "cell,cycle,t_s,g_uS,g_target_uS", lines)
    assert device.fit.share_cell[-1] == pytest.approx(0.6, abs=0.08)
    assert device.fit.cells == 1800
    assert device.law.cell[-1] == pytest.approx(device.fit.share_cell[-1])
    assert device_from_dict(parse_toml(device_toml(device), "mine")).law == device.law


def test_a_chip_that_is_programmed_again_keeps_the_share_of_its_cells() -> None:
    """Errors and changes of two programmings of a chip correlate by the share; each has the law of the device."""
    levels = tuple(float(v) for v in node_z(37))
    rows = tuple((tuple(size * z for z in levels),) for size in (0.5, 2.0, 3.0))
    law = Law(
        model="empirical", levels_uS=(20.0,), times_s=(0.0, 1.0, 1e4), kept=(1.0, 1.0, 1.0), quantiles_uS=rows,
        cell=(0.25, 0.5, 0.8),
    )
    target = np.full(60_000, 20.0)

    def cells(cycle: int, time_s: float, law: Law = law, only: str = "relaxation") -> np.ndarray:
        device = Device(name="mine", law=law, programming=Programming(cycle=cycle))
        return programmed(target, device=device, seed=3, core=0, time_s=time_s, causes=frozenset({only})).g_uS

    for only, time_s, size, share in (
        ("programming", 0.0, 0.5, 0.25), ("relaxation", 1.0, 2.0, 0.5), ("relaxation", 1e4, 3.0, 0.8),
    ):
        by_cycle = [cells(cycle, time_s, only=only) for cycle in (0, 1, 7)]
        for g_uS in by_cycle:
            assert g_uS.mean() == pytest.approx(20.0, abs=5.0 * size / math.sqrt(len(target)))
            assert g_uS.std() == pytest.approx(size, rel=5.0 / math.sqrt(2.0 * len(target)))
        for a, b in ((0, 1), (1, 2), (0, 2)):
            assert np.corrcoef(by_cycle[a], by_cycle[b])[0, 1] == pytest.approx(share, abs=5.0 / math.sqrt(len(target)))
    plain = replace(law, cell=())
    assert np.array_equal(cells(0, 1e4, plain), cells(4, 1e4, plain))  # without shares a cell is what it is for life
    assert "cell" not in Device(name="mine", law=plain).to_dict()["law"]
    assert "cycle" not in Device(name="mine").to_dict()["programming"]


@pytest.mark.slow
def test_endurance_is_a_trend_with_an_error_bar(tmp_path: Path) -> None:
    r, lines = np.random.default_rng(5), []
    for decade in range(6):
        g = 20.0 - 0.2 * decade + (1.0 + 0.1 * decade) * r.normal(size=300)
        for t, values in ((0.0, np.full(300, 20.0)), (1000.0, g)):
            lines += [f"{c},{10**decade},{t},{v:.6g},20" for c, v in enumerate(values)]
    device = fitted(tmp_path / "worn.csv", "cell,cycles,t_s,g_uS,g_target_uS", lines)
    fit = device.fit
    assert fit.cycles_mean_uS[-1] == pytest.approx(-0.2, abs=4 * fit.cycles_mean_error_uS[-1])
    assert fit.cycles_spread[-1] == pytest.approx(0.08, abs=4 * fit.cycles_spread_error[-1])
    assert any(w.startswith("the law is that of cells switched 1 to 1e+05 times") for w in fit.warnings)
    assert fit.cycles_range == pytest.approx((1.0, 10**2.55, 1e5), rel=0.2)
    assert device_from_dict(parse_toml(device_toml(device), "mine")) == device
    for cycles, mean, std in ((1, 20.0, 1.0), (10**5, 19.0, 1.5)):
        worn, doubts = cycled(device, cycles)
        assert doubts == []
        target, causes = np.full(40_000, 20.0), frozenset(CAUSES)
        g_uS = programmed(target, device=worn, seed=1, core=0, time_s=1000.0, causes=causes).g_uS
        assert g_uS.mean() == pytest.approx(mean, abs=0.25)
        assert g_uS.std() == pytest.approx(std, rel=0.12)
    assert "are extrapolated along the logarithm" in cycled(device, 10**8)[1][0]


def test_cycles_of_a_device_that_knows_none_change_nothing_but_draws() -> None:
    plain = load_device("rram-relax")
    worn, doubts = cycled(plain, 10**9)
    assert doubts == ["rram-relax does not say what switching does: 1,000,000,000 cycles change nothing"]
    target, how = np.full(100, 20.0), {"seed": 1, "core": 0, "time_s": 100.0, "causes": frozenset(CAUSES)}
    assert np.array_equal(programmed(target, device=worn, **how).g_uS, programmed(target, device=plain, **how).g_uS)
    shares = replace(plain.law, cell=(0.5,) * len(plain.law.times_s))
    again = [
        programmed(target, device=cycled(replace(plain, law=shares), n)[0], **how).g_uS for n in (1, 10**9, 10**12)
    ]
    assert not np.array_equal(again[0], again[1])
    assert not np.array_equal(again[1], again[2])
