"""A program with its surroundings: what the host sends, and how the network and the core take their time."""

from dataclasses import dataclass, field, replace

import numpy as np

from mho.hw.tile.config import TileConfig
from mho.hw.tile.interpreter.cores import FunctionCore
from mho.hw.tile.interpreter.tiles import HOST, Flow, Joined, Place, Reduction, slots_of
from mho.hw.tile.isa.program import Program
from mho.macro_models.errors import InputError

__all__ = ["REFUSE_BITS", "REFUSE_LOW", "Case", "FunctionOfLines", "blocks_for", "joined", "weights_of"]

REFUSE_LOW, REFUSE_BITS = 7, 5
"""The core refuses operations that have these bits all 1."""

FLOWS = 16


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is run.

    Attributes
    ----------
    program, given
        The program, and blocks that the host sends by stream.
    seed, stall, delay
        Of what is random; how often in 256 cycles somebody is not ready; cycles that the core takes at most.
    eager
        Operands of reductions are taken before their sum is wanted.
    watchdog
        As the host sets it.
    """

    program: Program
    given: dict[int, tuple[bytes, ...]] = field(default_factory=dict)
    seed: int = 0
    stall: int = 0
    delay: int = 20
    eager: bool = False
    watchdog: int = 0

    def with_program(self, program: Program) -> "Case":
        """The same with another program."""
        return replace(self, program=program)


def weights_of(lines: int) -> np.ndarray:
    """Weights of the core that stands in for one, (lines, lines)."""
    return np.random.default_rng(lines).integers(-40, 41, (lines, lines))


class FunctionOfLines(FunctionCore):
    """Codes that depend on all that it is given, however many zeros are behind; it refuses what no core has.

    Parameters
    ----------
    cfg
        The tile that it is in.
    """

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
    return Joined(
        tiles={"t": Place(program=case.program, cfg=cfg, core=FunctionOfLines(cfg))},
        flows=tuple(Flow(sender="t", number=k, to=(HOST,)) for k in range(FLOWS)),
        reductions=tuple(Reduction(context=k, members=("t",), root="t") for k in range(cfg.contexts)),
    )


def blocks_for(program: Program, cfg: TileConfig, rng: np.random.Generator, count: int) -> dict[int, tuple[bytes, ...]]:
    """Blocks for each stream of a program that the host can send to."""
    blocks = {}
    for stream in slots_of(Place(program=program, cfg=cfg)).values():
        size = program.descriptor("stream", stream)["block"]
        data = rng.bytes(size * count)
        blocks[stream] = tuple(data[k * size : (k + 1) * size] for k in range(count))
    return blocks
