"""The noise of a shift register: step by step, its statistics, and what a core makes of it."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from mho.macro_models import load_device
from mho.macro_models.devices import device_from_dict
from mho.macro_models.errors import InputError
from mho.macro_models.integer.shift_register import DEVIATE_ONE, DEVIATE_TOP, ShiftRegister, deviates, seeds, xorshift
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.sensing import INPUT_TOP

DRAWS = 40_000


def test_deviates_are_those_of_the_register_step_by_step() -> None:
    state = seeds(0x1234, np.array([0, 1, 2**40 + 3]))
    drawn = deviates(state, 20)
    for row, start in zip(drawn, state.tolist(), strict=True):
        register = int(start)
        assert np.abs(row).max() <= DEVIATE_TOP
        for value in row.tolist():
            counted = (register >> 8).bit_count() - 12
            assert value == 512 * counted + 2 * (register & 255) - 255
            register ^= register << 13 & 0xFFFFFFFF
            register ^= register >> 17
            register ^= register << 5 & 0xFFFFFFFF
    np.testing.assert_array_equal(deviates(seeds(0x1234, 1), 20), drawn[1])


def test_the_register_does_not_stop_and_is_never_empty() -> None:
    assert seeds(0, np.arange(10**5)).all()
    assert len(np.unique(seeds(7, np.arange(10**5)))) > 10**5 - 10
    # The step has full rank: no state but 0 leads to 0.
    columns = [xorshift(1 << bit) for bit in range(32)]
    for bit in range(32):
        pivot = next((c for c in columns if c >> bit & 1), None)
        assert pivot is not None
        columns.remove(pivot)
        columns = [c ^ pivot if c >> bit & 1 else c for c in columns]


def test_deviates_are_normal_and_independent() -> None:
    z = ShiftRegister(0xC0FFEE, 1, 8).draws(np.arange(DRAWS), 24) / DEVIATE_ONE
    assert np.abs(z.mean(axis=0)).max() < 5 / math.sqrt(DRAWS)
    assert np.abs(z.std(axis=0) - 1.0).max() < 5 / math.sqrt(2 * DRAWS)
    assert abs((z**4).mean() - 3.0 + 0.08) < 0.02
    assert np.abs((z**3).mean(axis=0)).max() < 5 * math.sqrt(15 / DRAWS)
    at = np.linspace(-4, 4, 81)
    below = np.searchsorted(np.sort(z.ravel()), at) / z.size
    assert np.abs(below - norm.cdf(at)).max() < 0.005
    between_lines = z.T @ z / DRAWS - np.eye(24)
    assert np.abs(np.triu(between_lines, 1)).max() < 5 / math.sqrt(DRAWS)
    for step in (1, 2, 64):
        assert np.abs((z[step:] * z[:-step]).mean(axis=0)).max() < 5 / math.sqrt(DRAWS)
    images = ShiftRegister(0xC0FFEE, 1, 8).draws(np.arange(DRAWS) << 32, 24) / DEVIATE_ONE
    assert np.abs((images[1:] * images[:-1]).mean(axis=0)).max() < 5 / math.sqrt(DRAWS)


@pytest.mark.parametrize("backward", [False, True])
def test_noise_of_a_core_is_that_of_its_cells_in_current_mode(backward: bool) -> None:
    config, lines = TnsaConfig(lines=16), 16
    rng = np.random.default_rng(2)
    model = TnsaModel(
        config, rng.uniform(1, 40, (lines, lines)), device=load_device("lfsr"), seed=3, core=1,
        causes=frozenset({"read-noise"}),
    )
    wl, x = rng.random(lines) < 0.7, rng.integers(-15, 16, lines)
    key = model.key(backward, wl)
    noise = model.charge(key, np.broadcast_to(x, (DRAWS, lines)), np.arange(DRAWS)) / 2
    counted = x if backward else x * wl
    expected = 0.4 / config.lsb_uS * math.sqrt(counted @ counted)
    np.testing.assert_allclose(noise.std(axis=0), expected, rtol=5 / math.sqrt(2 * DRAWS) + 0.005)
    still = np.zeros((1, lines), dtype=np.int64)
    assert np.abs(model.charge(key, still, 5) - key.offset).max() == 0


def test_no_noise_exceeds_its_bound_and_chips_differ() -> None:
    largest = ShiftRegister.of(0.07 * 2**8, g_bits=8, seed=1, core=0)
    square = 256 * INPUT_TOP**2
    extreme = largest.noise(np.array(square), np.array([-DEVIATE_TOP, DEVIATE_TOP]))
    assert 0.99 < np.abs(extreme).max() / largest.bound(square) <= 1.0
    assert largest.amplitude(np.array(square)) < 2**16
    keys = {ShiftRegister.of(1.0, g_bits=8, seed=seed, core=core).key for seed in range(3) for core in range(3)}
    assert len(keys) == 9


def test_what_cannot_be_made() -> None:
    with pytest.raises(InputError, match=r"^read_noise.sigma_uS must be at most 0.077 of the range of a cell where a "):
        ShiftRegister.of(32.0, g_bits=8, seed=0, core=0)
    tree = load_device("lfsr").to_dict()
    tree["read_noise"]["sigma_uS"] = [0.1, 0.2]
    with pytest.raises(InputError, match=r"^device: read_noise.sigma_uS must be one number where a shift register "):
        device_from_dict(tree)
    tree["read_noise"]["generator"] = "dice"
    with pytest.raises(InputError, match=r'^device: read_noise.generator must be one of "cells", "lfsr", not "dice"$'):
        device_from_dict(tree)
