"""A tile beside the interpreter: programs by hand, with a core that is a function.

At random: ``tests/sim/tile_programs``.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa.program import Program
from mho.hw.tile.rtl.controller import TileController
from mho.rtl_gen.verilog.netlist import emit
from tests.hw.tile.interpreter.networks import EXAMPLES, example
from tests.hw.tile.tile_bench import Expected, TileBench, whole

Given = dict[int, list[bytes]]


def config(payload: int) -> TileConfig:
    return TileConfig(lines=64, buffer_kib=1, parameters=16, instructions=32, payload_bits=payload)


def blocks_of(count: int, size: int) -> list[bytes]:
    rng = np.random.default_rng(size)
    return [rng.integers(0, 8, size).astype(np.uint8).tobytes() for _ in range(count)]


def check(program: Program, cfg: TileConfig, inputs: Given, stall: float, blocks: int) -> None:
    """What the host gets, and what retires before that."""
    expected = Expected(program, cfg, inputs, limit=2000 * 4000)
    hardware = TileBench(program, cfg, inputs, stall=stall).run()
    assert len(hardware.received[0]) == blocks
    assert hardware.received == {0: whole(expected.received[0], cfg)}
    # An instruction is taken by its engine before it waits.
    assert hardware.retired[: len(expected.retired)] == expected.retired


@pytest.mark.slow
@pytest.mark.parametrize("payload", [64, pytest.param(32, marks=pytest.mark.slow)])
def test_perceptron(payload: int) -> None:
    check(example("perceptron").program, config(payload), {0: blocks_of(4, 16)}, 0.2, 4)


@pytest.mark.slow
def test_convolution_and_pooling() -> None:
    text = (EXAMPLES / "conv_pool.s").read_text(encoding="utf-8")
    for old, new in (("width 8", "width 4"), ("height 8", "height 4"), ("loop 4 ", "loop 2 "), ("loop 16 ", "loop 8 ")):
        assert old in text
        text = text.replace(old, new)
    check(assemble(text), config(64), {0: blocks_of(16, 2)}, 0.0, 4)


@pytest.mark.slow
def test_verilog_is_clean(tmp_path: Path) -> None:
    texts = emit(TileController(TileConfig()), name="mho_tile", prefix="mho_", reset_low=False)
    path = tmp_path / "mho_tile.v"
    path.write_text("\n".join(texts.values()))
    lint = ["verilator", "--lint-only", "-Wall", "-Wno-UNUSEDSIGNAL", "-Wno-DECLFILENAME", "-Wno-PINCONNECTEMPTY",
            "--top-module", "mho_tile"]
    done = subprocess.run([*lint, str(path)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
