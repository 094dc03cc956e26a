"""Registers of a core whose products a program asks for: masks, trim, write-verify, counters."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.core.config import CoreConfig
from mho.hw.core.port import PRODUCTS, VectorPort, core_port
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.host.bank import RegisterBank
from mho.hw.host.bus import RegisterBus
from mho.hw.host.core.parts import connect_core
from mho.hw.host.registers import RegisterMap

__all__ = ["CoreAccess"]


class CoreAccess(wiring.Component):
    """Registers of a core between a bus and all of its vector port that is not products.

    Parameters
    ----------
    cfg
        Configuration of the core.
    map
        Its registers, of :func:`mho.hw.host.core.map.core_map` without products.
    write
        Configuration of write-verify, if the core programs its cells.

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    reset : In(1)
        Resets the core, and the queues of write-verify.
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    <the members of :func:`mho.hw.core.port.core_port` but those of products>
        The vector port, whose other end the core is.
    """

    bus: Any
    reset: Value
    irq: Value
    soft_reset: Value
    mask: stream.Interface
    status: Any
    write_status: Any
    trim: Any
    manual: Any

    def __init__(self, cfg: CoreConfig, map: RegisterMap, write: WriteVerifyConfig | None = None) -> None:
        self.cfg, self.map, self.write = cfg, map, write
        self.port = wiring.Signature({
            name: member for name, member in self.core_port.members.items() if name not in PRODUCTS
        })
        super().__init__({
            "bus": In(RegisterBus(map.address_width)), "reset": In(1), "irq": Out(1),
            **{name: member.flip() for name, member in self.port.members.items()},
        })

    @property
    def core_port(self) -> VectorPort:
        """The vector port of the core."""
        return core_port(self.cfg, self.write)

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
        programmed = connect_core(m, self.cfg, self.write, bank, self)
        m.d.comb += self.irq.eq(irq if programmed is None else irq | programmed)
        return m
