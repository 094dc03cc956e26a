"""The top of a board: serial line, core or tiles, lights."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw import ports
from mho.hw.board.config import BOARD_BASE, CORE_BASE, BoardConfig, address_width, board_map, load_base
from mho.hw.board.load_port import LoadPort
from mho.hw.board.tiles import BoardTiles, TilesConfig
from mho.hw.core.port import join
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import BusSplit, Region, RegisterBus
from mho.hw.host.core.host import CoreHost
from mho.hw.host.core.map import ADDRESS_WIDTH as CORE_WIDTH
from mho.hw.host.link.uart import UartBridge
from mho.hw.ports import Component, In, Out


class BoardCore(ports.Component[BoardConfig]):
    """A core with an emulated array behind a register bus.

    From :data:`~mho.hw.board.config.CORE_BASE` on are the registers of the core
    (:func:`mho.hw.host.core.map.core_map`), from :data:`~mho.hw.board.config.BOARD_BASE` on those of the board
    (:func:`~mho.hw.board.config.board_map`), from :func:`~mho.hw.board.config.load_base` on the load port
    (:class:`~mho.hw.board.load_port.LoadPort`).
    """

    bus = ports.In(lambda self: RegisterBus(address_width(self.cfg.emulator)))
    """The bus."""
    busy = ports.Out(1)
    """An operation is in progress."""
    error = ports.Out(1)
    """An operation since the last reset of the core had no table."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, parts = self.cfg, self.cfg.emulator
        emulator: Any = cfg.kind.component(parts)
        bank: Any = RegisterBank(board_map(cfg))
        m.submodules.load_port = load = LoadPort(parts)
        regions = (
            Region("core", CORE_BASE, CORE_WIDTH), Region("board", BOARD_BASE, bank.map.address_width),
            Region("load", load_base(parts), load.bus.signature.address_width),
        )
        split: Any = BusSplit(address_width(parts), regions)
        m.submodules.split = split
        m.submodules.board = bank
        m.submodules.host = host = CoreHost(cfg.blocks)
        m.submodules.core = emulator
        connect(m, outside=flipped(self.bus), split=split.bus)
        connect(m, split=split.core, host=host.bus)
        connect(m, split=split.board, bank=bank.bus)
        connect(m, split=split.load, load=load.bus)
        connect(m, load=load.load, core=emulator.load)
        join(m, emulator.port, emulator, host)
        m.d.comb += [
            bank.state.no_table.eq(emulator.status.error), self.busy.eq(emulator.status.busy),
            self.error.eq(emulator.status.error),
        ]
        if parts.verify_bits is not None:
            connect(m, load=load.peek, core=emulator.peek)
            m.d.comb += load.peeked.eq(emulator.peeked)
        return m


AnyConfig = BoardConfig | TilesConfig
"""A board with one core, or with tiles."""

_INSIDE: Mapping[type, Any] = MappingProxyType({BoardConfig: BoardCore, TilesConfig: BoardTiles})


def inside(cfg: AnyConfig) -> wiring.Component:
    """All of a board but its serial line: a component with ``bus``, ``busy`` and ``error``."""
    return _INSIDE[type(cfg)](cfg)

LEDS = ("alive", "busy", "error")
"""What the lights mean, lowest first: blinks; an operation is in progress; an operation failed."""


class BoardTop(Component[AnyConfig]):
    """A core with an emulated array, or a chip of tiles with such cores, behind a serial line."""

    rx = In(1, init=1)
    """From the host, asynchronous."""
    tx = Out(1, init=1)
    """To the host."""
    leds = Out(len(LEDS))
    """See :data:`LEDS`; 1 is lit."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bridge: Any = UartBridge(self.cfg.link, self.cfg.uart)
        core: Any = inside(self.cfg)
        m.submodules.bridge, m.submodules.core = bridge, core
        connect(m, bridge=bridge.bus, core=core.bus)
        # About a second, whatever the clock.
        tick = Signal(self.cfg.clock_hz.bit_length())
        m.d.sync += tick.eq(tick + 1)
        m.d.comb += [bridge.rx.eq(self.rx), self.tx.eq(bridge.tx), self.leds.eq(Cat(tick[-1], core.busy, core.error))]
        return m
