"""Random numbers of vector operations: bits as they are said, laws with their moments, sequences that are their own."""

import numpy as np
import pytest

from mho.macro_models.integer.draws import Law, draw_key, draws

KEY = draw_key(3, 5)


def words_of(key: int, image: int, number: int, elements: int) -> list[int]:
    return (draws(key, image, number, elements, Law.WORD) & 0xFFFF).tolist()


def test_bits_are_those_of_the_recurrence() -> None:
    bits = [word >> k & 1 for word in words_of(KEY, 7, 9, 100) for k in range(16)]
    assert all(bits[t] == bits[t - 127] ^ bits[t - 63] for t in range(128, len(bits)))
    assert words_of(KEY, 7, 9, 33) == words_of(KEY, 7, 9, 100)[:33]


def test_the_first_bits_are_mixed_as_is_said() -> None:
    words = [0, 0, 0, 0]
    for comes in [KEY & 0xFFFFFFFF, KEY >> 32, 7, 9, *[0] * 20]:
        turned = (words[3] << 8 | words[3] >> 24) & 0xFFFFFFFF
        new = (words[0] + (words[1] ^ turned ^ 0x9E3779B9 ^ comes)) % 2**32
        words = [words[1], words[2], words[3], (new << 7 | new >> 25) & 0xFFFFFFFF]
    assert words_of(KEY, 7, 9, 8) == [word >> 16 * half & 0xFFFF for word in words for half in (0, 1)]


def test_laws_are_of_the_same_bits() -> None:
    bits = words_of(KEY, 0, 1, 50)
    assert draws(KEY, 0, 1, 50, Law.BYTE).tolist() == [word & 255 for word in bits]
    nibbles = [sum(word >> 4 * k & 15 for k in range(4)) - 30 for word in bits]
    assert draws(KEY, 0, 1, 50, Law.NIBBLES).tolist() == nibbles


@pytest.mark.parametrize(("law", "mean", "variance", "fourth"), [
    (Law.BYTE, 127.5, (2**16 - 1) / 12, 1.8), (Law.NIBBLES, 0.0, 85.0, 2.7), (Law.WORD, -0.5, (2**32 - 1) / 12, 1.8),
])
def test_moments(law: Law, mean: float, variance: float, fourth: float) -> None:
    """Those of all elements within 5 standard errors; ``fourth`` is the fourth moment over the squared variance."""
    drawn = np.array([draws(draw_key(seed, 2), image, number, 60, law) for seed in range(4) for image in range(5)
                      for number in range(40)], dtype=np.float64)
    assert abs(drawn.mean() - mean) < 5 * np.sqrt(variance / drawn.size)
    assert abs(drawn.var() / variance - 1.0) < 5 * np.sqrt((fourth - 1.0) / drawn.size)


def test_what_numbers_a_draw_makes_another_one() -> None:
    """Of each neighbour half of the bits differ, and no bit more often than chance."""
    differ = np.zeros(1024)
    trials = 600
    for trial in range(trials):
        base = (draw_key(trial, 1), trial % 7, trial % 11)
        changed = [(base[0] ^ 1, *base[1:]), (base[0] ^ 1 << 40, *base[1:]), (base[0], base[1] + 1, base[2]),
                   (base[0], base[1], base[2] + 1)][trial % 4]
        first, second = (np.array(words_of(*which, 64), dtype="<u2").view(np.uint8) for which in (base, changed))
        differ += np.unpackbits(first ^ second, bitorder="little")
    assert abs(differ.mean() / trials - 0.5) < 5 * 0.5 / np.sqrt(trials * 128)
    assert np.abs(differ / trials - 0.5).max() < 5 * 0.5 / np.sqrt(trials)
    assert words_of(KEY, 0, 1 << 20, 8) == words_of(KEY, 0, 0, 8)
