"""Pulse trains: what lines do in the mean, in which part of a slot, and that draws are those of the other laws."""

import math

import numpy as np
import pytest

from mho.macro_models.errors import InputError
from mho.macro_models.integer.draws import Law, draw_key, drawn_bits, draws
from mho.macro_models.integer.update import LONGEST, ParallelUpdate, coincidences, managed, trains


@pytest.mark.parametrize("key", [draw_key(5, 3), 2**64 - 1, 0x8C0FFEE0_12345678])
def test_bits_are_those_of_the_elements(key: int) -> None:
    words = draws(key, 0, 0, 400, Law.WORD).astype("<i2").view(np.uint8)
    for count in (1, 128, 200, 6400):
        np.testing.assert_array_equal(drawn_bits(key, count), np.unpackbits(words, bitorder="little")[:count])


@pytest.mark.parametrize("steps", [12.0, 1.3, 0.06, 2e-5])
def test_products_come_in_the_mean(steps: float) -> None:
    x, d, repeats = np.array([1.0, -0.4, 0.0, 0.7]), np.array([0.5, -0.2, 0.05]), 4000
    update, codes = managed(x, d, steps / 0.5)
    assert update is not None
    assert update.slots == math.ceil(steps)
    moves, pulses = np.zeros((repeats, 4, 3)), np.zeros((repeats, 7))
    for number in range(repeats):
        slots = trains(update, number * 0x9E3779B97F4A7C15 % 2**64, codes)
        pulses[number] = slots.mean(axis=0)
        for slot in slots:
            for rows, columns, sign in coincidences(slot, codes < 0, 4):
                moves[number] += sign * np.outer(rows, columns)
    magnitude = np.abs(codes)
    odds = (magnitude + (magnitude >= 64)) / 128 / 2.0**update.halvings
    error = np.sqrt(odds * (1 - odds) / repeats / update.slots)
    assert (np.abs(pulses.mean(axis=0) - odds) <= 5 * error).all()
    # A code is to half of a 128th of the range, and lines are drawn for each alone.
    rounding = steps / 0.5 * np.outer(np.abs(x), np.abs(d)) * 0.09 + steps / 128
    error = np.maximum(moves.std(axis=0), math.sqrt(steps)) / math.sqrt(repeats)
    assert (np.abs(moves.mean(axis=0) - steps / 0.5 * np.outer(x, d)) <= 5 * error + rounding).all()


def test_the_largest_product_pulses_in_every_slot_and_no_train_is_longer_than_the_longest() -> None:
    update, codes = managed(np.array([0.3, 0.0]), np.array([-2.0]), 1e6)
    assert update is not None
    assert (update.slots, update.halvings) == (LONGEST, 0)
    assert codes.tolist() == [127, 0, -127]
    np.testing.assert_array_equal(trains(update, 3, codes), [[True, False, True]] * LONGEST)
    assert managed(np.zeros(2), np.ones(1), 1.0)[0] is None


def test_a_slot_has_four_parts() -> None:
    codes = np.array([5, -5, 5, 7, -7])
    parts = list(coincidences(np.array([True, True, False, True, True]), codes < 0, 3))
    assert [sign for *_, sign in parts] == [1, 1, -1, -1]
    moved = sum(sign * np.outer(rows, columns) for rows, columns, sign in parts)
    np.testing.assert_array_equal(moved, [[1, -1], [-1, 1], [0, 0]])


@pytest.mark.parametrize(("slots", "halvings"), [(0, 0), (256, 0), (3, 8)])
def test_what_there_is_not_is_refused(slots: int, halvings: int) -> None:
    with pytest.raises(InputError, match=r"(slots|halvings) must be between"):
        ParallelUpdate(slots=slots, halvings=halvings)
