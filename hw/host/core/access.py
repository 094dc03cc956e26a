"""Registers of a core whose products a program asks for: masks, trim, write-verify, counters."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.core.port import PRODUCTS, VectorMembers
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import RegisterBus
from mho.hw.host.core.hosted import HostedCore
from mho.hw.host.core.parts import connect_core

__all__ = ["CoreAccess"]


class CoreAccess(wiring.Component, VectorMembers):
    """Registers of a core between a bus and all of its vector port that is not products.

    Parameters
    ----------
    blocks
        The core, with a map of registers without products.

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    reset : In(1)
        Resets the core, and the queues of write-verify.
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    <the members of ``blocks.port`` but those of products>
        The vector port, whose other end the core is.
    """

    bus: Any
    reset: Value
    irq: Value

    def __init__(self, blocks: HostedCore) -> None:
        self.blocks, self.map = blocks, blocks.registers
        self.port = wiring.Signature({
            name: member for name, member in blocks.port.members.items() if name not in PRODUCTS
        })
        super().__init__({
            "bus": In(RegisterBus(self.map.address_width)), "reset": In(1), "irq": Out(1),
            **{name: member.flip() for name, member in self.port.members.items()},
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bank: Any = RegisterBank(self.map)
        m.submodules.registers = bank
        connect(m, host=flipped(self.bus), bank=bank.bus)
        held = Signal()
        m.d.sync += held.eq(bank.control.soft_reset)
        m.d.comb += [
            self.soft_reset.eq(held | self.reset), bank.status.busy.eq(self.status.busy),
            bank.status.error.eq(self.status.error),
        ]
        irq: Value = self.status.error & bank.interrupt_enable.error
        programmed = connect_core(m, self.blocks, bank, self)
        m.d.comb += self.irq.eq(irq if programmed is None else irq | programmed)
        return m
