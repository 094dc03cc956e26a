"""The bench of ``mho verify tile``: random programs through the Verilog of a tile, compared with the interpreter."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mho.hw.tile.asm import disassemble
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import Engine
from mho.macro_models.errors import ToolError
from mho.sim.tile_programs.cases import Case, random_cases
from mho.sim.tile_programs.compare import Expected, difference, expected
from mho.sim.tile_programs.random_programs import SIZES
from mho.sim.tile_programs.simulation import TWO_PORTS, TileMemories, TileSimulation


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
    folder: Path | None = None, memories: TileMemories = TWO_PORTS,
    progress: Callable[[int, int], None] = lambda done, total: None,
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
    memories
        What the tile's memories are.
    progress
        Is told how many instructions and traps are done, of how many.
    """
    least_traps = traps if traps is not None else instructions // 10
    simulation, report, number = TileSimulation(cfg, memories), TileReport(cfg=cfg), 0
    while report.instructions < instructions or report.traps < least_traps:
        cases: list[Case] = []
        for _ in range(_BATCH):
            cases += random_cases(np.random.default_rng([seed, number]), cfg, _CHANGED)
            number += 1
        for case, run in zip(cases, simulation.run(cases), strict=True):
            result = expected(case, cfg)
            why = difference(result, run, cfg)
            if why is not None:
                path = (folder or Path.cwd()) / "tile_litmus.s"
                path.write_text(litmus(case, why), encoding="utf-8")
                raise ToolError(f"{path}: the tile must do what the interpreter does, but {why[:100]}")
            report.add(result)
        progress(min(report.instructions, instructions) + min(report.traps, least_traps), instructions + least_traps)
    report.cycles, report.simulation_s = simulation.simulated, simulation.cpu_s
    return report
