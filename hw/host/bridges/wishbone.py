"""Wishbone B4 to the register bus."""

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from mho.hw import ports
from mho.hw.host.bus import RegisterBus
from mho.hw.ports import SizedSignature


class Wishbone(SizedSignature):
    """Wishbone B4 classic of 32 bits with byte selects, seen from the device; names as in the specification.

    Parameters
    ----------
    address_width
        Bits of a byte address.
    """

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__({
            "cyc_i": In(1), "stb_i": In(1), "we_i": In(1), "sel_i": In(4),
            "adr_i": In(address_width), "dat_i": In(32),
            "ack_o": Out(1), "err_o": Out(1), "dat_o": Out(32),
        })


class WishboneBridge(ports.Component):
    """Wishbone device, classic cycles: at least two cycles an access, one access at a time.

    A master that ends a cycle without waiting for its answer gets none; the access itself may have happened.
    """

    wb = ports.Out(lambda self: Wishbone(self.address_width))
    """The bus outside."""
    bus = ports.Out(lambda self: RegisterBus(self.address_width))
    """The bus inside."""

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wb, request, response = self.wb, self.bus.request, self.bus.response
        strobe = Signal()
        waiting = Signal()
        abandoned = Signal()
        answered = Signal()
        m.d.comb += [
            strobe.eq(wb.cyc_i & wb.stb_i),
            request.valid.eq(strobe & ~waiting),
            request.p.address.eq(wb.adr_i[2:]), request.p.write.eq(wb.we_i),
            request.p.data.eq(wb.dat_i), request.p.strobe.eq(wb.sel_i),
            response.ready.eq(1),
            answered.eq(response.valid & strobe & ~abandoned),
            wb.ack_o.eq(answered & ~response.p.error), wb.err_o.eq(answered & response.p.error),
            wb.dat_o.eq(response.p.data),
        ]
        with m.If(request.valid & request.ready):
            m.d.sync += waiting.eq(1)
        with m.If(waiting & ~strobe):
            m.d.sync += abandoned.eq(1)
        with m.If(response.valid):
            m.d.sync += [waiting.eq(0), abandoned.eq(0)]
        return m
