"""The bench of ``mho verify tile``: random programs through the Verilog of a tile, compared with the interpreter."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mho.hw.tile.asm import disassemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import Engine, Op, decode, encode
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import ToolError
from mho.sim.tile_programs.cases import Case, random_cases
from mho.sim.tile_programs.compare import Expected, difference, expected
from mho.sim.tile_programs.random_programs import SIZES
from mho.sim.tile_programs.simulation import TileSimulation


def shrunk(case: Case, fails: Callable[[Case], bool], tries: int = 300) -> Case:
    """The case with as little as still fails; ``tries`` is how often that is tried."""
    left = tries
    while left > 0:
        for smaller in _smaller(case):
            left -= 1
            if left < 0:
                break
            if fails(smaller):
                case = smaller
                break
        else:
            break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Cases with fewer instructions, the smallest first."""
    program = case.program
    starts = _starts(program)
    size = len(starts)
    while size:
        size //= 2
        for k in range(0, len(starts), max(size, 1)):
            gone = starts[k : k + max(size, 1)]
            yield case.with_program(replace(program, words=_without(program, gone)))


def _starts(program: Program) -> list[int]:
    """Addresses of instructions, without the words of SET and the last HALT."""
    starts, at = [], 0
    while at < len(program.words):
        op, fields, _ = decode(program.words[at])
        starts.append(at)
        at += 1 + (fields["words"] if op is Op.SET else 0)
    return starts[:-1]


def _without(program: Program, gone: list[int]) -> tuple[int, ...]:
    """The words without some instructions; bodies of loops that they were in are as much shorter."""
    words, dead = list(program.words), set()
    for at in gone:
        op, fields, _ = decode(words[at])
        dead |= set(range(at, at + 1 + (fields["words"] if op is Op.SET else 0)))
    for at in _starts(program):
        op, fields, _ = decode(words[at])
        if op is Op.LOOP and at not in dead:
            body = fields["body"] - len(dead & set(range(at + 1, at + 1 + fields["body"])))
            if body < 1:
                dead.add(at)
            else:
                words[at] = encode(op, **fields | {"body": body})
    return tuple(word for at, word in enumerate(words) if at not in dead)


def litmus(case: Case, why: str) -> str:
    """A text of the program, with what it needs to be run again."""
    blocks_text = ", ".join(f"{len(blocks)} for stream {stream}" for stream, blocks in case.given.items())
    head = [f"; {why}", f"; seed {case.seed}, stall {case.stall}, delay {case.delay}, eager {int(case.eager)}",
            f"; blocks of the host: {blocks_text or 'none'}"]
    return "\n".join([*head, disassemble(case.program)])


_BATCH = 16
_CHANGED = 24
"""Changed programs for each legal one."""


@dataclass(kw_only=True)
class TileReport:
    """What was run and found right."""

    cfg: TileConfig
    programs: int = 0
    instructions: int = 0
    traps: int = 0
    """Programs; instructions that retired in the interpreter; programs that trapped."""
    cycles: int = 0
    simulation_s: float = 0.0
    """Cycles of the simulator, loading and reading included, and its processor time."""
    opcodes: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    """Instructions that retired by name; programs by why they stopped: a cause, ``ended``, ``waited``."""

    def add(self, result: Expected) -> None:
        """A program that did in the tile what it did in the interpreter."""
        self.programs, self.instructions = self.programs + 1, self.instructions + len(result.retired)
        self.traps += result.status is not None
        stop = "ended" if result.ended else "waited"
        self.causes[result.status.cause.name.lower() if result.status else stop] += 1
        # SEND is counted where the sequencer hands it over, not by its blocks.
        self.opcodes.update(event.op.name.lower() for event in result.retired if event.engine is not Engine.SEND)

    def __str__(self) -> str:
        return (
            f"{self.programs} programs: {self.instructions} instructions retired and {self.traps} programs trapped as "
            f"in the interpreter\n{self.cycles} cycles in {self.simulation_s:.1f} s of "
            f"processor time\nopcode: {_counts(self.opcodes)}\nstopped: {_counts(self.causes)}"
        )


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def verify_tile(
    cfg: TileConfig = SIZES, *, instructions: int = 10_000, traps: int | None = None, seed: int = 0,
    folder: Path | None = None, progress: Callable[[int, int], None] = lambda done, total: None,
) -> TileReport:
    """Run random programs until so many instructions retired and so many programs trapped.

    Raises ToolError if something differs, or Verilator is missing.

    Parameters
    ----------
    instructions, traps
        How many at least; of traps a tenth of the instructions, if it is not given.
    seed
        Of all that is random.
    folder
        Where a program that fails is written, as a text.
    progress
        Is told how many instructions and traps are done, of how many.
    """
    least_traps = traps if traps is not None else instructions // 10
    simulation, report, number = TileSimulation(cfg), TileReport(cfg=cfg), 0
    while report.instructions < instructions or report.traps < least_traps:
        cases: list[Case] = []
        for _ in range(_BATCH):
            cases += random_cases(np.random.default_rng([seed, number]), cfg, _CHANGED)
            number += 1
        for case, run in zip(cases, simulation.run(cases), strict=True):
            result = expected(case, cfg)
            why = difference(result, run, cfg)
            if why is not None:
                raise ToolError(_failure(case, why, simulation, folder))
            report.add(result)
        progress(min(report.instructions, instructions) + min(report.traps, least_traps), instructions + least_traps)
    report.cycles, report.simulation_s = simulation.simulated, simulation.cpu_s
    return report


def _failure(case: Case, why: str, simulation: TileSimulation, folder: Path | None) -> str:
    """A sentence about a case that fails, which is made small and written."""
    cfg = simulation.cfg

    def fails(smaller: Case) -> bool:
        result = expected(smaller, cfg)
        run = simulation.run([smaller])[0]
        return difference(result, run, cfg) is not None

    small = shrunk(case, fails)
    path = (folder or Path.cwd()) / "tile_litmus.s"
    path.write_text(litmus(small, why), encoding="utf-8")
    return f"{path}: the tile must do what the interpreter does, but {why[:100]}"
