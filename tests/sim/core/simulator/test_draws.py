"""Draws in C++ are those of numpy."""

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mho.macro_models.integer.random import Purpose, bits16, use_words
from mho.sim.build.toolchain import HDL
from mho.sim.core.simulator.shim import draw_in_cpp

GIVEN = {"purpose": Purpose.READ_NOISE, "seed": 0x89ABCDEF, "core": 0xABCDEF}


@pytest.fixture
def as_before() -> Iterator[None]:
    yield
    use_words(None)


@pytest.mark.cosim("g++")
@pytest.mark.usefixtures("as_before")
def test_draws_in_cpp(tmp_path: Path) -> None:
    library = tmp_path / "philox.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-o", library, HDL / "philox.cpp"], check=True)
    ids = np.array([[0, 1, 2**32], [2**64 - 1, 12345678901234567890, 7]], dtype=np.uint64)
    requests = [(ids, 256, 0), (ids[::-1, ::2], 61, 3), (5, 8, 1)]
    before = [bits16(op_id=op_id, items=items, step=step, **GIVEN) for op_id, items, step in requests]
    assert draw_in_cpp(ctypes.CDLL(str(library)))
    calls = [bits16(op_id=op_id, items=items, step=step, **GIVEN) for op_id, items, step in requests]
    for first, second in zip(before, calls, strict=True):
        np.testing.assert_array_equal(first, second)
        assert first.dtype == second.dtype


@pytest.mark.usefixtures("as_before")
def test_a_library_that_has_none() -> None:
    assert not draw_in_cpp(ctypes.CDLL(None))
