"""What every board has of its configuration, whatever is emulated on it."""

from abc import ABC, abstractmethod
from typing import Any

from mho.hw.config import Chip
from mho.hw.emulator.kind import EmulatorKind
from mho.hw.emulator.kinds import emulator_of
from mho.hw.host.link.config import LinkConfig
from mho.hw.host.link.uart import UartConfig


class BoardParts(ABC):
    """The serial line, and what emulates a core.

    The members are as in :class:`mho.hw.board.config.BoardConfig`.
    """

    chip: Chip
    lanes: int
    slots: int
    memory: str
    noise: bool
    clock_hz: int
    baud: int
    link_bytes: int

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
