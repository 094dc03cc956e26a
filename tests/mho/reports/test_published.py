"""The chip that the preset ``neurram`` describes, beside the one that was measured."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import nnls

from mho.hw.chip.rating import Rating, rate
from mho.hw.config import load_chip
from mho.reports.page import PublishedRow, published_chips

NEURRAM = next(chip for chip in published_chips() if chip.name == "NeuRRAM")


HERMES = [chip for chip in published_chips() if chip.name.startswith("HERMES")]
OPERATIONS = 2 * 128 * 256


def rated(row: PublishedRow, changes: dict[str, float] | None = None) -> Rating:
    """Our figures at the precision of a row."""
    chip = load_chip("neurram", changes or {})
    name = f"{row.inputs}-bit inputs, {row.outputs}-bit outputs"
    return rate(chip, name, dict(chip.rated_operations())[name])


def counted(row: PublishedRow) -> tuple[int, int, int, int]:
    """Planes, conversions, samples and decrements of a product."""
    chip = load_chip("neurram")
    op = dict(chip.rated_operations())[f"{row.inputs}-bit inputs, {row.outputs}-bit outputs"]
    samples = sum(2**planes - 1 for planes in op.segment_planes)
    return sum(op.segment_planes), op.segments, samples, op.segments * op.max_steps


def fitted(rows: Sequence[PublishedRow]) -> dict[str, float]:
    """The numbers of the preset that are fitted, each relative error counting alike, from these rows alone.

    Not fitted: word lines and steps, which are capacitances, and the duration of a decrement with its comparison.
    """
    planes, conversions, samples, steps = np.array([counted(row) for row in rows], dtype=float).T
    preset = load_chip("neurram").to_dict()
    energy, timing = preset["energy"], preset["timing"]
    inputs = np.array([row.fJ["inputs"] for row in rows]) * OPERATIONS / 1000 / 256
    pulse = nnls((planes / inputs)[:, None], np.ones(len(rows)))[0][0]
    total = np.array([OPERATIONS / row.tops_per_W for row in rows]) / 256
    rest = total - (energy["word_line_pJ"] + pulse) * planes - energy["step_pJ"] * steps
    reset, sample = nnls(np.stack([conversions, samples], axis=1) / total[:, None], rest / total)[0]
    took = np.array([48 * OPERATIONS / row.tops / 1000 for row in rows])
    rest = took - timing["t_plane_ns"] * planes - 20 * conversions - 40 * steps
    durations = nnls(np.stack([conversions, samples], axis=1) / took[:, None], rest / took)[0]
    constants = {
        "energy.input_pulse_pJ": pulse, "energy.reset_pJ": reset, "energy.sample_pJ": sample,
        "timing.t_reset_ns": durations[0], "timing.t_sample_ns": durations[1],
    }
    return {name: float(value) for name, value in constants.items()}


@pytest.mark.parametrize("row", NEURRAM.rows, ids=lambda row: f"{row.inputs}-{row.outputs}")
def test_neurram_is_within_12_percent_of_what_was_left_out_of_the_fit(row: PublishedRow) -> None:
    ours = rated(row, fitted([published for published in NEURRAM.rows if published is not row]))
    assert ours.tops == pytest.approx(row.tops, rel=0.12)
    assert ours.tops_per_W == pytest.approx(row.tops_per_W, rel=0.12)
    assert 1 / ours.tops_per_W == pytest.approx(1 / row.tops_per_W, rel=0.12)  # type: ignore[operator]


def test_energies_of_the_preset_are_those_of_the_fit() -> None:
    energy, of_all = load_chip("neurram").to_dict()["energy"], fitted(NEURRAM.rows)
    for name in ("input_pulse_pJ", "reset_pJ", "sample_pJ"):
        assert energy[name] == pytest.approx(of_all[f"energy.{name}"], rel=0.01)


@pytest.mark.parametrize("row", NEURRAM.rows, ids=lambda row: f"{row.inputs}-{row.outputs}")
def test_neurram_is_within_9_percent_of_its_published_figures(row: PublishedRow) -> None:
    assert rated(row).tops == pytest.approx(row.tops, rel=0.09)
    assert rated(row).tops_per_W == pytest.approx(row.tops_per_W, rel=0.09)


@pytest.mark.parametrize("row", NEURRAM.rows, ids=lambda row: f"{row.inputs}-{row.outputs}")
def test_parts_of_the_energy_are_where_they_were_measured(row: PublishedRow) -> None:
    """Word lines are not fitted: capacitances of the paper at 1.8 V. An operation is half a MAC."""
    fj = {name: 1000 * value / OPERATIONS for name, value in rated(row).energy_pJ.items()}
    assert fj["word lines"] == pytest.approx(row.fJ["word_lines"], rel=0.2)
    assert fj["input pulses"] == pytest.approx(row.fJ["inputs"], rel=0.11)
    assert fj["reset"] + fj["samples"] + fj["steps"] == pytest.approx(row.fJ["neurons"], rel=0.26)


@pytest.mark.parametrize("left_out", range(len(HERMES)))
def test_hermes_is_within_8_percent_of_what_was_left_out(left_out: int) -> None:
    """One number, by which all energies of the preset are multiplied, fitted to the two other measurements."""
    phases = [1, 1, 4]
    computed = []
    for count in phases:
        chip = load_chip("hermes", {"read.phases": count})
        computed.append(rate(chip, "", chip.rated_operations()[0][1]).total_pJ)
    expected = np.array([2 * 256 * 256 / chip.rows[0].tops_per_W for chip in HERMES])
    ratio, fitted_rows = np.array(computed) / expected, np.arange(len(HERMES)) != left_out
    factor = ratio[fitted_rows].sum() / (ratio[fitted_rows] ** 2).sum()
    assert factor * computed[left_out] == pytest.approx(expected[left_out], rel=0.08)


def test_word_lines_and_steps_take_what_their_capacitances_do() -> None:
    chip = load_chip("neurram").to_dict()
    assert chip["energy"]["word_line_pJ"] == pytest.approx((48.0 + 2.1 * 256) * 1.8**2 / 1000, rel=1e-3)
    assert chip["energy"]["step_pJ"] == pytest.approx(chip["neuron"]["c_sample_fF"] * 1.8**2 / 1000, rel=0.01)
