"""A chip of tiles behind a serial line."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.chip import Chip, ChipParts
from hw.chip.map import address_width
from hw.core.port import join
from hw.host.link.model import LinkConfig
from hw.host.link.uart import UartConfig
from hw.host.link.uart_bridge import UartBridge

__all__ = ["UartChip"]


class UartChip(wiring.Component):
    """The mesh of tiles, with the host link for a master.

    Parameters
    ----------
    parts
        What the chip is made of.
    uart
        The serial line.
    outside
        As at :class:`hw.tile.mesh.TileMesh`.

    Members
    -------
    rx, tx : In(1), Out(1)
        From the host, asynchronous, and to it.
    <what a chip has beside its bus>
        As it is, see :class:`hw.chip.chip.Chip`.
    """

    rx: Signal
    tx: Signal

    def __init__(self, parts: ChipParts, uart: UartConfig, *, outside: bool = False) -> None:
        self.parts, self.uart, self.outside = parts, uart, outside
        self._chip: Any = Chip(parts, outside=outside)
        self._own = {name: member for name, member in self._chip.signature.members.items() if name != "bus"}
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **self._own})  # pyright: ignore[reportCallIssue]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link = LinkConfig(address_width=address_width(self.parts.mesh))
        bridge: Any = UartBridge(link, self.uart)
        m.submodules.bridge, m.submodules.chip = bridge, self._chip
        connect(m, bridge=bridge.bus, chip=self._chip.bus)
        m.d.comb += [bridge.rx.eq(self.rx), self.tx.eq(bridge.tx)]
        join(m, wiring.Signature(self._own), self._chip, flipped(self))
        return m
