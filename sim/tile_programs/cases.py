"""A program with its surroundings: what the host sends, and how the network and the core take their time."""

from dataclasses import dataclass, field

import numpy as np

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.joined import Joined, Place, slots_of
from mho.hw.tile.interpreter.state import FunctionCore
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import InputError
from mho.sim.tile_programs.random_programs import alone, borderline, legal_program

REFUSE_LOW, REFUSE_BITS = 7, 5
"""The core refuses operations that have these bits all 1."""

_LENGTH = 40
_BLOCKS = 100
_WATCHDOG = 12
"""2**k cycles without anything that retires are more than any operation takes, delays of the core included."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is run."""

    program: Program
    given: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    """The program, and blocks that the host sends by stream."""
    seed: int = 0
    stall: int = 0
    delay: int = 20
    """Of what is random; how often in 256 cycles somebody is not ready; cycles that the core takes at most."""
    eager: bool = False
    """Operands of reductions are taken before their sum is wanted."""
    watchdog: int = 0
    """As the host sets it."""


def weights_of(lines: int) -> np.ndarray:
    """Weights of the core that stands in for one, (lines, lines)."""
    return np.random.default_rng(lines).integers(-40, 41, (lines, lines))


class FunctionOfLines(FunctionCore):
    """Codes that depend on all that it is given, however many zeros are behind; it refuses what no core has."""

    def __init__(self, cfg: TileConfig) -> None:
        weights = weights_of(cfg.lines)
        super().__init__(
            lambda codes: (codes.view(np.uint8).astype(np.int64) @ weights[: len(codes)] >> 2).clip(-4095, 4095))
        self.cfg = cfg
        self.masks: list[tuple[int, int]] = []

    def product(self, op: int, op_id: int, first: int, codes: np.ndarray) -> np.ndarray:
        """Output codes of all lines."""
        mask = (1 << REFUSE_BITS) - 1
        words = self.cfg.input_words if op & 1 else self.cfg.forward_words
        if first + len(codes) // 4 > words or op >> REFUSE_LOW & mask == mask:
            raise InputError("the core refuses it")
        return super().product(op, op_id, first, codes)

    def write_masks(self, block: bytes) -> None:
        """Keeps them."""
        if len(block) % 8:
            raise InputError("the core refuses it")
        pairs = np.frombuffer(block, "<u4").reshape(-1, 2)
        self.masks += [(int(address) & 0xFF, int(word)) for address, word in pairs]


def joined(case: Case, cfg: TileConfig) -> Joined:
    """The tile ``t``, whose flows lead to the host, and which is all of each reduction."""
    return alone(case.program, FunctionOfLines(cfg), cfg)


def blocks_for(program: Program, cfg: TileConfig, rng: np.random.Generator, count: int) -> dict[int, tuple[bytes, ...]]:
    """Blocks for each stream of a program that the host can send to."""
    blocks = {}
    for stream in slots_of(Place(program=program, cfg=cfg)).values():
        size = program.descriptor("stream", stream)["block"]
        data = rng.bytes(size * count)
        blocks[stream] = tuple(data[k * size : (k + 1) * size] for k in range(count))
    return blocks


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
