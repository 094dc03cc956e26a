"""What there is to know about a board, and what it holds: its clock, its line, how its memory is used."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from amaranth.build import Attrs, Pins, Resource, Subsignal

from mho.fpga.families import FAMILIES, Family
from mho.hw.noc.config import MAX_SIDE
from mho.macro_models.errors import InputError, ToolError


@dataclass(frozen=True, kw_only=True)
class TilesPlan:
    """How a chip of tiles is put on a board."""

    lanes: int
    """Most cells of each core that meet their input in one cycle."""
    slots: int = 8
    clock_hz: int
    baud: int
    link_bytes: int = 1024
    """As in :class:`mho.hw.board.tiles.TilesConfig`."""
    max_tiles: int = MAX_SIDE**2
    """Tiles that there is room for."""


@dataclass(frozen=True, kw_only=True)
class BoardPlan:
    """How a core is put on a board."""

    chip: str
    """Preset of the chip that it holds unless another is asked for."""
    lanes: int
    """Most cells that meet their input in one cycle."""
    word_bits: int
    """Bits of cells that the memory gives in one cycle; fewer lanes, a power of two, if cells are wide."""
    whole_lines: int = 16
    program_lines: int = 0
    """Lines of the largest core of a kind with serial ones that is there as it is generated; and of the largest whose
    cells are programmed by pulses."""
    slots: int = 2
    memory: str = "block"
    clock_hz: int
    baud: int
    link_bytes: int = 512
    """As in :class:`mho.hw.board.config.BoardConfig`."""
    tiles: TilesPlan | None = None
    """How a chip of tiles is put there; None: there is no room for one."""


STATUS = "untested on hardware"
"""Of a board whose bitstream was simulated and checked, but that nobody has reported to work."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, and what is put on it."""

    name: str
    """As in commands."""
    title: str
    """As its maker calls it."""
    device: str
    """The FPGA, with its package."""
    family: str
    """Of :data:`mho.fpga.families.FAMILIES`: which tools serve it."""
    platform: str
    """``module:class`` of the Amaranth platform, of amaranth-boards or of this package."""
    clock_hz: int
    """Of its oscillator."""
    clock_at_loop: bool = False
    """Whether that enters at the pin of the phase-locked loop of an iCE40, where no other input can be."""
    plan: BoardPlan
    """What it holds."""
    lights: tuple[tuple[str, int] | tuple[str, int, str], ...]
    """Names and numbers of the resources for the signals of :data:`mho.hw.board.top.LEDS`, in their order, with the
    name of a part, as ``("rgb_led", 0, "g")``; fewer where the board has fewer."""
    uart: tuple[str, str] | None = None
    """Pins (receive, transmit) of a serial line that the platform does not have, at 3.3 V."""
    memory_bits: int
    spram: int = 0
    """Block RAM of the device; its SPRAMs, of 256 kbit with words of 16 bits."""
    script: tuple[str, ...] = ()
    """Commands to Yosys before the synthesis."""
    synthesis: str = ""
    place: tuple[str, ...]
    """Options of the synthesis, and those by which nextpnr knows the device."""
    tiles_synthesis: str = ""
    tiles_place: tuple[str, ...] = ()
    """Options of the synthesis of a chip of tiles, and further ones of nextpnr."""
    tiles_at: tuple[tuple[str, ...], ...] = ()
    """Block RAMs, as nextpnr calls them, about which the tiles of a mesh of this size are placed: of each row, by
    columns."""
    pack: tuple[str, ...] = ()
    """Options of the tool that makes the bitstream."""
    fits: tuple[tuple[int, int], ...]
    """Largest cores that were built for it: lines and ``g_bits``."""
    pins: str = ""
    """Further resources of the platform that the lights need, as the name of its attribute."""
    high: tuple[str, ...] = ()
    """Outputs that must be driven to 1."""
    loader: str
    """The board, as openFPGALoader calls it."""
    idcode: int = 0
    """Of the device, by which JTAG tells it from others; 0 if it is not loaded through JTAG."""
    bootloader: bool = False
    """Whether it is loaded through its own bootloader, which always writes to the flash memory."""
    serial: str
    """Which of the ports of its USB chip is the serial line."""
    status: str = STATUS
    """Whether somebody has seen it work."""
    url: str
    """Where it is described."""

    def __post_init__(self) -> None:
        if not isinstance(self.plan, BoardPlan):
            raise InputError(f"plan must be a BoardPlan, not {self.plan!r}")
        if self.family not in FAMILIES:
            raise InputError(f"family must be one of {', '.join(FAMILIES)}, not {self.family!r}")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", self.name):
            raise InputError(f"name must be of small letters, digits and hyphens, not {self.name!r}")
        if self.platform.count(":") != 1:
            raise InputError(f"platform must be module:class, not {self.platform!r}")

    @property
    def served(self) -> Family:
        """Its family."""
        return FAMILIES[self.family]

    @property
    def keeps(self) -> bool:
        """Whether loading writes to its flash memory always."""
        return self.bootloader or self.served.keeps

    def make_platform(self) -> Any:
        """A fresh Amaranth platform.

        Raises ToolError if amaranth-boards is missing.
        """
        module, name = self.platform.split(":")
        try:
            make: Callable[[], Any] = getattr(import_module(module), name)
        except ImportError:
            raise ToolError("amaranth-boards is missing; install it with: pip install 'mho[fpga]'") from None
        platform = make()
        if self.pins:
            platform.add_resources(getattr(platform, self.pins))
        if self.uart is not None:
            names = (("rx", self.uart[0], "i"), ("tx", self.uart[1], "o"))
            line = [Subsignal(name, Pins(pin, dir=way)) for name, pin, way in names]
            platform.add_resources([Resource("uart", 0, *line, Attrs(IO_TYPE="LVCMOS33"))])
        return platform
