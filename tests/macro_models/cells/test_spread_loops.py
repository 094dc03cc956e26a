"""What numba compiles gives the cells of numpy: devices of windows and spreads."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.macro_models.cells import programming
from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.programming import Programming, Relaxation

pytestmark = pytest.mark.skipif(programming.compiled() is None, reason="numba is not installed")

CAUSES = ("programming", "relaxation")
TIMES = (0.0, 1e-3, 1.0, 50.0, 1e4, 1e6, 1e9)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), time_s=st.sampled_from(TIMES), times=st.integers(0, 3),
    accept=st.sampled_from([0.0, 0.5, 3.0]), causes=st.sets(st.sampled_from(CAUSES)),
)
def test_loops_give_the_cells_of_numpy(seed: int, time_s: float, times: int, accept: float, causes: set[str]) -> None:
    """At, between, before and after the times that are known; cells that hold nothing, and dead ones."""
    rng = np.random.default_rng(seed)
    sigma = tuple(tuple(rng.normal(1.0, 2.0, rng.integers(1, 6))) for _ in range(times))
    device = replace(
        load_device("ideal"), programming=Programming(accept_uS=accept),
        relaxation=Relaxation(g_ref_uS=float(rng.uniform(10, 50)), times_s=(1.0, 1e4, 1e6)[:times], sigma_uS=sigma),
    )
    target = np.where(rng.random((23, 61)) < 0.4, 0.0, rng.uniform(0.0, 60.0, (23, 61)))
    target[rng.random(target.shape) < 0.01] = np.nan
    how = {"device": device, "seed": seed, "core": 5, "time_s": time_s, "causes": frozenset(causes)}
    found = programming.programmed(target, **how).g_uS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programming, "compiled", lambda: None)
        wanted = programming.programmed(target, **how).g_uS
    assert found.tobytes() == wanted.tobytes()
