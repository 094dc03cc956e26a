"""Random programs in the Verilog of a tile beside the interpreter."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mho.hw.tile.asm import assemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.tiles import TileMachine
from mho.hw.tile.isa import Cause, Op, decode
from mho.macro_models.errors import ToolError
from mho.sim.tile_programs.cases import random_cases
from mho.sim.tile_programs.compare import difference, expected
from mho.sim.tile_programs.random_programs import SIZES
from mho.sim.tile_programs.simulation import TileMemories, TileSimulation
from mho.sim.tile_programs.verify import verify_tile


@pytest.mark.slow  # Verilator builds
def test_random_programs_are_those_of_the_interpreter() -> None:
    simulation = TileSimulation(SIZES)
    cases = [case for seed in range(24) for case in random_cases(np.random.default_rng(seed), SIZES, 3)]
    ops: Counter[Op] = Counter()
    causes: Counter[Cause] = Counter()
    overlap = 0
    for case, result in zip(cases, simulation.run(cases), strict=True):
        right = expected(case, SIZES)
        assert difference(right, result, SIZES) is None
        ops.update(instruction.op for instruction in right.retired)
        causes[right.status.cause if right.status else Cause.NONE] += 1
        overlap += result.overlap
    assert set(ops) == set(Op)
    assert len(causes) > 5
    assert overlap


@pytest.mark.slow
def test_a_tile_whose_memories_have_one_port(tmp_path: Path) -> None:
    report = verify_tile(instructions=3000, traps=100, seed=5, folder=tmp_path, memories=TileMemories(one_port=True))
    assert report.opcodes["vec"] > 100
    # The host loads and looks all the time here: a few cycles in a thousand are lost where both ports are wanted.
    assert report.cycles < 1.01 * verify_tile(instructions=3000, traps=100, seed=5, folder=tmp_path).cycles


@pytest.mark.slow
def test_a_tile_whose_forward_products_take_a_code_of_each_line(tmp_path: Path) -> None:
    cfg = TileConfig(lines=16, lanes=8, buffer_kib=2, parameters=64, instructions=64, payload_bits=32, contexts=1,
                     paired=False, ranged=True)
    report = verify_tile(cfg, instructions=2000, traps=100, seed=1017, folder=tmp_path)
    assert report.opcodes["mvm"] > 20


@pytest.mark.slow
def test_what_the_bench_reaches_and_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = verify_tile(instructions=300, traps=30)
    assert report.instructions >= 300
    assert report.traps >= 30
    assert report.causes.total() == report.programs
    assert report.causes.total() - report.causes["ended"] - report.causes["waited"] == report.traps
    assert report.opcodes["vec"] > report.opcodes["halt"] > 0
    assert "opcode: core" in str(report)
    # An interpreter that forgets to count conversions is found, by a program that has some.
    monkeypatch.setattr(TileMachine, "_numbers", property(lambda _: {}, lambda _, value: None), raising=False)
    with pytest.raises(ToolError, match=r"tile_litmus\.s: the tile must do what the interpreter does"):
        verify_tile(instructions=20_000, folder=tmp_path)
    program = assemble((tmp_path / "tile_litmus.s").read_text(encoding="utf-8"))
    assert any(decode(word)[0] is Op.MVM for word in program.words)
