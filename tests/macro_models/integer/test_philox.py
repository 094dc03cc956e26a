"""Counter-based draws: published vectors, statistics of the table, independence of the order of calls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.macro_models.integer.random import NORMAL_ONE, Purpose, bits16, normal_codes, philox4x32

ONES = 0xFFFFFFFF
WORD = st.integers(0, ONES)
WORDS = st.lists(WORD, min_size=1, max_size=3)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES, ONES, ONES, ONES), (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_vectors_of_random123(
    counter: tuple[int, int, int, int], key: tuple[int, int], expected: tuple[int, ...]
) -> None:
    assert tuple(int(word) for word in philox4x32(counter, key)) == expected


def philox_in_plain_integers(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & ONES, (p0 >> 32) ^ c3 ^ k1, p0 & ONES
        k0, k1 = (k0 + 0x9E3779B9) & ONES, (k1 + 0xBB67AE85) & ONES
    return c0, c1, c2, c3


@given(WORDS, WORDS, WORD, WORD, st.tuples(WORD, WORD))
def test_philox_broadcasts_its_counter(c0: list[int], c1: list[int], c2: int, c3: int, key: tuple[int, int]) -> None:
    words = philox4x32((np.array(c0)[:, None], c1, c2, c3), key)
    assert all(word.shape == (len(c0), len(c1)) for word in words)
    for i, first in enumerate(c0):
        for j, second in enumerate(c1):
            assert tuple(int(w[i, j]) for w in words) == philox_in_plain_integers((first, second, c2, c3), key)


def test_sixteen_bit_draws_are_the_halves_of_the_words() -> None:
    op_id, seed, core = 0x0123456789ABCDEF, 77, 5
    expected = []
    for block in range(3):
        words = philox_in_plain_integers(
            (block, op_id & ONES, op_id >> 32, 9), (seed, core << 8 | int(Purpose.READ_NOISE))
        )
        expected += [half for word in words for half in (word & 0xFFFF, word >> 16)]
    draws = bits16(Purpose.READ_NOISE, seed=seed, core=core, items=20, op_id=op_id, step=9)
    assert draws.tolist() == expected[:20]


def test_table_of_normals_has_the_moments_of_a_normal() -> None:
    # 2**16 equally likely values: this reads the whole table.
    from mho.macro_models.integer.random import NORMAL_TABLE

    z = NORMAL_TABLE.astype(np.float64) / NORMAL_ONE
    assert z.sum() == 0.0
    assert np.var(z) == pytest.approx(1.0, rel=1e-4)
    assert np.mean(z**4) == pytest.approx(3.0, rel=2e-3)
    assert (np.diff(NORMAL_TABLE.astype(np.int64)) >= 0).all()
    assert 4.1 < z.max() < 5.0


def test_draws_are_normal_and_uncorrelated() -> None:
    z = normal_codes(Purpose.RELAXATION, seed=1, core=0, items=256, op_id=np.arange(2000)) / NORMAL_ONE
    n = z.size
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs(z.var() - 1.0) < 5 * np.sqrt(2 / n)
    assert abs((z[:, 1:] * z[:, :-1]).mean()) < 5 / np.sqrt(n)
    assert abs((z[1:] * z[:-1]).mean()) < 5 / np.sqrt(n)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5), st.integers(1, 40))
def test_a_draw_does_not_depend_on_what_is_drawn_with_it(op_ids: list[int], items: int) -> None:
    together = normal_codes(Purpose.READ_NOISE, seed=3, core=2, items=40, op_id=np.array(op_ids, dtype=np.uint64))
    for row, op_id in zip(together, op_ids, strict=True):
        alone = normal_codes(Purpose.READ_NOISE, seed=3, core=2, items=items, op_id=op_id)
        assert np.array_equal(row[:items], alone)


def test_seed_core_purpose_number_and_step_each_change_the_draws() -> None:
    base = {"seed": 1, "core": 1, "items": 64, "op_id": 1, "step": 0}
    reference = bits16(Purpose.READ_NOISE, **base)
    streams = [bits16(Purpose.OUTPUT_NOISE, **base)]
    for name, value in [("seed", 2), ("core", 2), ("op_id", 2), ("op_id", 1 << 32), ("step", 1)]:
        streams.append(bits16(Purpose.READ_NOISE, **{**base, name: value}))
    for stream in streams:
        assert (reference == stream).mean() < 0.1
