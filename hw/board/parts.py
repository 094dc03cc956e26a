"""What every board has of its configuration, whatever is emulated on it."""

from abc import ABC, abstractmethod
from dataclasses import replace

from mho.hw.config import Chip
from mho.hw.config.kinds.tnsa.chip import TnsaChip
from mho.hw.emulator import EmulatorConfig
from mho.hw.host.link.config import LinkConfig
from mho.hw.host.link.uart import UartConfig
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.errors import InputError

__all__ = ["BoardParts"]


class BoardParts(ABC):
    """The serial line, and the emulator of a core at the vector level.

    The members are as in :class:`mho.hw.board.config.BoardConfig`.
    """

    chip: Chip
    lanes: int
    slots: int
    memory: str
    noise: bool
    search_width: int
    clock_hz: int
    baud: int
    link_bytes: int

    @property
    @abstractmethod
    def core(self) -> TnsaCoreConfig:
        """The core that is emulated, or each of them."""

    @property
    @abstractmethod
    def address_width(self) -> int:
        """Bits of a byte address of the board."""

    def emulated_core(self, *, ranged: bool = False) -> TnsaCoreConfig:
        """A core of the chip. Its durations are constants: an emulated array has no analog time to trim.

        Raises
        ------
        InputError
            If it is of another kind than emulators are of.
        """
        if not isinstance(self.chip, TnsaChip):
            raise InputError(f"{self.chip.name}: core.kind must be tnsa on a board, not {self.chip.core.kind}")
        return replace(TnsaCoreConfig.from_chip(self.chip, ranged=ranged), trim=False, manual=False)

    @property
    def vector_emulator(self) -> EmulatorConfig:
        """The emulator in place of a core."""
        return EmulatorConfig(
            core=self.core, g_bits=self.chip.core.g_bits, lanes=self.lanes, slots=self.slots, memory=self.memory,
            noise=self.noise, search_width=self.search_width,
        )

    @property
    def uart(self) -> UartConfig:
        """The serial line."""
        return UartConfig(clock_hz=self.clock_hz, baud=self.baud)

    @property
    def link(self) -> LinkConfig:
        """The device's end of the link."""
        return LinkConfig(size=self.link_bytes, address_width=self.address_width)
