"""The load port of an emulator as words of an address space."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.host.bus import RegisterBus
from hw.macro.emulator import EmulatorConfig, LoadLayout
from hw.macro.emulator.layout import index_width

__all__ = ["LoadPort", "load_address_width"]

_REGION_BITS = 2


def load_address_width(cfg: EmulatorConfig) -> int:
    """Bits of a byte address of the load port."""
    return index_width(cfg) + _REGION_BITS + 2


class LoadPort(wiring.Component):
    """Writes of whole words go to the load port, two cycles each and longer while the emulator reads its cells.

    A read and a write of a part of a word answer with an error. The word at byte address
    ``4 * (region << index_width | index)`` is that of ``index`` in ``region``.

    Members
    -------
    bus : In(RegisterBus)
        The bus.
    load : Out(stream of LoadLayout)
        To the emulator.
    """

    bus: Any
    load: stream.Interface

    def __init__(self, cfg: EmulatorConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "bus": In(RegisterBus(load_address_width(cfg))),
            "load": Out(stream.Signature(LoadLayout(cfg))),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response, width = self.bus.request, self.bus.response, index_width(self.cfg)
        legal = Signal()
        m.d.comb += [
            legal.eq(request.p.write & request.p.strobe.all()),
            self.load.valid.eq(request.valid & legal & ~response.valid),
            self.load.p.index.eq(request.p.address), self.load.p.region.eq(request.p.address[width:]),
            self.load.p.data.eq(request.p.data),
            request.ready.eq(~response.valid & (~legal | self.load.ready)),
        ]  # fmt: skip
        with m.If(response.ready):
            m.d.sync += response.valid.eq(0)
        with m.If(request.valid & request.ready):
            m.d.sync += [response.valid.eq(1), response.p.error.eq(~legal)]
        return m
