"""Random programs in the Verilog of a tile beside the interpreter and the token machine."""

from collections import Counter

import numpy as np
import pytest

from hw.tile.isa import Cause, Op
from hw.tile.random_programs import SIZES
from sim.tile.compare import difference, expected, skeleton_differs
from sim.tile.random_cases import random_cases
from sim.tile.simulation import TileSimulation


@pytest.mark.slow  # Verilator builds
def test_random_programs_are_those_of_the_interpreter() -> None:
    simulation = TileSimulation(SIZES)
    cases = [case for seed in range(24) for case in random_cases(np.random.default_rng(seed), SIZES, 3)]
    ops: Counter[Op] = Counter()
    causes: Counter[Cause] = Counter()
    overlap = 0
    for case, found in zip(cases, simulation.run(cases), strict=True):
        right = expected(case, SIZES)
        assert difference(right, found, SIZES) is None
        assert skeleton_differs(case, right, SIZES) is None
        ops.update(one.op for one in right.retired)
        causes[right.status.cause if right.status else Cause.NONE] += 1
        overlap += found.overlap
    assert set(ops) == set(Op)
    assert len(causes) > 5
    assert overlap
