"""All of a board with tiles but its serial line: the chip, its cores emulated, and what it is."""

from dataclasses import dataclass, replace
from typing import Any, NoReturn

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw.board.config import BoardParts, board_map
from mho.hw.board.load_port import LoadPort, load_address_width
from mho.hw.chip.map import ChipParts, address_width, chip_page, tiles_of
from mho.hw.chip.tops import TiledChip
from mho.hw.core.port import VectorPort, join
from mho.hw.emulator.config import EmulatorConfig, LoadLayout
from mho.hw.emulator.kind import BoardOptions, EmulatorKind
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import BusSplit, Region, RegisterBus
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.core.host import CoreAccess
from mho.hw.host.registers import Access, Window
from mho.hw.noc.config import MeshConfig
from mho.hw.ports import Component, In, Out
from mho.hw.tile.rtl.host import CORE_AT
from mho.macro_models.errors import InputError


def load_at(cfg: EmulatorConfig, registers: int) -> int:
    """Byte, from the registers of the core on, at which the load port is: behind ``2**registers`` bytes of these."""
    return 1 << max(load_address_width(cfg), registers)


def access_width(cfg: EmulatorConfig, registers: int) -> int:
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
            **self._registers.port.members, "load": wiring.In(stream.Signature(LoadLayout(cfg))),
        })
        super().__init__({
            "bus": wiring.In(RegisterBus(access_width(cfg, core.registers.address_width))),
            "reset": wiring.In(1), "irq": wiring.Out(1),
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
        return self.plain.port

    def op_check(self) -> wiring.Component:
        return self.plain.op_check()

    def input_words(self, op: Any) -> Value:
        return self.plain.input_words(op)

    def connect(self, m: Module, bank: Any, core: Any) -> None:
        self.plain.connect(m, bank, core)

    def reference(self, model: Any) -> Any:
        return self.plain.reference(model)

    @property
    def pins(self) -> NoReturn:
        """There are none.

        Raises InputError always.
        """
        raise _PINLESS

    @property
    def configurations(self) -> tuple[object, ...]:
        return self, self.emulator, self.cfg, self.plain.registers, self.plain

    def core(self) -> wiring.Component:
        return self.kind.component(self.emulator)

    def digital(self) -> NoReturn:
        raise _PINLESS

    def host(self) -> NoReturn:
        raise _PINLESS

    @property
    def load_base(self) -> int:
        """Byte, from the registers of the core on, at which the load port is."""
        return load_at(self.emulator, self.plain.registers.address_width)

    def access(self) -> wiring.Component:
        return EmulatedAccess(self.emulator, self.plain)


@dataclass(frozen=True, kw_only=True)
class TilesConfig(BoardParts):
    """All tiles of a chip of more than one on a board, the macros of their cores emulated.

    Its cores have constants in place of trimmed durations and no write-verify, as on a board of one core.
    """

    slots: int = 8

    @property
    def programs(self) -> bool:
        """Cores in tiles do not program their cells."""
        return False

    @property
    def serial(self) -> bool:
        """They are serial, where their kind has that."""
        return self.kind.serial

    @property
    def cores(self) -> int:
        """How many cores there are."""
        return self.chip.cores

    @property
    def emulator(self) -> EmulatorConfig:
        """The emulator in place of a macro."""
        return self.kind.config(self, ranged=True)

    @property
    def parts(self) -> ChipParts:
        """What the chip is made of. Each lane of a tile has a memory of all parameters: block RAM has room for that."""
        mesh = MeshConfig.from_chip(self.chip)
        return ChipParts(
            tiles=tiles_of(self.chip, copies=True), mesh=mesh,
            core=EmulatedBlocks.emulated(self.kind, self),
            page=chip_page(mesh, self.chip.lines, self.chip.sha256),
        )

    @property
    def load_base(self) -> int:
        """Byte, from that of a tile on, at which the load port of its emulator is."""
        return CORE_AT + EmulatedBlocks.emulated(self.kind, self).load_base

    @property
    def board_base(self) -> int:
        """Byte from which on the board says what it is: behind the chip."""
        return 1 << address_width(MeshConfig.from_chip(self.chip))

    @property
    def address_width(self) -> int:
        return self.board_base.bit_length()


class BoardTiles(Component[TilesConfig]):
    """A chip of tiles with emulated cores behind a register bus.

    From 0 on is the chip (:func:`mho.hw.chip.map.address_map`), from ``cfg.board_base`` on are the registers of the
    board (:func:`~mho.hw.board.config.board_map`).
    """

    bus = In(lambda self: RegisterBus(self.cfg.address_width))
    """The bus."""
    busy = Out(1)
    """The host is at the bus."""
    error = Out(1)
    """The interrupt of the chip, of whatever the host has enabled."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        parts = cfg.parts
        bank: Any = RegisterBank(board_map(cfg))
        chip: Any = TiledChip(parts)
        split: Any = BusSplit(cfg.address_width, (
            Region("chip", 0, address_width(parts.mesh)), Region("board", cfg.board_base, bank.map.address_width),
        ))
        m.submodules.split, m.submodules.board, m.submodules.chip = split, bank, chip
        connect(m, flipped(self.bus), split.bus)
        connect(m, split.chip, chip.bus)
        connect(m, split.board, bank.bus)
        m.d.comb += [
            bank.state.no_table.eq(chip.irq), self.busy.eq(self.bus.request.valid), self.error.eq(chip.irq),
        ]
        return m
