"""Registers that say what a board is, all but one of them constants."""

from typing import Any, Protocol

from mho.hw.config import Chip
from mho.hw.host.core.map import MAP_VERSION
from mho.hw.host.registers import Access, Field, Register, RegisterMap


class BoardFacts(Protocol):
    """What a board says of itself: its chip, its emulator, its clock."""

    @property
    def chip(self) -> Chip: ...
    @property
    def emulator(self) -> Any: ...
    @property
    def serial(self) -> bool: ...
    @property
    def clock_hz(self) -> int: ...


BOARD_MAGIC = 0x6D62
"""What identifies a board: ``mb``."""

BOARD_VERSION = 3
"""Grows when this map, that of the core or the load port changes its meaning."""

_WIDTH = 12


def _constant(name: str, width: int, value: int, doc: str) -> Field:
    return Field(name=name, width=width, reset=value, constant=True, doc=doc)


def board_map(cfg: BoardFacts) -> RegisterMap:
    """Registers of a board, from :data:`mho.hw.board.config.BOARD_BASE` on; with tiles, behind the chip."""
    sha256, emulator = cfg.chip.sha256, cfg.emulator
    words = [int(sha256[8 * k : 8 * k + 8], 16) for k in range(8)]
    return RegisterMap(
        name="board",
        doc="What a board holds.",
        address_width=_WIDTH,
        entries=(
            Register(name="id", address=0x000, doc="What this is.", fields=(
                _constant("magic", 16, BOARD_MAGIC, "Identifies a board: `0x6d62`."),
                _constant("version", 8, BOARD_VERSION, "Version of this map and of the load port."),
                _constant("core_version", 8, MAP_VERSION, "Version of the map of the core."),
            )),
            Register(name="emulator", address=0x004, doc="The array emulator.", fields=(
                _constant("programs", 1, emulator.verify_bits is not None, "Cells are programmed by pulses."),
                _constant("serial", 1, cfg.serial, "The digital part of the core is serial, too."),
                _constant("g_bits", 6, emulator.g_bits, "Bits of the code of a cell."),
                _constant("slots", 8, emulator.slots, "Tables that it holds."),
                _constant("lanes", 16, emulator.lanes, "Cells that meet their input in one cycle."),
            )),
            Register(name="geometry", address=0x008, doc="Size of the core.", fields=(
                _constant("lines", 16, emulator.lines, "Bit lines, source lines and word lines."),
                _constant("noise", 1, emulator.noise, "It has a shift register for read noise."),
                _constant("columns", 5, cfg.chip.mesh.columns, "Columns of tiles; 1: one core or one tile."),
                _constant("rows", 5, cfg.chip.mesh.rows, "Rows of tiles; 1: one core or one tile."),
            )),
            Register(name="clock", address=0x00C, doc="Frequency of the design.", fields=(
                _constant("hz", 32, cfg.clock_hz, "In Hz."),
            )),
            Register(name="state", address=0x010, doc="What happened since the last reset of the core.", fields=(
                Field(name="no_table", access=Access.R, doc="An operation had no table, or was not legal."),
            )),
            *(
                Register(name=f"hash_{k}", address=0x020 + 4 * k, doc="Which chip description this was made from.",
                         fields=(_constant("value", 32, word, f"SHA-256, bits {255 - 32 * k}:{224 - 32 * k}."),))
                for k, word in enumerate(words)
            ),
        ),
    )
