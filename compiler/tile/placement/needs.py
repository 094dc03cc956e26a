"""What the tiles of a network need at least: which places of a mesh with tiles of several kinds will do for each."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mho.hw.config import Chip
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import STREAMS
from mho.hw.tile.isa.program import Program

__all__ = ["Needs", "largest_buffer", "needs_of", "roomy"]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Bytes of the ``buffer``, words of ``parameters`` and of ``instructions`` that a tile has to have."""

    buffer: int
    parameters: int
    instructions: int

    def met_by(self, cfg: TileConfig) -> bool:
        """Whether a tile has all of that."""
        return (self.buffer <= cfg.buffer_bytes and self.parameters <= cfg.parameters
                and self.instructions <= cfg.instructions)


def roomy(chip: Chip) -> Chip:
    """The chip with all tiles as large as the largest one in each respect."""
    cfgs = TileConfig.of_tiles(chip).values()
    largest = {name: max(getattr(cfg, name) for cfg in cfgs) for name in ("buffer_kib", "parameters", "instructions")}
    return replace(chip, tile=replace(chip.tile, at={}, **largest))


def largest_buffer(chip: Chip) -> int:
    """Bytes of the largest buffer of a tile."""
    return max(cfg.buffer_bytes for cfg in TileConfig.of_tiles(chip).values())


def needs_of(programs: Mapping[str, Program]) -> dict[str, Needs]:
    """What each tile needs for its program, with the rings that this has."""
    return {tile: Needs(buffer=_bytes(program), parameters=len(program.parameters), instructions=len(program.words))
            for tile, program in programs.items()}


def _bytes(program: Program) -> int:
    """Bytes of the buffer that are in use: some rings are at its end, and streams may be over the same bytes."""
    rings = [program.descriptor("stream", number) for number in range(STREAMS)]
    used, behind = 0, 0
    for first, size in sorted([(0, len(program.buffer)), *((r["base"], r["block"] * r["blocks"]) for r in rings)]):
        used += max(0, first + size - max(first, behind))
        behind = max(behind, first + size)
    return used
