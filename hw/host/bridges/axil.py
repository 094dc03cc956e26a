"""AXI4-Lite to the register bus."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib.wiring import In, Out

from mho.hw import ports
from mho.hw.host.bus import RegisterBus
from mho.hw.ports import SizedSignature

SLVERR = 2
"""Response to an access that failed."""


class AxiLite(SizedSignature):
    """AXI4-Lite of 32 bits, seen from the device; names as in the specification.

    Parameters
    ----------
    address_width
        Bits of a byte address.
    """

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__({
            "awaddr": In(address_width), "awprot": In(3), "awvalid": In(1), "awready": Out(1),
            "wdata": In(32), "wstrb": In(4), "wvalid": In(1), "wready": Out(1),
            "bresp": Out(2), "bvalid": Out(1), "bready": In(1),
            "araddr": In(address_width), "arprot": In(3), "arvalid": In(1), "arready": Out(1),
            "rdata": Out(32), "rresp": Out(2), "rvalid": Out(1), "rready": In(1),
        })


class AxiLiteBridge(ports.Component):
    """AXI4-Lite device: the five channels are independent, reads and writes take turns."""

    s_axil = ports.Out(lambda self: AxiLite(self.address_width))
    """The bus outside."""
    bus = ports.Out(lambda self: RegisterBus(self.address_width))
    """The bus inside."""

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi, request, response = self.s_axil, self.bus.request, self.bus.response
        size = len(request.p.address)
        write_address = Signal(size)
        write_data = Signal(32)
        strobe = Signal(4)
        read_address = Signal(size)
        has_write_address = Signal()
        has_write_data = Signal()
        has_read_address = Signal()
        waiting = Signal()
        writing = Signal()
        can_write = Signal()
        can_read = Signal()
        choose_write = Signal()
        chosen = Signal()
        choice = Signal()

        m.d.comb += [
            axi.awready.eq(~has_write_address), axi.wready.eq(~has_write_data), axi.arready.eq(~has_read_address),
            can_write.eq(has_write_address & has_write_data & ~axi.bvalid),
            can_read.eq(has_read_address & ~axi.rvalid),
            # What was not served last goes first; a request that waits is not withdrawn.
            choose_write.eq(Mux(chosen, choice, can_write & ~(can_read & writing))),
            request.valid.eq((can_write | can_read) & ~waiting),
            request.p.write.eq(choose_write),
            request.p.address.eq(Mux(choose_write, write_address, read_address)),
            request.p.data.eq(write_data), request.p.strobe.eq(strobe),
            response.ready.eq(1),
        ]
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += [has_write_address.eq(1), write_address.eq(axi.awaddr[2:])]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [has_write_data.eq(1), write_data.eq(axi.wdata), strobe.eq(axi.wstrb)]
        with m.If(axi.arvalid & axi.arready):
            m.d.sync += [has_read_address.eq(1), read_address.eq(axi.araddr[2:])]
        with m.If(axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        m.d.sync += [chosen.eq(request.valid & ~request.ready), choice.eq(choose_write)]
        with m.If(request.valid & request.ready):
            m.d.sync += [waiting.eq(1), writing.eq(choose_write)]
        with m.If(response.valid):
            self._answer(m, writing, has_write_address, has_write_data, has_read_address)
            m.d.sync += waiting.eq(0)
        return m

    def _answer(self, m: Module, writing: Signal, *pending: Signal) -> None:
        axi, response = self.s_axil, self.bus.response.p
        has_write_address, has_write_data, has_read_address = pending
        code = Mux(response.error, SLVERR, 0)
        with m.If(writing):
            m.d.sync += [axi.bvalid.eq(1), axi.bresp.eq(code), has_write_address.eq(0), has_write_data.eq(0)]
        with m.Else():
            m.d.sync += [axi.rvalid.eq(1), axi.rresp.eq(code), axi.rdata.eq(response.data), has_read_address.eq(0)]
