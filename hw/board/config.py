"""Static parameters of a core on a board, and where its parts are in the address space."""

from dataclasses import dataclass, replace

from mho.hw.board.load_port import load_address_width
from mho.hw.board.parts import BoardParts
from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.emulator import EmulatorConfig, PinEmulatorConfig
from mho.hw.kinds.tnsa.blocks import TnsaBlocks
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.host.map import tnsa_map
from mho.macro_models.errors import InputError

__all__ = ["BOARD_BASE", "CORE_BASE", "LEVELS", "BoardConfig", "address_width", "load_base"]

LEVELS = ("vector", "pin")
"""Where the emulator takes over: all below the vector level, or the macro behind the pins of the core unmodified."""

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
    """One core of ``chip`` on a board.

    Parameters
    ----------
    chip
        What is emulated: lines, bits of a cell, durations of the analog operations.
    level
        Of :data:`LEVELS`.
    lanes, slots, memory, noise, search_width, converters
        As in :class:`mho.hw.emulator.EmulatorConfig` and, at pin level, :class:`mho.hw.emulator.PinEmulatorConfig`.
    clock_hz
        Frequency of the design, in Hz.
    baud
        Rate of the serial line, at most an eighth of the clock.
    link_bytes
        Size of each of the two buffers of the link, see :class:`mho.hw.host.link.config.LinkConfig`.

    Raises
    ------
    InputError
        If a value is out of range, or the parts do not fit together.
    """

    chip: Chip
    level: str = "vector"
    lanes: int = 8
    slots: int = 2
    memory: str = "block"
    noise: bool = False
    search_width: int = 1
    converters: int = 8
    clock_hz: int = 24_000_000
    baud: int = 3_000_000
    link_bytes: int = 512

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise InputError(f"level must be one of {', '.join(LEVELS)}, not {self.level!r}")
        if self.chip.cores != 1:
            mesh = f"{self.chip.mesh.columns} x {self.chip.mesh.rows}"
            raise InputError(f"{self.chip.name}: mesh must have 1 column and 1 row to fit on a board, not {mesh}")
        try:
            _ = self.emulator, self.uart, self.link
        except ValueError as error:
            raise InputError(str(error)) from None

    @property
    def cores(self) -> int:
        """How many cores there are: one."""
        return 1

    @property
    def address_width(self) -> int:
        """Bits of a byte address of the board."""
        return address_width(self.emulator)

    @property
    def core(self) -> TnsaCoreConfig:
        """The core that is emulated."""
        return self.emulated_core()

    @property
    def emulator(self) -> EmulatorConfig:
        """The emulator in place of the macro, or of core and macro."""
        if self.level == "vector":
            return self.vector_emulator
        return PinEmulatorConfig(
            core=self.core, g_bits=self.chip.core.g_bits, lanes=self.lanes, slots=self.slots, memory=self.memory,
            noise=self.noise, converters=self.converters,
            verify_bits=None if self.write is None else self.write.verify_bits,
        )

    @property
    def write(self) -> WriteVerifyConfig | None:
        """Write-verify of the core, if there is one: at pin level only."""
        if self.level == "vector" or not PulseChip.of(self.chip).programming.engine:
            return None
        return replace(WriteVerifyConfig.from_chip(self.chip), trim=False)

    @property
    def blocks(self) -> TnsaBlocks:
        """The core as its host knows it."""
        parameters = WriteVerifyParameters.from_chip(self.chip) if self.write else None
        registers = tnsa_map(self.chip.lines, self.chip.sha256, parameters, ())
        return TnsaBlocks(cfg=self.core, write=self.write, registers=registers)
