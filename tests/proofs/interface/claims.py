"""Claims of the network interface: it takes whatever arrives, and keeps count of the credits."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.noc.interface.interface import NetworkInterface
from mho.hw.noc.interface.tables import FLOWS, UNIT, credit_tag, register_tag
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness

__all__ = ["InterfaceClaims"]


class InterfaceClaims(Harness):
    """Ejection is always ready once the tables are empty; requests are handed on; and credits are conserved.

    The solver picks a flow and a parity. A block of these starts only when all members have given back the block before
    the last, and a credit is taken only for a block that has been sent. Everything may arrive at any time, malformed
    flits too, and the node sends and frees what it likes, while the tables are written.

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
        tables = node.tables
        drive_freely(m, tables.row, tables.value, tables.flow, tables.members, tables.slot)
        drive_freely(m, node.answer.payload, node.answer.valid)
        # The bank of registers writes one table at a time, and slots that exist.
        assume(m, (tables.flow + tables.members + tables.slot) <= 1)
        assume(m, ~tables.slot | (tables.row < register_tag(node.cfg)))
        assume(m, ~node.eject.valid | node.eject.ready.all())
        cleared, opened = state["cleared"], Signal()
        m.d.sync += opened.eq(node.eject.ready.all())
        claim(m, "the tables are empty after 16 cycles", cleared <= FLOWS)
        claim(m, "what arrives is taken from then on", node.eject.ready.all() == (cleared == FLOWS))
        claim(m, "and for ever", ~opened | node.eject.ready.all())
        self._requests(m, state, cleared)
        self._credits(m, state, state.part("flows"), cleared)
        self._units(m, state, state.part("flows"))

    def _requests(self, m: Module, state: State, cleared: Value) -> None:
        """What arrives for registers goes there a cycle later, and nothing else does; answers go to the host."""
        node: Any = self.dut
        cfg = node.cfg
        body, request_came, word = node.eject.payload, Signal(name="request_came"), Signal(32, name="word_that_came")
        m.d.sync += [request_came.eq(node.eject.valid & (body.tag == register_tag(cfg))), word.eq(body.payload)]
        claim(m, "a request is handed on a cycle later", node.request.valid == request_came)
        with m.If(request_came):
            claim(m, "a request is handed on unchanged", node.request.payload == word)
        for number in range(register_tag(cfg), credit_tag(cfg) + 1):
            with m.If(cleared > number):
                claim(m, f"slot {number} is never in use", state.words("slots.used")[number] == 0)
        with m.If(node.eject.valid & (cleared == FLOWS)):
            claim(m, "neither requests nor credits reach the tile", ~node.rx.valid | (body.tag < register_tag(cfg)))
        flit, sent, answer = node.inject.payload, Signal(name="answer_sent"), Signal(32, name="answer_that_was_sent")
        with m.If(~node.inject.valid | node.inject.ready):
            m.d.sync += [sent.eq(node.answer.valid & node.answer.ready), answer.eq(node.answer.payload)]
        claim(m, "an answer that was taken is on its way", ~sent | node.inject.valid)
        with m.If(sent):
            claim(m, "it goes to the host with the tag of registers", flit.host & (flit.tag == register_tag(cfg)))
            claim(m, "it goes unchanged", flit.payload[:32] == answer)
        with m.If(node.inject.valid & (flit.tag == register_tag(cfg))):
            claim(m, "no block has the tag of registers", sent)
        self._known_flows(m, state, cleared)

    def _known_flows(self, m: Module, state: State, cleared: Value) -> None:
        """A flow that is in use has a tag that is a slot: nobody forges requests, answers or credits."""
        cfg = self.dut.cfg
        bits = cfg.tag_bits
        for k, word in enumerate(state.words("flows.rows")):
            with m.If(cleared > k):
                claim(m, "a flow in use has a slot", ~word[-1] | (word[-2 - bits : -2] < register_tag(cfg)))

    def _units(self, m: Module, state: State, flows: Any) -> None:
        """A credit of the host stands for so many flits at most, however long the block is; tables stay meanwhile."""
        node: Any = self.dut
        sent = node.tx.valid & node.tx.ready & flows.known
        since, stays = Signal(range(UNIT + 2), name="flits_of_unit"), Signal(name="tables_stay")
        with m.If(sent):
            m.d.sync += since.eq(Mux(flows.start, 1, since + (since <= UNIT)))
        with m.If(flows.write | flows.write_members):
            m.d.sync += stays.eq(0)
        with m.Elif(flows.start & ~state["opened"]):
            m.d.sync += stays.eq(1)
        with m.If(~state["opened"]):
            claim(m, "a block begins with a unit", (state["in_unit"] == 0) & ~state["unit_due"])
        with m.If(stays & flows.known & flows.host & flows.counted):
            claim(m, "a unit has so many flits at most", ~sent | flows.start | (since < UNIT))
            with m.If(state["opened"]):
                claim(m, "flits of a unit are counted", (since != 0) & (since <= UNIT) & (
                    state["unit_due"] == (since == UNIT)) & (state["in_unit"] == Mux(since == UNIT, 0, since)))
                witness(m, "a block goes on with a second unit", flows.start & ~flows.clear)

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
        comes = flows.credit & (flows.credit_of.as_value() == Cat(flow, odd)) & ~flows.spurious
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
        claim(m, "no block is under way before", ~state["opened"] | (cleared == FLOWS))
        witness(m, "the second block of a parity starts, of two members", begins & (blocks == 1) & (members == 2))
