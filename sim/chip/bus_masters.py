"""Masters of AXI4-Lite and Wishbone in Verilog, for benches of many accesses, and a chip with one of them."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from mho.hw.chip.map import ChipParts, address_width
from mho.hw.chip.tops import ChipTop
from mho.hw.core.port import join
from mho.hw.host.bridges.axil import AxiLite
from mho.hw.host.bridges.wishbone import Wishbone
from mho.hw.host.bus import RegisterBus, request_layout


class _Master(wiring.Component):
    """Carries out requests one at a time. An answer that nobody waits for makes every later one an error.

    Parameters
    ----------
    address_width
        Bits of a byte address.

    Members
    -------
    bus : In(RegisterBus)
        What it is to do.
    <name> : In(outside)
        The bus outside.
    """

    bus: Any

    def __init__(self, address_width: int, name: str, outside: wiring.Signature) -> None:
        self.address_width = address_width
        super().__init__({"bus": In(RegisterBus(address_width)), name: In(outside)})

    def _begin(self, m: Module) -> tuple[Any, Value]:
        """The request at hand, which stays; and a strobe when it comes."""
        request = self.bus.request
        access = Signal(request_layout(self.address_width))
        self._busy = Signal(name="busy")
        m.d.comb += request.ready.eq(~self._busy)
        with m.If(request.valid & request.ready):
            m.d.sync += [access.eq(request.p), self._busy.eq(1)]
        return access, request.valid & request.ready

    def _end(self, m: Module, waits: Value, answered: Value, data: Value, error: Value) -> None:
        """The answer has come, which must have been wanted."""
        response = self.bus.response
        stray = Signal()
        with m.If(answered & ~waits):
            m.d.sync += stray.eq(1)
        with m.If(answered & waits):
            m.d.sync += [response.valid.eq(1), response.p.data.eq(data), response.p.error.eq(error | stray)]
        with m.If(response.valid & response.ready):
            m.d.sync += [response.valid.eq(0), self._busy.eq(0)]

    @staticmethod
    def _random(m: Module) -> Signal:
        """Bits that change at random, for pauses: a shift register with feedback of period 2**16 - 1."""
        bits = Signal(16, init=0xACE1, name="random")
        m.d.sync += bits.eq(Cat(bits[1:], bits[0] ^ bits[2] ^ bits[3] ^ bits[5]))
        return bits


class AxiLiteMaster(_Master):
    """Of AXI4-Lite: pauses at random on all five channels. Members as of its base, the bus outside is ``s_axil``."""

    s_axil: Any

    def __init__(self, address_width: int) -> None:
        super().__init__(address_width, "s_axil", AxiLite(address_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axi, random = self.s_axil, self._random(m)
        access, begins = self._begin(m)
        goes_on = Signal(3)
        writes = self.bus.request.p.write
        for k, (valid, ready) in enumerate((
            (axi.awvalid, axi.awready), (axi.wvalid, axi.wready), (axi.arvalid, axi.arready),
        )):
            # To be shown; and shown until it is taken.
            waits = goes_on[k]
            with m.If(begins):
                m.d.sync += waits.eq(~writes if k == 2 else writes)
            with m.Elif(waits & ~valid):
                m.d.sync += valid.eq(random[5 * k])
            with m.Elif(valid & ready):
                m.d.sync += [waits.eq(0), valid.eq(0)]
        m.d.sync += [axi.bready.eq(random[3]), axi.rready.eq(random[8])]
        m.d.comb += [
            axi.awaddr.eq(access.address << 2),
            axi.araddr.eq(axi.awaddr), axi.wdata.eq(access.data), axi.wstrb.eq(access.strobe),
        ]
        wrote, read = axi.bvalid & axi.bready, axi.rvalid & axi.rready
        answered = Signal()
        with m.If(begins):
            m.d.sync += answered.eq(0)
        with m.Elif(wrote | read):
            m.d.sync += answered.eq(1)
        awaited = self._busy & ~answered & (goes_on == 0) & (wrote == access.write) & (read != access.write)
        error = (wrote & (axi.bresp != 0)) | (read & (axi.rresp != 0))
        self._end(m, awaited, wrote | read, axi.rdata, error)
        return m


class WishboneMaster(_Master):
    """Of Wishbone, classic cycles with gaps of random length. Members as of its base, the bus outside is ``wb``."""

    wb: Any

    def __init__(self, address_width: int) -> None:
        super().__init__(address_width, "wb", Wishbone(address_width))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wb, random = self.wb, self._random(m)
        waits = Signal()
        access, begins = self._begin(m)
        answered = wb.ack_o | wb.err_o
        with m.If(begins):
            m.d.sync += waits.eq(1)
        with m.Elif(waits & ~wb.stb_i):
            m.d.sync += [wb.stb_i.eq(random[0]), wb.cyc_i.eq(wb.cyc_i | random[0] | random[7])]
        with m.Elif(answered):
            # Some cycles go on without a strobe.
            m.d.sync += [waits.eq(0), wb.stb_i.eq(0), wb.cyc_i.eq(random[4])]
        m.d.comb += [
            wb.we_i.eq(access.write), wb.sel_i.eq(access.strobe), wb.dat_i.eq(access.data),
            wb.adr_i.eq(access.address << 2),
        ]
        self._end(m, waits & wb.stb_i, answered, wb.dat_o, wb.err_o)
        return m


_MASTERS = {"axil": AxiLiteMaster, "wishbone": WishboneMaster}


class MasteredChip(wiring.Component):
    """A chip of tiles behind a bus whose master is driven as a register bus.

    Parameters
    ----------
    parts
        What the chip is made of.
    wrap
        ``axil`` or ``wishbone``.

    Members
    -------
    <as of a chip>
        See :class:`mho.hw.chip.tops.TiledChip`.
    """

    bus: Any

    def __init__(self, parts: ChipParts, wrap: str) -> None:
        self.parts, self.wrap, width = parts, wrap, address_width(parts.mesh)
        self._top: Any = ChipTop(parts, wrap=wrap)
        self._master: Any = _MASTERS[wrap](width)
        self._outside = next(name for name in self._master.signature.members if name != "bus")
        self._own = {name: m for name, m in self._top.signature.members.items() if name != self._outside}
        super().__init__({"bus": In(RegisterBus(width)), **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.master, m.submodules.top = self._master, self._top
        connect(m, flipped(self.bus), self._master.bus)
        connect(m, master=getattr(self._master, self._outside), top=getattr(self._top, self._outside))
        join(m, wiring.Signature(self._own), self._top, flipped(self))
        return m
