"""Cells in C++ beside cells in numpy, far from any device: without the core, and without a simulator."""

import ctypes
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import load_device
from mho.macro_models.integer.pulse import CONDUCTANCE_MAX, Polarity
from mho.sim.programming.shim import CellShim

LINES, COLUMNS = 64, 40
WIDTHS = np.array([40, 90, 300])
SOURCE = Path(__file__).parents[3] / "sim" / "hdl" / "cells.cpp"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path = tmp_path_factory.mktemp("cells") / "cells.so"
    subprocess.run(["g++", "-std=c++17", "-O1", "-shared", "-fPIC", str(SOURCE), "-o", str(path)], check=True)
    return ctypes.CDLL(str(path))


class Pins:
    """The pins of the macro, one cell at a time."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        library.mho_cells_create.restype = ctypes.c_void_p
        self.path = f"macro_{library.mho_cells_count()}"
        self.cells = ctypes.c_void_p(library.mho_cells_create(self.path.encode()))

    @staticmethod
    def _lines(cell: int) -> tuple[ctypes.Array[ctypes.c_uint32], ...]:
        words = [np.zeros(256 // 32, dtype=np.uint32) for _ in range(2)]
        for word, line in zip(words, divmod(cell, COLUMNS), strict=True):
            word[line // 32] = 1 << line % 32
        row, column = (((ctypes.c_uint32 * len(word))(*word.tolist())) for word in words)
        return row, row, column

    def pulse(self, cell: int, polarity: int, amplitude: int) -> None:
        lines = self._lines(cell)
        self.library.mho_pulse_begin(self.cells, polarity, amplitude, 0, *lines)
        self.library.mho_pulse_end(self.cells, amplitude, int(WIDTHS[polarity]), *lines)

    def verify(self, cell: int) -> int:
        return self.library.mho_verify(self.cells, *self._lines(cell))


def make_array(seed: int, fresh: bool) -> PulseArray:
    """Cells of a random device, most of it beyond what a device can be."""
    rng, device = np.random.default_rng(seed), load_device("rram-neurram")
    pulse = replace(
        device.pulse, weak_fraction=0.3, weak_factor=10.0 ** rng.uniform(-6.0, 0.0), cycle_spread=rng.uniform(0.0, 5.0),
        set_rate=10.0 ** rng.uniform(-6.0, 6.0), reset_rate=10.0 ** rng.uniform(-6.0, 6.0), high_spread=1.0,
        set_slope_V=10.0 ** rng.uniform(-3.0, 1.0), reset_slope_V=10.0 ** rng.uniform(-3.0, 1.0),
        set_spread_V=1.0, reset_spread_V=1.0, g_low_uS=rng.uniform(0.0, 100.0), form_spread_V=1.0,
        verify_sigma_uS=0.0 if seed % 4 == 1 else 10.0 ** rng.uniform(-3.0, 0.4),
    )
    stuck = replace(device.stuck, fraction=0.1, values_uS=(0.0, 1e6))
    verify_bits, v_base_V = int(rng.integers(8, 13)), rng.uniform(-1.0, 1.0)
    scales = PulseConfig(lines=LINES, columns=COLUMNS, verify_bits=verify_bits, v_base_V=v_base_V)
    return PulseArray(scales, device=replace(device, pulse=pulse, stuck=stuck), seed=seed, core=seed, fresh=fresh)


@pytest.mark.slow
@pytest.mark.cosim("g++")
@pytest.mark.parametrize("seed", range(12))
def test_both_are_the_same_law(library: ctypes.CDLL, seed: int) -> None:
    rng, fresh = np.random.default_rng([seed, 1]), seed % 3 == 0
    mine, cpp = make_array(seed, fresh), make_array(seed, fresh)
    anywhere = np.arange(mine.g.size) % 3 == 0
    g = rng.integers(0, CONDUCTANCE_MAX + 1, mine.g.size)
    for array in (mine, cpp):
        # Halves of verify codes, and amplitudes right at a threshold: whatever is rounded, or just reached.
        array.g[anywhere] = np.where(g & 1, g, g & 2**19)[anywhere]
        array.threshold[:, anywhere] &= -(2**16)
    before = mine.g.copy()
    pins = Pins(library)
    shim = CellShim(library)
    shim.lend(pins.path, mine, WIDTHS, WIDTHS)
    cells = np.sort(rng.choice(mine.g.size, 150, replace=False))
    pulsed = 0
    for turn in range(8):
        polarity, amplitude = rng.integers(0, len(Polarity), cells.size), rng.integers(0, 256, cells.size)
        for cell, kind, code in zip(cells.tolist(), polarity.tolist(), amplitude.tolist(), strict=True):
            pins.pulse(cell, kind, code)
        codes = [pins.verify(cell) for cell in cells.tolist()]
        cpp.pulse(cells, polarity, amplitude, WIDTHS[polarity])
        np.testing.assert_array_equal(codes, cpp.verify(cells))
        pulsed += cells.size
        if turn == 4:
            library.mho_relax(pins.cells, 1)
            cpp.relax(1)
    pulses, failure = shim.take_back(pins.path)
    assert (len(pulses), failure) == (pulsed, "")
    for name, value in mine.changes().items():
        np.testing.assert_array_equal(value, getattr(cpp, name), err_msg=name)
    moved = (mine.g != before)[cells].sum()
    assert moved > (10 if fresh else 80), moved
