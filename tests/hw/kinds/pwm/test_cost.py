"""Time and energy of a phase-change core beside the published figures."""

import numpy as np
import pytest

from mho.hw.chip.rating import rate
from mho.hw.config import load_chip
from mho.hw.kinds import energy, timing
from mho.macro_models.integer.operation import Masks


@pytest.mark.parametrize(
    ("phases", "cycles", "nJ", "tops", "per_W"), [(1, 133, 13.4, 63.1, 9.76), (4, 521, 52.8, 16.1, 2.48)]
)
def test_figures_are_the_published_ones(phases: int, cycles: int, nJ: float, tops: float, per_W: float) -> None:
    chip = load_chip("hermes", {"read.phases": phases})
    ((_, op),) = chip.rated_operations()
    took = timing(chip)
    assert took.worst_cycles(op) == cycles
    assert took.cycles(op, np.zeros((3, 1))).tolist() == [cycles] * 3
    rating = rate(chip, "", op)
    assert rating.time_us * 1e3 == cycles
    assert rating.total_pJ / 1e3 == pytest.approx(nJ, rel=0.01)
    assert rating.tops == pytest.approx(tops, rel=0.005)
    assert rating.tops_per_W == pytest.approx(per_W, rel=0.01)


def test_energy_goes_by_rows_columns_and_windows() -> None:
    chip = load_chip("pwm16-core", {"energy.row_pJ": 3, "energy.oscillators_pJ": 5, "energy.conversion_pJ": 7})
    model, op = energy(chip), chip.operation(in_bits=4, in_signed=True)
    assert model is not None
    on, off = np.repeat(np.arange(16) < 10, 4), np.zeros(64, dtype=bool)
    masks = Masks(on, np.arange(16) < 6, off, np.arange(16) == 2)
    energies = model.operation(op, masks, np.zeros((2, 1)))
    assert {name: value.tolist() for name, value in energies.items()} == {
        "rows": [3 * 4 * 10] * 2, "oscillators": [5 * 4 * 5] * 2, "conversion": [7 * 5] * 2,
    }
