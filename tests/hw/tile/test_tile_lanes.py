"""The vector unit beside its reference: random operations, with a buffer and sources that make it wait."""

import numpy as np
import pytest

from hw.tile.config import TileConfig
from tests.hw.tile.vector_bench import Memories, VectorBench, expect, random_case


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "payload", "stall"), [
    (4, 64, 0.2), *(pytest.param(*row, marks=pytest.mark.slow) for row in ((2, 32, 0.3), (8, 64, 0.4))),
])
def test_operations_are_those_of_the_reference(lanes: int, payload: int, stall: float) -> None:
    rng = np.random.default_rng(lanes + payload)
    cfg = TileConfig(lanes=lanes, buffer_kib=1, parameters=64, payload_bits=payload)
    memory = Memories.random(cfg, rng)
    cases = [random_case(cfg, rng) for _ in range(24)]
    bench = VectorBench(cfg, memory, cases, stall, seed=lanes)
    for case in cases:
        expect(case, memory)
    np.testing.assert_array_equal(bench.run(), memory.buffer)
