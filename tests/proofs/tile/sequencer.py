"""Claims of the sequencer: what it gives back is there, and what it shows has room."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from mho.hw.tile.isa import OPCODE_LOW, STREAMS, Op
from mho.hw.tile.rtl.sequencer.loops import Decoder, field
from mho.hw.tile.rtl.sequencer.sequencer import Sequencer
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, free, witness

__all__ = ["SequencerClaims"]

_TOKENS = (Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH)


class SequencerClaims(Harness):
    """Any program, and one stream that the solver picks; what is asked of others is free.

    Engines change the stream while they have something in hand that was issued, but for CORE, which changes none; a
    stream that others fill is filled at any time.
    """

    def __init__(self, dut: Sequencer) -> None:
        super().__init__(dut, forgetful=True)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        ring, issued = dut.ask.ring, dut.issue.valid & dut.issue.ready
        drive_freely(
            m, dut.start, dut.stop, *dut.registers, dut.issue.ready, dut.idle, dut.quiet, dut.undrained, dut.ask.ready,
            dut.change.ready, dut.set.ready, dut.trapped, dut.write, dut.write_index, dut.write_data, dut.look,
            ring.freed, ring.head, ring.tail, ring.base, ring.block, ring.head_left)
        m.d.comb += dut.soft_reset.eq(0)
        # An answer is there in the second cycle at the earliest; and no engine takes what it has not looked at.
        asked_before, fresh = Signal(), Signal()
        m.d.sync += [asked_before.eq(dut.ask.valid), fresh.eq(state.at("Decode"))]
        assume(m, ~dut.ask.ready | (dut.ask.valid & asked_before))
        assume(m, ~(dut.issue.ready & fresh))
        which, blocks, remote = constant(m, range(STREAMS), "which"), constant(m, 8, "blocks"), constant(m, 1, "remote")
        self.which = which
        wrong, present, loose = constant(m, 2, "wrong"), Signal(8), Signal()
        selected = dut.ask.stream == which
        for name, value in (("there", present), ("blocks", blocks), ("remote", remote), ("wrong", wrong)):
            m.d.comb += ring[name].eq(Mux(selected, value, free(m, len(value), f"other_{name}")))
        changes = dut.change.valid & dut.change.ready & (dut.change.p.stream == which)
        frees, comes = changes & dut.change.p.free, changes & ~dut.change.p.free
        more, less = free(m, 1, "more"), free(m, 1, "less")
        m.d.sync += present.eq(present + (comes | more) - (frees | less))
        # Tokens do one change in a cycle.
        assume(m, (more + less + (dut.change.valid & dut.change.ready)) <= 1)
        assume(m, ~more | ((remote | (loose & ~dut.idle)) & (present < blocks)))
        assume(m, ~less | (loose & ~dut.idle & (present != 0)))
        op = dut.retired.word[OPCODE_LOW : OPCODE_LOW + 4]
        core, idle_before, issued_before = op == Op.CORE, Signal(), Signal()
        # Engines are idle until something is issued, or a word of SET moves a walk.
        m.d.sync += [idle_before.eq(dut.idle), issued_before.eq(issued | (dut.set.valid & dut.set.ready))]
        assume(m, ~idle_before | issued_before | dut.idle)
        with m.If(issued & ~core):
            m.d.sync += loose.eq(1)
        with m.Elif(dut.idle):
            m.d.sync += loose.eq(0)
        claim(m, "nothing was asked before it is decoded", ~(fresh & asked_before))
        illegal = self._illegal(m, dut, state, fresh)
        self._claims(m, dut, state, op, present, blocks, remote, loose & ~dut.idle, illegal)
        with m.If(frees):
            claim(m, "what it gives back is there", present != 0)
        with m.If(comes):
            claim(m, "what it shows has room, in a ring that it fills", (present < blocks) & ~remote)
        witness(m, "it has given one back", frees & (op == Op.FREE))
        witness(m, "it has shown one", comes)

    def _illegal(self, m: Module, dut: Any, state: State, fresh: Value) -> Value:
        """Whether the instruction is illegal by its own bits, which is known in the cycle behind the first one."""
        decoder: Any = Decoder()
        m.submodules.judge = decoder
        word, illegal = dut.retired.word, Signal(name="illegal")
        runs_out = dut.retired.pc + field(word, Op.SET, "words") >= dut.cfg.instructions
        m.d.comb += [
            decoder.word.eq(word),
            illegal.eq((decoder.wrong != 0) | ((word[OPCODE_LOW : OPCODE_LOW + 4] == Op.SET) & runs_out)),
        ]
        judged: Value = Signal(1)
        for name in ("Ask", "Block", "Given", "Change", "Check", "Issue"):
            judged |= state.at(name)
        for name in ("Block", "Given", "Change"):
            claim(m, f"it is judged before it comes so far: {name}", ~(fresh & state.at(name)))
        flagged = (state["its_wrongs"] != 0) | state["runs_out"]
        with m.If(judged):
            claim(m, "it is known whether it is illegal", Mux(fresh, ~flagged, flagged == illegal))
        return illegal

    def _claims(
        self, m: Module, dut: Any, state: State, op: Value, present: Value, blocks: Value, remote: Value, loose: Value,
        illegal: Value,
    ) -> None:
        word, left, core = dut.retired.word, state["left"], op == Op.CORE
        tokens = Mux(core, left == 1, (left != 0) & _among(op, _TOKENS))
        claim(m, "no more are there than the ring has", present <= blocks)
        claim(m, "rings are changed where it says so", state["changes"] == state.at("Change"))
        with m.If(state.at("Ask")):
            claim(m, "something is asked for", illegal | tokens)
        with m.If(state.at("Check")):
            claim(m, "SEND is asked about", op == Op.SEND)
        for name in ("Block", "Given", "Change"):
            with m.If(state.at(name)):
                claim(m, f"what is illegal does not come so far: {name}", ~illegal)
        with m.If(state.at("Issue") & illegal):
            claim(m, "what is illegal is not taken", ~(dut.issue.valid & dut.issue.ready))
        which = dut.ask.stream == self.which
        blocked = state.at("Block") | state.at("Given") | (state.at("Issue") & core & ~illegal)
        with m.If(blocked):
            claim(m, "CORE has one block, and nothing else is in hand", core & (left == 1) & ~loose)
            source = field(word, Op.CORE, "source") == self.which
            claim(m, "the block that CORE reads is there", ~source | (present != 0))
        with m.If(state.at("Change")):
            claim(m, "what changes is FREE, PUSH or CORE", tokens & _among(op, (Op.FREE, Op.PUSH, Op.CORE)))
            claim(m, "nothing else is in hand", ~loose)
            with m.If(which):
                claim(m, "all that is left to change can be", Mux(
                    op == Op.PUSH, (present + left <= blocks) & ~remote, present >= left))


def _among(op: Value, ops: tuple[Op, ...]) -> Value:
    matches: Value = op == ops[0]
    for candidate in ops[1:]:
        matches |= op == candidate
    return matches
