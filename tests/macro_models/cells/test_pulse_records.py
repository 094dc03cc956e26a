"""Integers of cells that are programmed by pulses: their grid, their records, the words of their law."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import Device, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.pulse import Polarity

SCALES = PulseConfig(lines=64)
NEURRAM = load_device("rram-neurram")
ALL = np.arange(SCALES.lines**2)


def pulsed(**values: Any) -> Device:
    return replace(NEURRAM, pulse=replace(NEURRAM.pulse, **values))


def array(device: Device = NEURRAM, **values: Any) -> PulseArray:
    return PulseArray(SCALES, device=device, **({"seed": 5} | values))


def give(cells: PulseArray, chosen: np.ndarray, polarity: Polarity, amplitude: int) -> None:
    ones = np.ones(len(chosen), dtype=np.int64)
    cells.pulse(chosen, ones * int(polarity), ones * amplitude, ones * 100)


def test_conductances_are_on_the_grid_and_read_only() -> None:
    cells = array()
    with pytest.raises(ValueError, match="read-only"):
        cells.g_uS[0] = 1.0
    cells.g_uS = np.linspace(0.0, 900.0, ALL.size)
    assert (cells.g[0], cells.g[-1]) == (0, 2**24 - 1)  # 16 times the full scale
    inside = cells.g < cells.g.max()
    assert abs(cells.g_uS - np.linspace(0.0, 900.0, ALL.size))[inside].max() <= 25.0 / 2**20
    np.testing.assert_array_equal(cells.left, cells.g)


def test_records_are_all_of_a_cell() -> None:
    """An array that is given nothing but the records of another is where it is, and goes on as it does."""
    device = replace(
        pulsed(weak_fraction=0.1, weak_factor=0.1), stuck=replace(NEURRAM.stuck, fraction=0.1, values_uS=(30.0,))
    )
    mine, copy = array(device, fresh=True), array(device, fresh=True)
    give(mine, ALL, Polarity.FORM, round(NEURRAM.pulse.form_threshold_V / SCALES.v_step_V))
    give(mine, ALL[::2], Polarity.SET, 90)
    mine.verify(ALL[::3])
    mine.relax()
    copy.relax()
    words = mine.records()
    assert words.dtype == np.uint32
    assert words.shape == (ALL.size, 8)
    state, flags = words[:, 0] & 0xFFFFFF, words[:, 0] >> 24
    np.testing.assert_array_equal(state, mine.g)
    np.testing.assert_array_equal(flags, mine.formed + 2 * mine.stuck + 4 * mine.weak)
    assert 0.1 < mine.formed.mean() < 0.9
    np.testing.assert_array_equal(words[:, 1], 1 + (ALL % 2 == 0))
    np.testing.assert_array_equal(words[:, 2], ALL % 3 == 0)
    np.testing.assert_array_equal(words[:, 3:6].T.astype(np.int32), mine.threshold)
    np.testing.assert_array_equal(words[:, 6:], np.stack([mine.high, mine.formed_g], axis=1))
    copy.set_records(words)
    np.testing.assert_array_equal(copy.records(), words)
    # The records say nothing of a wait: pulses that they count were given after it.
    assert (copy.waits == 0).all()
    np.testing.assert_array_equal(copy.left, mine.g)
    give(mine, ALL, Polarity.RESET, 100)
    give(copy, ALL, Polarity.RESET, 100)
    np.testing.assert_array_equal(copy.records(), mine.records())
    np.testing.assert_array_equal(copy.relaxed_uS(1.0), mine.relaxed_uS(1.0))


def test_cells_without_a_pulse_keep_their_wait() -> None:
    mine, copy = array(), array()
    for cells in (mine, copy):
        give(cells, ALL, Polarity.SET, 80)
        cells.relax()
    give(mine, ALL[:100], Polarity.SET, 80)
    mine.verify(ALL)
    copy.set_records(mine.records())
    for name in ("g", "left", "waits", "formed", "pulse_count", "verify_count"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(mine, name))


def test_words_of_the_law() -> None:
    device = pulsed(weak_fraction=0.1, weak_factor=0.25)
    words = np.array(array(device, seed=2**33 + 7, core=3).law_words((100, 200, 300)), dtype=np.uint32)
    law, unit = device.pulse, 64 * 4096
    rates, seconds = (law.set_rate, law.reset_rate, law.reset_rate), (1e-6, 2e-6, 3e-6)
    logs = [np.log(rate * s / device.programming.pulse_s) for rate, s in zip(rates, seconds, strict=True)]
    slopes = [0.02 / slope for slope in (law.set_slope_V, law.reset_slope_V, law.reset_slope_V)]
    expected = np.array([*logs, *slopes, law.cycle_spread, np.log(0.25)]) * unit
    np.testing.assert_allclose(words[:8].astype(np.int32), expected, atol=0.5, rtol=1e-12)
    assert words[8] == round(law.g_low_uS / 50.0 * 2**20)
    assert words[9] == round(law.verify_sigma_uS / 50.0 * 1023 * 65536)
    assert words[10:].tolist() == [7, 3 << 8 | 9]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"g_high_uS": 801.0}, "g_high_uS must be at most 16 times the full scale of verify reads, 800 uS, not 801"),
        ({"verify_sigma_uS": 13.0}, "verify_sigma_uS must be at most 255 steps of the verify code, 12.4633 uS, not 13"),
    ],
)
def test_a_response_beyond_the_integers_is_refused(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        array(pulsed(**values))
    assert str(caught.value) == f"rram-neurram: pulse.{sentence}"
