"""Static parameters of a core on a board, and where its parts are in the address space."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from mho.hw.board.load_port import load_address_width
from mho.hw.config import Chip
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.kind import EmulatorKind
from mho.hw.emulator.kinds import emulator_of
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.core.map import MAP_VERSION
from mho.hw.host.link.format import LinkConfig
from mho.hw.host.link.uart import UartConfig
from mho.hw.host.registers import Access, Field, Register, RegisterMap, constant
from mho.macro_models.errors import InputError


@dataclass(frozen=True, kw_only=True)
class BoardParts(ABC):
    """What every board has of its configuration, whatever is emulated on it: the serial line, and what emulates a core.

    Raises InputError if a value is out of range, or the parts do not fit together.
    """

    chip: Chip
    """What is emulated: lines, bits of a cell, durations of the analog operations."""
    lanes: int = 8
    slots: int = 2
    memory: str = "block"
    noise: bool = False
    """Of each core, as in :class:`mho.hw.emulator.config.EmulatorConfig`."""
    clock_hz: int = 24_000_000
    """Frequency of the design, in Hz."""
    baud: int = 3_000_000
    """Rate of the serial line, at most an eighth of the clock."""
    link_bytes: int = 512
    """Size of each of the two buffers of the link, see :class:`mho.hw.host.link.format.LinkConfig`."""

    def __post_init__(self) -> None:
        try:
            _ = self.parts, self.uart, self.link
        except ValueError as error:
            raise InputError(str(error)) from None

    @property
    @abstractmethod
    def parts(self) -> Any:
        """What the board is made of beside its serial line."""

    @property
    @abstractmethod
    def emulator(self) -> Any:
        """What stands for the core, or each of them: see :meth:`mho.hw.emulator.kind.EmulatorKind.config`."""

    @property
    def kind(self) -> EmulatorKind:
        """What emulates its kind of core."""
        return emulator_of(self.chip)

    @property
    @abstractmethod
    def address_width(self) -> int:
        """Bits of a byte address of the board."""

    @property
    def uart(self) -> UartConfig:
        """The serial line."""
        return UartConfig(clock_hz=self.clock_hz, baud=self.baud)

    @property
    def link(self) -> LinkConfig:
        """The device's end of the link."""
        return LinkConfig(size=self.link_bytes, address_width=self.address_width)


CORE_BASE = 0x000000
"""The registers of the core, as behind any other bus: 4 KiB."""

BOARD_BASE = 0x001000
"""What the board is: 4 KiB."""

_LOAD_BASE = 0x100000


def load_base(parts: EmulatorConfig) -> int:
    """Where the load port of an emulator is: the upper half, of 1 MiB unless it needs more."""
    return max(_LOAD_BASE, 1 << load_address_width(parts))


def address_width(parts: EmulatorConfig) -> int:
    """Bits of a byte address of a board with this emulator: 21 unless its load port needs more."""
    return load_base(parts).bit_length()


@dataclass(frozen=True, kw_only=True)
class BoardConfig(BoardParts):
    """One core of :attr:`chip` on a board."""

    programs: bool = False
    """Whether the core programs its cells, which answer to pulses."""
    serial: bool = False
    """Whether the digital part of the core is emulated, too: one that is serial, for boards that have no room for
    it."""

    def __post_init__(self) -> None:
        if self.chip.cores != 1:
            mesh = f"{self.chip.mesh.columns} x {self.chip.mesh.rows}"
            raise InputError(f"{self.chip.name}: mesh must have 1 column and 1 row to fit on a board, not {mesh}")
        super().__post_init__()

    @property
    def cores(self) -> int:
        """How many cores there are: one."""
        return 1

    @property
    def address_width(self) -> int:
        return address_width(self.emulator)

    @property
    def emulator(self) -> Any:
        """The emulator in place of the macro."""
        return self.kind.config(self)

    @property
    def parts(self) -> Any:
        """The emulator."""
        return self.emulator

    @property
    def blocks(self) -> CoreBlocks:
        """The core as its host knows it."""
        return self.emulator.blocks


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
                constant("magic", 16, BOARD_MAGIC, "Identifies a board: `0x6d62`."),
                constant("version", 8, BOARD_VERSION, "Version of this map and of the load port."),
                constant("core_version", 8, MAP_VERSION, "Version of the map of the core."),
            )),
            Register(name="emulator", address=0x004, doc="The array emulator.", fields=(
                constant("programs", 1, emulator.verify_bits is not None, "Cells are programmed by pulses."),
                constant("serial", 1, cfg.serial, "The digital part of the core is serial, too."),
                constant("g_bits", 6, emulator.g_bits, "Bits of the code of a cell."),
                constant("slots", 8, emulator.slots, "Tables that it holds."),
                constant("lanes", 16, emulator.lanes, "Cells that meet their input in one cycle."),
            )),
            Register(name="geometry", address=0x008, doc="Size of the core.", fields=(
                constant("lines", 16, emulator.lines, "Bit lines, source lines and word lines."),
                constant("noise", 1, emulator.noise, "It has a shift register for read noise."),
                constant("columns", 5, cfg.chip.mesh.columns, "Columns of tiles; 1: one core or one tile."),
                constant("rows", 5, cfg.chip.mesh.rows, "Rows of tiles; 1: one core or one tile."),
            )),
            Register(name="clock", address=0x00C, doc="Frequency of the design.", fields=(
                constant("hz", 32, cfg.clock_hz, "In Hz."),
            )),
            Register(name="state", address=0x010, doc="What happened since the last reset of the core.", fields=(
                Field(name="no_table", access=Access.R, doc="An operation had no table, or was not legal."),
            )),
            *(
                Register(name=f"hash_{k}", address=0x020 + 4 * k, doc="Which chip description this was made from.",
                         fields=(constant("value", 32, word, f"SHA-256, bits {255 - 32 * k}:{224 - 32 * k}."),))
                for k, word in enumerate(words)
            ),
        ),
    )
