"""What an emulated core in a tile is made of, in the place of a core with memristors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from amaranth.lib import wiring

from mho.hw.board.load_port import load_address_width
from mho.hw.board.tiles.access import EmulatedAccess, access_width, load_at
from mho.hw.core.config import CoreConfig
from mho.hw.core.port import VectorPort, core_port
from mho.hw.core.reference import CoreReference, MacroModel
from mho.hw.emulator import EmulatorConfig, VectorEmulator
from mho.hw.host.core.map import core_map
from mho.hw.host.registers import Access, RegisterMap, Window
from mho.macro_models.errors import InputError

__all__ = ["EmulatedBlocks"]

_PINLESS = InputError("an emulated core in a tile has no macro, and no host but its tile")


@dataclass(frozen=True, kw_only=True)
class EmulatedBlocks:
    """See :class:`mho.hw.kinds.CoreBlocks`: ``emulator`` in place of all below the vector port, and its registers."""

    emulator: EmulatorConfig
    core_registers: RegisterMap

    @classmethod
    def of(cls, emulator: EmulatorConfig, sha256: str) -> "EmulatedBlocks":
        """The blocks of an emulator, for the chip description with this hash."""
        return cls(emulator=emulator, core_registers=core_map(emulator.lines, sha256, None, (), products=False))

    @property
    def cfg(self) -> CoreConfig:
        """Configuration of the core."""
        return self.emulator.core

    def reference(self, model: MacroModel) -> CoreReference:
        """Reference of the core, with a model of its macro."""
        return CoreReference(self.cfg, model)

    @property
    def registers(self) -> RegisterMap:
        """Registers of the core, and the load port of the emulator."""
        base = self.core_registers
        load = Window(
            name="load", address=self.load_base,
            words=1 << load_address_width(self.emulator) - 2, access=Access.W,
            doc="Words of the load port of the emulator: cells, tables, tags, noise.",
        )
        return replace(
            base, address_width=access_width(self.emulator, base.address_width), entries=(*base.entries, load)
        )

    @property
    def pins(self) -> NoReturn:
        """There are none.

        Raises
        ------
        InputError
            Always.
        """
        raise _PINLESS

    @property
    def port(self) -> VectorPort:
        """The vector port."""
        return core_port(self.cfg)

    @property
    def programs(self) -> bool:
        """It does not program its cells: they are loaded."""
        return False

    @property
    def configurations(self) -> tuple[object, ...]:
        """What its blocks are configured by."""
        return self, self.emulator, self.cfg, self.core_registers

    @property
    def trim(self) -> int | None:
        """An emulated array has no analog time to trim."""
        return None

    @property
    def idle(self) -> Mapping[str, int]:
        """Other inputs that nothing uses."""
        return {}

    def core(self) -> wiring.Component:
        """The emulator."""
        return VectorEmulator(self.emulator)

    def digital(self) -> NoReturn:
        """There is no macro to be left out; as :attr:`pins`."""
        raise _PINLESS

    def host(self) -> NoReturn:
        """It is in a tile; as :attr:`pins`."""
        raise _PINLESS

    @property
    def load_base(self) -> int:
        """Byte, from the registers of the core on, at which the load port is."""
        return load_at(self.emulator, self.core_registers.address_width)

    def access(self) -> wiring.Component:
        """Its registers and its load port."""
        return EmulatedAccess(self.emulator, self.core_registers)
