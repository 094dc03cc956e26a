"""Energies and areas of arrays follow their descriptions, and are near those of NeuroSim."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from mho.hw.chip.rating import rate, rating_rows
from mho.hw.config import load_chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.kinds import energy
from mho.macro_models.integer.operation import Masks


@dataclass(frozen=True)
class NeuroSim:
    """What ``SubArray`` of DNN+NeuroSim V1.4 (commit ac828e6; its numbers, none of its code) gives for one array.

    128 columns of 1T1R cells, low-power transistors, SARADC, eight columns a converter, all rows in parallel, eight
    bits of inputs of which half are 1, half of the cells on. Areas in um2 are those used, energies in pJ of one bit.
    """

    node: float
    supply: float
    v_read: float
    rows: int
    bits: int
    on_ohm: float
    off_ohm: float
    area: float
    cells: float
    converters: float
    logic: float
    rows_pJ: float
    columns_pJ: float
    """Converters and the currents of cells, which it does not tell apart."""
    add_pJ: float
    total_pJ: float


CASES = [
    NeuroSim(22, 0.85, 0.55, 128, 8, 1e5, 1.7e6, 8381.0, 380.6, 2887.2, 574.9, 7.79, 37.39, 2.77, 48.20),
    NeuroSim(22, 0.85, 0.55, 64, 8, 1e5, 1.7e6, 6758.6, 190.3, 2887.2, 574.9, 3.90, 23.69, 2.77, 30.50),
    NeuroSim(22, 0.85, 0.55, 128, 8, 2.5e4, 1e6, 8397.4, 380.6, 2887.2, 574.9, 10.88, 116.48, 2.77, 130.99),
    NeuroSim(32, 0.90, 0.51, 128, 8, 1e5, 1.7e6, 17960.7, 805.3, 6108.4, 1216.3, 11.81, 49.15, 5.31, 66.65),
    NeuroSim(32, 0.90, 0.51, 128, 5, 1e5, 1.7e6, 15783.8, 805.3, 4204.7, 943.0, 11.81, 30.16, 4.01, 46.37),
    NeuroSim(32, 0.90, 0.51, 128, 8, 2.5e4, 1e6, 18009.0, 805.3, 6108.4, 1216.3, 17.53, 131.02, 5.31, 155.34),
    NeuroSim(65, 1.10, 0.55, 128, 8, 1e5, 1.7e6, 79387.8, 3322.7, 25203.0, 5018.6, 42.97, 110.25, 22.10, 176.70),
    NeuroSim(65, 1.10, 0.55, 128, 5, 1e5, 1.7e6, 70405.8, 3322.7, 17348.6, 3890.8, 42.97, 64.86, 16.68, 125.88),
    NeuroSim(65, 1.10, 0.55, 64, 8, 1e5, 1.7e6, 63078.2, 1661.3, 25203.0, 5018.6, 21.48, 87.29, 22.10, 131.59),
    NeuroSim(130, 1.30, 0.58, 128, 8, 1e5, 1.7e6, 329980.3, 13290.7, 100812.0, 20074.3, 143.21, 220.65, 84.57, 452.36),
    NeuroSim(130, 1.30, 0.58, 64, 8, 1e5, 1.7e6, 260598.6, 6645.4, 100812.0, 20074.3, 71.60, 186.83, 84.57, 345.03),
]


def described(case: NeuroSim) -> ArrayChip:
    """The same array, a converter for columns of one sign; cells conduct for 2/9 of the b + 1 ns of a conversion."""
    keys: dict[str, object] = {
        "core.rows": case.rows, "core.weights": "arrays", "adc.bits": case.bits, "cells.g_max_uS": 1e6 / case.on_ohm,
        "cells.g_min_uS": 1e6 / case.off_ohm, "process.node_nm": case.node, "process.vdd_V": case.supply,
        "read.v_read_V": case.v_read, "clock.f_clk_MHz": 3000, "adc.t_step_ns": 1,
        "read.t_sample_ns": round(2 * (case.bits + 1) / 9, 2), "energy.supply_V": case.supply,
    }
    return ArrayChip.of(load_chip("array-128", keys | ArrayChip.of(load_chip("array-128", keys)).costs))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.node:g}nm-{case.rows}-{case.bits}b-{case.on_ohm:g}")
def test_an_array_costs_what_it_does_in_neurosim(case: NeuroSim) -> None:
    chip = described(case)
    area = {name: 1e6 * value for name, value in chip.area.by_part_mm2.items()}
    assert sum(area.values()) == pytest.approx(case.area, rel=0.15)
    assert area["cells"] == pytest.approx(case.cells, rel=0.01)
    assert area["converters"] == pytest.approx(case.converters, rel=0.01)
    assert area["logic"] == pytest.approx(case.logic, rel=0.02)

    model, op = energy(chip), chip.operation(in_bits=1, in_signed=False)
    assert model is not None
    energies = {
        name: float(value[0]) for name, value in
        model.operation(op, Masks.reset(*chip.macro_config().cell_map.shape), np.zeros((1, 1))).items()
    }
    # Half of its cells are on, each behind a transistor of a quarter of that resistance.
    access = 0.25 * case.on_ohm
    mean_uS = 1e6 / (2.0 / (1.0 / case.on_ohm + 1.0 / case.off_ohm) + access)
    currents = (energies.pop("cells") + energies.pop("drivers")) * mean_uS / chip.mean_g_uS
    assert currents + energies["conversion"] == pytest.approx(case.columns_pJ, rel=0.4)
    assert energies["adders"] == pytest.approx(case.add_pJ, rel=0.05)
    # NeuroSim drives rows again for each of the columns of a converter, which matters where conversions are short.
    assert 8 * energies["rows"] == pytest.approx(case.rows_pJ, rel=0.25)
    total = currents + sum(energies.values())
    assert total + 7 * energies["rows"] == pytest.approx(case.total_pJ, rel=0.25)
    assert total == pytest.approx(case.total_pJ, rel=0.3 if case.bits == 8 else 0.35)


def test_a_preset_states_what_the_law_says() -> None:
    chip = ArrayChip.of(load_chip("array-128"))
    for name, value in chip.costs.items():
        section, key = name.split(".")
        if key != "conversion_pJ":  # measured
            assert getattr(getattr(chip, section), key) == pytest.approx(value, rel=0.005)


def test_the_chip_of_liu_takes_nearly_what_is_published() -> None:
    chip = load_chip("liu-2020")
    rating = rate(chip, *chip.rated_operations()[0])
    assert rating.energy_pJ.keys() == {"rows", "cells", "conversion"}
    assert rating.tops_per_W == pytest.approx(78.4, rel=0.25)
    assert chip.area.total_mm2 == pytest.approx(3.77, rel=0.3)
    assert ArrayChip.of(chip).energy.row_pJ == pytest.approx(ArrayChip.of(chip).costs["energy.row_pJ"], rel=0.005)


@pytest.mark.parametrize(("key", "values", "grows", "stays"), [
    ("core.rows", (32, 64, 128), {"area.cells_mm2", "area.drivers_mm2"}, {"energy.row_pJ", "area.logic_mm2"}),
    ("core.columns", (32, 64, 128), {"area.cells_mm2", "area.converters_mm2", "energy.row_pJ"}, {"energy.add_pJ"}),
    ("adc.bits", (4, 6, 8), {"energy.conversion_pJ", "energy.add_pJ", "area.converters_mm2"}, {"energy.row_pJ"}),
    ("adc.columns", (8, 4, 2), {"area.converters_mm2", "area.logic_mm2"}, {"energy.conversion_pJ", "area.cells_mm2"}),
    ("process.node_nm", (22, 65, 130), {"energy.row_pJ", "energy.conversion_pJ", "area.cells_mm2"}, set()),
    ("process.vdd_V", (0.9, 1.2, 1.8), {"energy.row_pJ", "energy.add_pJ", "energy.supply_V"}, {"area.drivers_mm2"}),
])
def test_costs_move_in_the_right_direction(
    key: str, values: tuple[float, ...], grows: set[str], stays: set[str]
) -> None:
    chips = [load_chip("array-128", {key: value}) for value in values]
    figures = [{f"{part}.{name}": getattr(getattr(chip, part), name) for part in ("energy", "area")
              for name in getattr(chip, part).known} for chip in chips]
    for less, more in pairwise(figures):
        assert all(less[name] < more[name] for name in grows), (less, more)
        assert all(less[name] == more[name] for name in stays), (less, more)


def test_words_that_changed_are_said_too() -> None:
    rows = dict(rating_rows(load_chip("array-128", {"core.weights": "offset"})))
    assert rows["area, extrapolated"] == "core.weights pairs to offset"
