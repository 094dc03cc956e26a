"""The chip that the preset ``neurram`` describes, beside the one that was measured."""

import pytest

from hw.chip.rating import rate
from hw.config import load_chip
from mho.report.published import PublishedRow, published_chips

NEURRAM = next(chip for chip in published_chips() if chip.name == "NeuRRAM")


@pytest.mark.parametrize("row", NEURRAM.rows, ids=lambda row: f"{row.inputs}-{row.outputs}")
def test_neurram_is_within_15_percent_of_its_published_figures(row: PublishedRow) -> None:
    chip = load_chip("neurram")
    rated = {name: rate(chip, name, op) for name, op in chip.rated_operations()}
    ours = rated[f"{row.inputs}-bit inputs, {row.outputs}-bit outputs"]
    assert ours.tops == pytest.approx(row.tops, rel=0.15)
    assert ours.tops_per_W == pytest.approx(row.tops_per_W, rel=0.15)


@pytest.mark.parametrize("row", NEURRAM.rows, ids=lambda row: f"{row.inputs}-{row.outputs}")
def test_parts_of_the_energy_are_where_they_were_measured(row: PublishedRow) -> None:
    """Word lines are not fitted: capacitances of the paper at 1.8 V. An operation is half a MAC."""
    chip = load_chip("neurram")
    rated = {name: rate(chip, name, op) for name, op in chip.rated_operations()}
    ours = rated[f"{row.inputs}-bit inputs, {row.outputs}-bit outputs"].energy_pJ
    operations = 2 * 128 * 256
    fj = {name: 1000 * value / operations for name, value in ours.items()}
    assert fj["word lines"] == pytest.approx(row.fJ["word_lines"], rel=0.2)
    assert fj["input pulses"] == pytest.approx(row.fJ["inputs"], rel=0.1)
    assert fj["reset"] + fj["samples"] + fj["steps"] == pytest.approx(row.fJ["neurons"], rel=0.2)


def test_word_lines_take_what_their_capacitance_does() -> None:
    capacitance_fF = 48.0 + 2.1 * 256
    assert load_chip("neurram").energy.word_line_pJ == pytest.approx(capacitance_fF * 1.8**2 / 1000, rel=1e-3)  # type: ignore[attr-defined]
