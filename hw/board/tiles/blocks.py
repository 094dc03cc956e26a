"""What an emulated core in a tile is made of, in the place of a core with memristors."""

from dataclasses import dataclass, replace
from typing import Any, NoReturn

from amaranth.hdl import Module, Value
from amaranth.lib import wiring

from mho.hw.board.load_port import load_address_width
from mho.hw.board.tiles.access import EmulatedAccess, access_width, load_at
from mho.hw.core.port import VectorPort
from mho.hw.emulator.kind import BoardOptions, EmulatorKind
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.registers import Access, Window
from mho.macro_models.errors import InputError

_PINLESS = InputError("an emulated core in a tile has no macro, and no host but its tile")


@dataclass(frozen=True, kw_only=True)
class EmulatedBlocks(CoreBlocks):
    """Those of a core in a tile, with ``emulator`` in place of its macro, and its load port.

    ``registers`` are its registers, with the load port behind them.
    """

    kind: EmulatorKind
    emulator: Any

    @classmethod
    def emulated(cls, kind: EmulatorKind, board: BoardOptions) -> "EmulatedBlocks":
        """The blocks of each core of a board with tiles."""
        emulator = kind.config(board, ranged=True)
        base = emulator.blocks.registers
        load = Window(
            name="load", address=load_at(emulator, base.address_width),
            words=1 << load_address_width(emulator) - 2, access=Access.W,
            doc="Words of the load port of the emulator: cells, tables, tags, noise.",
        )
        width = access_width(emulator, base.address_width)
        registers = replace(base, address_width=width, entries=(*base.entries, load))
        return cls(cfg=emulator.core, registers=registers, kind=kind, emulator=emulator)

    @property
    def plain(self) -> CoreBlocks:
        """The core without that."""
        return self.emulator.blocks

    @property
    def port(self) -> VectorPort:
        """That of the core."""
        return self.plain.port

    def op_check(self) -> wiring.Component:
        """That of the core."""
        return self.plain.op_check()

    def input_words(self, op: Any) -> Value:
        """Those of the core."""
        return self.plain.input_words(op)

    def connect(self, m: Module, bank: Any, core: Any) -> None:
        """As of the core."""
        self.plain.connect(m, bank, core)

    def reference(self, model: Any) -> Any:
        """That of the core."""
        return self.plain.reference(model)

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
        return self, self.emulator, self.cfg, self.plain.registers, self.plain

    def core(self) -> wiring.Component:
        """The emulator."""
        return self.kind.component(self.emulator)

    def digital(self) -> NoReturn:
        """There is no macro to be left out; as :attr:`pins`."""
        raise _PINLESS

    def host(self) -> NoReturn:
        """It is in a tile; as :attr:`pins`."""
        raise _PINLESS

    @property
    def load_base(self) -> int:
        """Byte, from the registers of the core on, at which the load port is."""
        return load_at(self.emulator, self.plain.registers.address_width)

    def access(self) -> wiring.Component:
        """Its registers and its load port."""
        return EmulatedAccess(self.emulator, self.plain)
