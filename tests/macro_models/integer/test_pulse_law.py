"""The law of pulses in integers beside its formula in floating point."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models.integer.pulse import (
    CONDUCTANCE_MAX,
    MOVED,
    MOVED_BITS,
    RATE_BITS,
    RATE_MAX,
    SCALE_BITS,
    TABLE_HIGH,
    TABLE_LOW,
    TABLE_STEPS,
    THRESHOLD_BITS,
    THRESHOLD_MAX,
    Polarity,
    PulseLaw,
)
from mho.macro_models.integer.random import NORMAL_ONE, NORMAL_TABLE

ONE = TABLE_STEPS << RATE_BITS
CELLS = 500

rates = st.integers(-RATE_MAX, RATE_MAX)
positive = st.integers(0, RATE_MAX)
laws = st.builds(
    PulseLaw, log_rate=st.tuples(rates, rates, rates), slope=st.tuples(positive, positive, positive), spread=positive,
    log_weak=st.integers(-RATE_MAX, 0), low=st.integers(0, CONDUCTANCE_MAX), verify_sigma=positive,
    verify_bits=st.integers(1, 16),
)
seeds = st.integers(0, 2**32 - 1)


def draws(seed: int) -> tuple[np.random.Generator, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng, rng.choice(NORMAL_TABLE, CELLS).astype(np.int64)


@settings(max_examples=60, deadline=None)
@given(laws, seeds)
def test_a_pulse_moves_as_the_formula_says(law: PulseLaw, seed: int) -> None:
    rng, z = draws(seed)
    polarity = rng.integers(0, 2, CELLS)
    threshold = rng.integers(-THRESHOLD_MAX >> 3, THRESHOLD_MAX >> 2, CELLS)
    g, high = rng.integers(0, CONDUCTANCE_MAX + 1, (2, CELLS))
    amplitude, weak = rng.integers(0, 256, CELLS), rng.random(CELLS) < 0.3
    over = law.over(amplitude, threshold)
    np.testing.assert_array_equal(over / 2.0**THRESHOLD_BITS, amplitude - threshold / 2.0**THRESHOLD_BITS)
    step = law.step(polarity, over, z, weak)
    rate, slope = (np.array(values)[polarity] / ONE for values in (law.log_rate, law.slope))
    log = rate + slope * over / 2.0**THRESHOLD_BITS + law.spread / ONE * z / NORMAL_ONE + weak * law.log_weak / ONE
    # Half a step of the table, and what the two shifts leave.
    low, high_end = TABLE_LOW / TABLE_STEPS, TABLE_HIGH / TABLE_STEPS
    assert abs((step + TABLE_LOW) / TABLE_STEPS - np.clip(log, low, high_end)).max() <= 0.5 / TABLE_STEPS + 2.1 / ONE
    end = np.where(polarity == Polarity.SET, np.maximum(high, g), np.minimum(law.low, g))
    exact = g + (end - g) * -np.expm1(-np.exp((step + TABLE_LOW) / TABLE_STEPS))
    moved = law.move(polarity, g, high, step)
    # Half a step of the conductance, and half of one of the table's entries at its upper end.
    assert (abs(moved - exact) <= 0.5 + abs(end - g) / 2.0**MOVED_BITS).all()
    assert ((moved >= np.minimum(g, end)) & (moved <= np.maximum(g, end))).all()


@settings(max_examples=60, deadline=None)
@given(laws, seeds)
def test_a_read_is_rounded_once(law: PulseLaw, seed: int) -> None:
    rng, z = draws(seed)
    g, top = rng.integers(0, CONDUCTANCE_MAX + 1, CELLS), 2**law.verify_bits - 1
    g[::2] >>= 4
    exact = g / 2.0**SCALE_BITS * top + law.verify_sigma / 2.0**16 * z / NORMAL_ONE
    codes = law.read(g, z)
    assert abs(codes - np.clip(exact, 0, top)).max() <= 0.5 + 2.0**-SCALE_BITS


def test_the_table_is_that_of_the_formula() -> None:
    log = np.arange(TABLE_LOW, TABLE_HIGH + 1) / TABLE_STEPS
    part, exact = MOVED / 2.0**MOVED_BITS, np.array([-math.expm1(-math.exp(x)) for x in log])
    assert (np.diff(MOVED) >= 0).all()
    assert (MOVED > 0).all()
    assert abs(part - exact).max() <= 2.0**-MOVED_BITS
    # Between two entries, the part of the way is right to 0.8 %; for all that moves a cell by 0.001 uS of 50 uS.
    resolved = exact > 2e-5
    between = np.array([-math.expm1(-math.exp(x)) for x in log + 0.5 / TABLE_STEPS])
    assert abs(part / exact - 1.0)[resolved].max() < 0.002
    assert abs(part / between - 1.0)[resolved].max() < 0.01
