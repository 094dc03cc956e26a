"""Decrements with noise in every cycle: compiled loops against numpy, bit for bit, and numpy against the definition."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models.integer.random import Purpose, normal_codes
from mho.macro_models.tnsa.converter import walk as walk_module
from mho.macro_models.tnsa.converter.walk import Walk, compiled

ROOT = Path(__file__).resolve().parents[4]
SEEDS = st.integers(0, 2**32 - 1)


def random_case(rng: np.random.Generator) -> tuple[Walk, np.ndarray, int, np.ndarray, int, int]:
    """A walk with or without each noise, charges that flip at once, late or never, numbers of every size."""
    lines, batch = int(rng.integers(1, 80)), int(rng.integers(1, 40))
    step = float(10.0 ** rng.uniform(0, 4))
    walk = Walk(
        beta=float(rng.choice([1.0, 0.9998, 0.99])),
        offset=rng.normal(0.0, step, lines) * rng.integers(0, 2),
        pos=rng.normal(-step, 0.2 * step, lines),
        neg=rng.normal(step, 0.2 * step, lines),
        sampling=rng.exponential(step / 4096, lines) if rng.random() < 0.7 else None,
        comparator=rng.exponential(step / 4096, lines) if rng.random() < 0.7 else None,
        blocks=np.sort(rng.choice(100, -(-lines // 8), replace=False)).astype(np.uint64),
    )
    charge = rng.normal(0.0, step * rng.choice([0.5, 10.0, 300.0]), (batch, lines))
    charge[rng.random(charge.shape) < 0.05] = 0.0
    op_id = rng.integers(0, 2**64, batch, dtype=np.uint64)
    return walk, charge, int(rng.choice([0, 1, 3, 7, 127])), op_id, int(rng.integers(2**32)), int(rng.integers(2**24))


@pytest.mark.slow
@settings(max_examples=300)
@given(seed=SEEDS)
def test_compiled_loops_give_the_bits_of_numpy(seed: int) -> None:
    pytest.importorskip("numba")
    walk, *rest = random_case(np.random.default_rng(seed))
    fast = compiled()
    assert fast is not None
    for got, expected in zip(fast(walk, *rest), walk.count_in_numpy(*rest), strict=True):
        assert got.dtype == expected.dtype
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("noise", [(True, True), (True, False), (False, True), (False, False)])
def test_count_is_that_of_the_definition(noise: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(7)
    walk, charge, _, op_id, seed, core = random_case(rng)
    n = charge.shape[1]
    walk = replace(
        walk, sampling=np.full(n, 1e-2) if noise[0] else None, comparator=np.full(n, 2e-2) if noise[1] else None,
        pos=np.full(n, -30.0), neg=np.full(n, 31.0),
    )
    charge = rng.normal(0.0, 1000.0, charge.shape)

    def z(purpose: Purpose, step: int) -> np.ndarray:
        codes = normal_codes(purpose, seed=seed, core=core, items=800, op_id=op_id, step=step).astype(float)
        return codes.reshape(-1, 100, 8)[:, walk.blocks.astype(int)].reshape(len(op_id), -1)[:, :n]

    def seen(state: np.ndarray, step: int) -> np.ndarray:
        comparator_noise = 0.0 if walk.comparator is None else walk.comparator * z(Purpose.COMPARATOR, step)
        return state + walk.offset + comparator_noise

    sign = seen(charge, 0) < 0
    state, alive, counts = charge, np.ones(charge.shape, dtype=bool), np.zeros(charge.shape, dtype=int)
    for step in range(1, 101):
        sampled = 0.0 if walk.sampling is None else walk.sampling * z(Purpose.SAMPLING, step)
        state = state * walk.beta + np.where(sign, walk.neg, walk.pos) + sampled
        alive = alive & ((seen(state, step) < 0) == sign)
        counts += alive
    negative, walked = walk.count(charge, 100, op_id, seed, core)
    assert len(np.unique(walked)) > 20
    assert np.array_equal(negative, sign)
    assert np.array_equal(walked, counts)


def test_without_numba_numpy_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case(np.random.default_rng(3))
    expected = case[0].count(*case[1:])
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "mho.macro_models.tnsa.converter.walk_compiled", raising=False)
    monkeypatch.setattr(walk_module, "compiled", lambda: compiled.__wrapped__())
    assert walk_module.compiled() is None
    assert all(np.array_equal(a, b) for a, b in zip(case[0].count(*case[1:]), expected, strict=True))


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_does_no_harm() -> None:
    pytest.importorskip("numba")
    program = (
        "import numpy as np; from mho.macro_models.tnsa.converter.walk import compiled;"
        "from tests.macro_models.tnsa.converter.test_walk import random_case;"
        "walk, *rest = random_case(np.random.default_rng(5)); fast = compiled(); assert fast is not None;"
        "assert all(np.array_equal(a, b) for a, b in zip(fast(walk, *rest), walk.count_in_numpy(*rest)))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": "/dev/null/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
