"""Cells with traps: each read finds one of two conductances, of a cell's own size and share of the time."""

from dataclasses import replace

import numpy as np
import pytest

from mho.macro_models.cells.programming import CellDraws
from mho.macro_models.devices import Device, device_from_dict, load_device
from mho.macro_models.devices.sections.noise import Telegraph
from mho.macro_models.errors import InputError
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel

LINES, READS = 16, 4000
TRAPS = Telegraph(fraction=(0.3,), amplitude_uS=(0.5, 3.0), spread=0.5, occupancy=(0.05, 0.5, 0.95))
ONLY = frozenset({"read-noise"})


def device(traps: Telegraph = TRAPS) -> Device:
    return replace(load_device("ideal"), name="trapped", telegraph=traps)


def model(of: Device, seed: int = 3, g: float = 20.0, time_s: float = 0.0) -> TnsaModel:
    target = np.full((LINES, LINES), g)
    return TnsaModel(TnsaConfig(lines=LINES), target, device=of, seed=seed, core=1, causes=ONLY, time_s=time_s)


def test_a_cell_read_alone_has_two_values_and_keeps_them() -> None:
    core = model(device())
    assert core.traps is not None
    row, column = np.argwhere(core.traps.high > 0)[0]
    wl, x = np.zeros(LINES, dtype=bool), np.zeros(LINES, dtype=np.int64)
    wl[[row, (row + 1) % LINES]], x[row] = True, 15
    charge = core.charge(core.key(False, wl), np.broadcast_to(x, (READS, LINES)), np.arange(READS))[:, column]
    values, count = np.unique(charge, return_counts=True)
    # The second row may have a trap as well: two or four values, each read independent of the one before.
    assert len(values) in (2, 4)
    p = core.traps.occupancy[row, column] / 65536.0
    high = charge > charge.mean() if len(values) == 2 else charge >= values[2]
    assert high.mean() == pytest.approx(p, abs=5.0 * np.sqrt(p * (1.0 - p) / READS))
    again = high[1:] == high[:-1]
    assert again.mean() == pytest.approx(p * p + (1.0 - p) ** 2, abs=5.0 * 0.5 / np.sqrt(READS))
    assert count.sum() == READS


@pytest.mark.parametrize("g", [4.0, 20.0, 40.0])
def test_over_all_cells_the_variance_is_that_of_the_law(g: float) -> None:
    n = 400_000
    drawn = TRAPS.drawn(np.full(n, g), CellDraws(1, 0, (n,)))
    has, p = drawn.amplitude_uS > 0.0, drawn.occupancy / 65536.0
    assert has.mean() == pytest.approx(0.3, abs=5.0 * np.sqrt(0.21 / n))
    logs = np.log(drawn.amplitude_uS[has])
    variance = drawn.amplitude_uS**2 * p * (1.0 - p)
    if g > 4.0:  # below, the lower conductance would be less than 0
        assert logs.std() == pytest.approx(0.5, rel=0.01)
        assert variance.mean() == pytest.approx(float(TRAPS.variance_uS2(g)), abs=5.0 * variance.std() / np.sqrt(n))
    assert (g - drawn.amplitude_uS * p >= -1e-3).all()


def test_lines_scatter_as_cells_drawn_one_by_one() -> None:
    core, r = model(device()), np.random.default_rng(5)
    traps, wl = core.traps, np.ones(LINES, dtype=bool)
    assert traps is not None
    x = r.integers(-15, 16, LINES)
    charge = (core.charge(core.key(False, wl), np.broadcast_to(x, (READS, LINES)), np.arange(READS)) - 1) / 2
    up = r.random((READS, LINES, LINES)) < traps.occupancy / 65536.0
    g = core.cells + np.where(up, traps.high, traps.low) / 256.0
    expected = (x @ g) / g.sum(axis=1) * core.cells.sum(axis=0)
    has = (traps.high > 0).any(axis=0)
    assert np.abs(charge.mean(axis=0) - expected.mean(axis=0)).max() < 0.05 * expected.std(axis=0).max() + 1.0
    ratio = charge.std(axis=0)[has] / expected.std(axis=0)[has]
    assert np.abs(ratio - 1.0).max() < 5.0 / np.sqrt(READS) + 0.01


def test_traps_are_the_cells_own_whatever_the_time_and_the_batch() -> None:
    core, later, another_seed = model(device()), model(device(), time_s=1e5), model(device(), seed=4)
    assert core.traps is not None
    assert later.traps is not None
    assert another_seed.traps is not None
    assert np.array_equal(core.traps.high, later.traps.high)
    assert not np.array_equal(core.traps.high, another_seed.traps.high)
    key, x = core.key(True, np.ones(LINES, dtype=bool)), np.random.default_rng(1).integers(-15, 16, (9, LINES))
    ids = np.arange(100, 109, dtype=np.uint64)
    whole = core.charge(key, x, ids)
    assert np.array_equal(whole, np.concatenate([core.charge(key, x[[k]], ids[[k]]) for k in range(9)]))
    assert np.array_equal(core.conversion(key, x[3], 103, 100)[0], whole[3])
    assert np.array_equal(TnsaModel.from_state(core.state()).charge(key, x, ids), whole)


def test_without_traps_nothing_is_drawn() -> None:
    assert model(load_device("ideal")).traps is None
    assert "telegraph" not in load_device("rram-neurram").to_dict()
    tree = device().to_dict()
    assert device_from_dict(tree) == device()
    tree["telegraph"]["occupancy"] = [0.5, 0.2]
    with pytest.raises(InputError, match=r"telegraph\.occupancy must not decrease"):
        device_from_dict(tree)
    tree["telegraph"]["occupancy"], tree["read_noise"]["generator"] = [0.5], "lfsr"
    with pytest.raises(InputError, match=r"read_noise\.generator must be cells where"):
        device_from_dict(tree)


def test_flicker_grows_from_programming_on_where_it_is_told_to() -> None:
    tree = load_device("ideal").to_dict()
    tree["read_noise"] = {"flicker_uS": [0.1], "flicker_read_s": 1e-6}
    grown = device_from_dict(tree)
    sigma_uS = [float(grown.read_noise_uS(20.0, t)) for t in (0.0, 1.0, 86400.0)]
    assert sigma_uS == pytest.approx([0.1 * np.log1p(t / 2e-6) ** 0.5 for t in (0.0, 1.0, 86400.0)], rel=1e-5)
