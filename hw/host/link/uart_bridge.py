"""Serial line to the register bus."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.host.bus import RegisterBus
from mho.hw.host.link.endpoint import LinkTarget
from mho.hw.host.link.model import LinkConfig
from mho.hw.host.link.uart import UartConfig, UartReceiver, UartTransmitter

__all__ = ["UartBridge"]


class UartBridge(wiring.Component):
    """The host link (docs/design/link.md) on a serial line of 8 data bits, no parity, 1 stop bit.

    Parameters
    ----------
    cfg
        Configuration of the link.
    uart
        Clock and rate of the line.

    Members
    -------
    rx : In(1)
        From the host, asynchronous.
    tx : Out(1)
        To the host.
    bus : Out(RegisterBus)
        What the requests access.
    """

    rx: Signal
    tx: Signal
    bus: Any

    def __init__(self, cfg: LinkConfig, uart: UartConfig) -> None:
        self.cfg, self.uart = cfg, uart
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "bus": Out(RegisterBus(cfg.address_width))})  # pyright: ignore[reportCallIssue]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(self.uart)
        m.submodules.transmitter = transmitter = UartTransmitter(self.uart)
        m.submodules.target = target = LinkTarget(self.cfg)
        connect(m, receiver=receiver.o, target=target.i)
        connect(m, target=target.o, transmitter=transmitter.i)
        connect(m, outside=flipped(self.bus), target=target.bus)
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]
        return m
