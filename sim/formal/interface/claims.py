"""Claims of the network interface: it takes whatever arrives, and keeps count of the credits."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from hw.noc.interface.interface import NetworkInterface
from hw.noc.interface.tables import FLOWS
from sim.formal.harness import Harness, State, assume, claim, constant, drive_freely, witness

__all__ = ["InterfaceClaims"]


class InterfaceClaims(Harness):
    """Ejection is always ready once the tables are empty; and credits are conserved.

    The solver picks a flow and a parity. A block of these starts only when all members have given back the block before
    the last, and a credit is taken only for a block that has been sent. Everything may arrive at any time, malformed
    flits too, and the node sends and frees what it likes.

    Parameters
    ----------
    dut
        The interface.
    """

    def __init__(self, dut: NetworkInterface) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        node: Any = self.dut
        drive_freely(m, node.tx.payload, node.tx.valid, node.release.payload, node.release.valid, node.lost)
        drive_freely(m, node.inject.ready, node.eject.payload, node.eject.valid)
        assume(m, ~node.eject.valid | node.eject.ready.all())
        cleared, opened = state["cleared"], Signal()
        m.d.sync += opened.eq(node.eject.ready.all())
        claim(m, "the tables are empty after 16 cycles", cleared <= FLOWS)
        claim(m, "what arrives is taken from then on", node.eject.ready.all() == (cleared == FLOWS))
        claim(m, "and for ever", ~opened | node.eject.ready.all())
        self._credits(m, state, state.part("flows"), cleared)

    def _credits(self, m: Module, state: State, flows: Any, cleared: Value) -> None:
        flow, odd = constant(m, range(FLOWS), "any_flow"), constant(m, 1, "any_parity")
        bits = len(state.words("flows.members")[0])
        row: Any = Signal(data.StructLayout({"even": bits, "odd": bits, "next_odd": 1}), name="row")
        members, owed, blocks = Signal(bits, name="members_of_flow"), Signal(bits), Signal(2)
        with m.Switch(flow):
            for k in range(FLOWS):
                with m.Case(k):
                    m.d.comb += [
                        row.as_value().eq(state.words("flows.missing")[k]), members.eq(state.words("flows.members")[k]),
                    ]
        comes = flows.credit & (flows.value[:5] == (flow | odd << 4)) & ~flows.spurious
        begins = flows.start & (flows.flow == flow) & (row.next_odd == odd)
        with m.If(flows.write_members & (flows.row == flow)):
            m.d.sync += [owed.eq(0), blocks.eq(0)]
        with m.Elif(begins):
            m.d.sync += [owed.eq(members), blocks.eq(blocks + (blocks != 3))]
        with m.Elif(comes):
            m.d.sync += owed.eq(owed - 1)
        # What is in the memory at power-on is not known.
        with m.If(cleared > flow):
            claim(m, "what is missing is what was not given back", Mux(odd, row.odd, row.even) == owed)
            claim(m, "a block starts when the one before the last was given back", ~begins | (owed == 0))
            claim(m, "a credit belongs to a block", ~comes | (owed != 0))
        claim(m, "one access at a time", (flows.credit + flows.write_members + flows.start) <= 1)
        claim(m, "nothing starts before the tables are empty", ~flows.start | (cleared == FLOWS))
        witness(m, "the second block of a parity starts, of two members", begins & (blocks == 1) & (members == 2))
