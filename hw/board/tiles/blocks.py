"""What an emulated core in a tile is made of, in the place of a core with memristors."""

from dataclasses import dataclass, replace
from typing import NoReturn

from amaranth.lib import wiring

from mho.hw.board.load_port import load_address_width
from mho.hw.board.tiles.access import EmulatedAccess, access_width, load_at
from mho.hw.emulator import EmulatorConfig, VectorEmulator
from mho.hw.host.registers import Access, RegisterMap, Window
from mho.hw.kinds.tnsa.blocks import TnsaBlocks
from mho.hw.kinds.tnsa.host.map import tnsa_map
from mho.macro_models.errors import InputError

__all__ = ["EmulatedBlocks"]

_PINLESS = InputError("an emulated core in a tile has no macro, and no host but its tile")


@dataclass(frozen=True, kw_only=True)
class EmulatedBlocks(TnsaBlocks):
    """Those of a core in a tile, with ``emulator`` in place of all below the vector port, and its load port.

    ``registers`` are those of the core, with the load port behind them.
    """

    emulator: EmulatorConfig
    core_registers: RegisterMap

    @classmethod
    def emulated(cls, emulator: EmulatorConfig, sha256: str) -> "EmulatedBlocks":
        """The blocks of an emulator, for the chip description with this hash."""
        base = tnsa_map(emulator.lines, sha256, None, (), products=False)
        load = Window(
            name="load", address=load_at(emulator, base.address_width),
            words=1 << load_address_width(emulator) - 2, access=Access.W,
            doc="Words of the load port of the emulator: cells, tables, tags, noise.",
        )
        width = access_width(emulator, base.address_width)
        registers = replace(base, address_width=width, entries=(*base.entries, load))
        return cls(cfg=emulator.core, registers=registers, emulator=emulator, core_registers=base)

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
    def configurations(self) -> tuple[object, ...]:
        """What its blocks are configured by."""
        return self, self.emulator, self.cfg, self.core_registers, self._plain

    @property
    def _plain(self) -> TnsaBlocks:
        """The same without the load port."""
        return TnsaBlocks(cfg=self.cfg, registers=self.core_registers)

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
        return EmulatedAccess(self.emulator, self._plain)
