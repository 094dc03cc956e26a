"""Registers of a core in a tile that the host asks for operations, too: while no program runs."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from mho.hw import ports
from mho.hw.core.port import PRODUCTS, VectorMembers, join
from mho.hw.host.bus import RegisterBus
from mho.hw.host.core.host import CoreHost


class SharedAccess(ports.Component, VectorMembers):
    """All registers of a core, and turns between the host and the program of the tile.

    The host starts an operation while the tile is ``idle`` and the core has nothing of a program in hand; else
    ``status.ready`` is 0 and ``start`` an overrun, which changes nothing. From there to the last word of the result the
    core is the host's: what a program that was started meanwhile asks for waits.

    Parameters
    ----------
    blocks
        The core, with a map of registers that has those of products.

    Members
    -------
    <the members of the vector port>
        The vector port, whose other end the core is.
    """

    bus: Any = ports.In(lambda self: RegisterBus(self.map.address_width))
    """The bus."""
    reset = ports.In(1)
    """Resets the core and what the host asked for."""
    idle = ports.In(1)
    """No program runs, and nothing that one asked for is still to be done."""
    irq = ports.Out(1)
    """Interrupt, as long as what raised it lasts."""
    program: Any = ports.Out(
        lambda self: wiring.Signature({name: part for name, part in self.port.members.items() if name in PRODUCTS}))
    """``op``, ``i``, ``o`` and ``words`` of the vector port for the program."""

    verilog_name = "core_access"

    def __init__(self, blocks: Any) -> None:
        self.blocks, self.map, self.port = blocks, blocks.registers, blocks.port
        super().__init__(behind={name: member.flip() for name, member in self.port.members.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.host = host = CoreHost(self.blocks, shared=True)
        connect(m, flipped(self.bus), host.bus)
        holds, mine = Signal(name="host_holds"), Signal(name="host_has")
        m.d.comb += [
            mine.eq(host.claims | holds), host.turn.eq(self.idle & (mine | ~self.status.busy)),
            host.reset.eq(self.reset), self.irq.eq(host.irq),
        ]
        # The core is busy from the cycle behind the descriptor to the last word of the result.
        m.d.sync += holds.eq((host.claims | (holds & self.status.busy)) & ~self.soft_reset)
        self._turns(m, host, mine)
        join(m, self.port, flipped(self), host, but=PRODUCTS)
        return m

    def _turns(self, m: Module, host: CoreHost, mine: Value) -> None:
        """Descriptors, inputs and results: of the host where the core is its own, else of the program."""
        program = self.program
        for name in ("op", "i"):
            core, hosts, programs = getattr(self, name), getattr(host, name), getattr(program, name)
            m.d.comb += [
                core.valid.eq(Mux(mine, hosts.valid, programs.valid)),
                core.payload.eq(Mux(mine, hosts.payload, programs.payload)),
                hosts.ready.eq(mine & core.ready), programs.ready.eq(~mine & core.ready),
            ]
        m.d.comb += [
            host.o.valid.eq(mine & self.o.valid), host.o.payload.eq(self.o.payload),
            program.o.valid.eq(~mine & self.o.valid), program.o.payload.eq(self.o.payload),
            self.o.ready.eq(Mux(mine, host.o.ready, program.o.ready)),
        ]
        if "words" in self.port.members:
            m.d.comb += self.words.eq(Mux(mine, host.words, program.words))
