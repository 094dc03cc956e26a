"""Random programs with random surroundings."""

import numpy as np

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa.program import Program
from mho.sim.tile_programs.cases import Case, blocks_for
from mho.sim.tile_programs.random_programs import borderline, legal_program

__all__ = ["random_cases"]

_LENGTH = 40
_BLOCKS = 100
_WATCHDOG = 12
"""2**k cycles without anything that retires are more than any operation takes, delays of the core included."""


def random_cases(rng: np.random.Generator, cfg: TileConfig, changed: int) -> list[Case]:
    """A legal program that ends, and some of which words were changed: most of these trap or wait."""
    program = legal_program(rng, _LENGTH, cfg)
    cases = [_case(program, cfg, rng, _BLOCKS, eager=bool(rng.integers(2)))]
    for _ in range(changed):
        cases.append(_case(borderline(rng, program, int(rng.integers(1, 5)), cfg), cfg, rng, _BLOCKS // 5))
    return cases


def _case(program: Program, cfg: TileConfig, rng: np.random.Generator, blocks: int, eager: bool = False) -> Case:
    return Case(
        program=program, given=blocks_for(program, cfg, rng, blocks), seed=int(rng.integers(1 << 30)),
        stall=int(rng.choice([0, 40, 80])), delay=int(rng.integers(60)), eager=eager,
        watchdog=_WATCHDOG * int(rng.random() < 0.25))
