"""A tile beside the interpreter: programs by hand and at random, with a core that is a function."""

import numpy as np
import pytest

from hw.tile.config import TileConfig
from tests.hw.tile.machine.networks import example
from tests.hw.tile.tile_bench import Expected, TileBench, whole

CFG = TileConfig(lines=16, buffer_kib=1, parameters=16, instructions=32)


def blocks_of(count: int, size: int, seed: int = 0) -> list[bytes]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 8, size).astype(np.uint8).tobytes() for _ in range(count)]


@pytest.mark.parametrize("payload", [32, 64])
def test_perceptron(payload: int) -> None:
    cfg = TileConfig(lines=64, buffer_kib=1, parameters=16, instructions=32, payload_bits=payload)
    program, given = example("perceptron").program, {0: blocks_of(5, 16)}
    expected = Expected(program, cfg, given, turns=200)
    found = TileBench(program, cfg, given, stall=0.2).run()
    assert found.received == {0: whole(expected.received[0], cfg)}
    assert len(found.received[0]) == 5
    # An instruction is taken by its engine before it waits.
    assert found.retired[: len(expected.retired)] == expected.retired


def test_convolution_and_pooling() -> None:
    cfg = TileConfig(lines=64, buffer_kib=1, parameters=16, instructions=32)
    program, given = example("conv_pool").program, {0: blocks_of(128, 2)}
    expected = Expected(program, cfg, given, turns=2000)
    found = TileBench(program, cfg, given).run()
    assert len(found.received[0]) == 32
    assert found.received == {0: whole(expected.received[0], cfg)}
    assert found.retired[: len(expected.retired)] == expected.retired
