"""Registers of an emulated core in a tile, and the way to its memories."""

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from mho.hw.board.load_port import LoadPort, load_address_width
from mho.hw.core.port import join
from mho.hw.emulator import EmulatorConfig, LoadLayout
from mho.hw.emulator.layout import LoadShape
from mho.hw.host.bus import RegisterBus
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.core.host import CoreAccess
from mho.hw.host.split import BusSplit, Region


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
    cfg
        The emulator.
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
