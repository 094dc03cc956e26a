"""The top of a board: serial line, core or tiles, lights."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect

from mho.hw.board.config import BoardConfig
from mho.hw.board.core import BoardCore
from mho.hw.board.tiles import BoardTiles, TilesConfig
from mho.hw.host.link.uart import UartBridge
from mho.hw.ports import Component, In, Out

AnyConfig = BoardConfig | TilesConfig
"""A board with one core, or with tiles."""

_INSIDE: Mapping[type, Any] = MappingProxyType({BoardConfig: BoardCore, TilesConfig: BoardTiles})


def inside(cfg: AnyConfig) -> wiring.Component:
    """All of a board but its serial line: a component with ``bus``, ``busy`` and ``error``."""
    return _INSIDE[type(cfg)](cfg)

LEDS = ("alive", "busy", "error")
"""What the lights mean, lowest first: blinks; an operation is in progress; an operation failed."""


class BoardTop(Component[AnyConfig]):
    """A core with an emulated array, or a chip of tiles with such cores, behind a serial line.

    Members
    -------
    rx : In(1)
        From the host, asynchronous.
    tx : Out(1)
        To the host.
    leds : Out(3)
        See :data:`LEDS`; 1 is lit.
    """

    rx = In(1, init=1)
    tx = Out(1, init=1)
    leds = Out(len(LEDS))

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
