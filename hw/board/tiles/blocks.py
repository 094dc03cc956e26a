"""What an emulated core in a tile is made of, in the place of a core with memristors."""

from dataclasses import dataclass, replace
from typing import Any, NoReturn

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.board.load_port import LoadPort, load_address_width
from mho.hw.core.port import VectorPort, join
from mho.hw.emulator import EmulatorConfig, LoadLayout
from mho.hw.emulator.config import LoadShape
from mho.hw.emulator.kind import BoardOptions, EmulatorKind
from mho.hw.host.bus import BusSplit, Region, RegisterBus
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.core.host import CoreAccess
from mho.hw.host.registers import Access, Window
from mho.macro_models.errors import InputError


def load_at(cfg: LoadShape, registers: int) -> int:
    """Byte, from the registers of the core on, at which the load port is: behind ``2**registers`` bytes of these."""
    return 1 << max(load_address_width(cfg), registers)


def access_width(cfg: LoadShape, registers: int) -> int:
    """Bits of a byte address of both."""
    return load_at(cfg, registers).bit_length()


class EmulatedAccess(wiring.Component):
    """As :class:`mho.hw.host.core.host.CoreAccess`, with the load port of an emulator behind the registers.

    Parameters
    ----------
    core
        The core as its host knows it, with a map of registers without products.

    Members
    -------
    bus : In(RegisterBus)
        The bus: registers from byte 0 on, from :func:`load_at` on the load port
        (:class:`mho.hw.board.load_port.LoadPort`).
    reset, irq
        As there.
    load : Out(stream of LoadLayout(cfg))
        To the emulator.
    <the members of :class:`mho.hw.host.core.host.CoreAccess` but these>
        The vector port.
    """

    bus: Any
    reset: Value
    irq: Value
    load: stream.Interface

    def __init__(self, cfg: EmulatorConfig, core: CoreBlocks) -> None:
        self.cfg, self.core = cfg, core
        self._registers = CoreAccess(core)
        self.port = wiring.Signature({
            **self._registers.port.members, "load": In(stream.Signature(LoadLayout(cfg))),
        })
        super().__init__({
            "bus": In(RegisterBus(access_width(cfg, core.registers.address_width))), "reset": In(1), "irq": Out(1),
            **{name: member.flip() for name, member in self.port.members.items()},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers: Any = self._registers
        m.submodules.registers = registers
        m.submodules.load_port = load = LoadPort(self.cfg)
        width = registers.map.address_width
        split: Any = BusSplit(self.bus.signature.address_width, (
            Region("registers", 0, width), Region("load", load_at(self.cfg, width), load_address_width(self.cfg)),
        ))
        m.submodules.split = split
        connect(m, flipped(self.bus), split.bus)
        connect(m, split.registers, registers.bus)
        connect(m, split.load, load.bus)
        connect(m, load.load, flipped(self.load))
        m.d.comb += [registers.reset.eq(self.reset), self.irq.eq(registers.irq)]
        # Seen from the registers, what they drive is outside.
        join(m, registers.port, flipped(self), registers)
        return m


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
