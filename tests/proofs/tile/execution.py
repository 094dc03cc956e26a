"""Claims of how a VEC is carried out: what it reads has arrived, what it gives back is there, what it shows fits."""

from typing import Any
from unittest.mock import patch

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib.wiring import Out

from mho.hw.tile.isa import STREAMS
from mho.hw.tile.rtl.engines import vector_control
from mho.hw.tile.rtl.engines.vector_control import VectorControl, sources
from mho.hw.tile.rtl.lanes.datapath import VectorDatapath
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, free, witness

__all__ = ["AnyUnit", "VectorControlClaims"]

_LEAVES = ("Leave a", "Leave b")


class AnyUnit(VectorDatapath):
    """Gives anything at any time."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        for _, member, value in self.signature.flatten(self):
            if member.flow == Out:
                drive_freely(m, value)
        return m


class VectorControlClaims(Harness):
    """Any operation that was found legal, and one stream that the solver picks; the vector unit and walks are free.

    While the operation is in hand nobody else gives blocks of its sources back, or fills its target.
    """

    def __init__(self, dut: VectorControl) -> None:
        super().__init__(dut)

    def elaborate(self, platform: object) -> Module:
        with patch.object(vector_control, "VectorDatapath", AnyUnit):
            return super().elaborate(platform)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        ring, walks, job = dut.ask.ring, dut.walks, dut.i.p
        drive_freely(
            m, dut.i.payload, dut.i.valid, dut.ask.ready, dut.change.ready, walks.done, walks.wrong, walks.later,
            walks.walk, walks.plan, walks.look, walks.wrongs, ring.freed, ring.head, ring.tail, ring.base, ring.block,
            ring.head_left, ring.remote, ring.wrong, dut.read.ready, dut.read.data, dut.write.ready,
            dut.drain.valid, dut.drain.payload, dut.result.valid, dut.result.payload, dut.memory.valid,
            dut.memory.payload)
        m.d.comb += dut.soft_reset.eq(0)
        assume(m, ~dut.ask.ready | dut.ask.valid)
        which, blocks, present = constant(m, range(STREAMS), "which"), constant(m, 8, "blocks"), Signal(8)
        selected = dut.ask.stream == which
        for name, value in (("there", present), ("blocks", blocks)):
            m.d.comb += ring[name].eq(Mux(selected, value, free(m, len(value), f"other_{name}")))
        self._job(m, dut)
        walk, stream = sources(job.vec)
        of = {name: stream[name] & (job.vec[name][:4] == which) for name in stream}
        reads = dut.i.valid & (of["a"] | of["b"])
        # A walk of the operation over the same stream gives back when it goes on.
        leaves: Value = Signal(1)
        for name in "ab":
            leaves |= state.at(f"Leave {name}") & walk[name] & job.flags[f"free_{name}"] & (job[name] == which)
        changes = dut.change.valid & dut.change.ready & (dut.change.p.stream == which)
        frees, comes = changes & dut.change.p.free, changes & ~dut.change.p.free
        more, less = free(m, 1, "more"), free(m, 1, "less")
        m.d.sync += present.eq(present + (comes | more) - (frees | less))
        assume(m, (more + less + (dut.change.valid & dut.change.ready)) <= 1)
        assume(m, ~more | (~(dut.i.valid & of["target"]) & (present < blocks)))
        assume(m, ~less | ((~reads | leaves) & (present != 0)))
        self._claims(m, state, job, of, present, blocks)
        claim(m, "no more are there than the ring has", present <= blocks)
        claim(m, "it is at work on something", state.at("Idle") | dut.i.valid)
        with m.If(frees):
            claim(m, "what it gives back is there", present != 0)
        with m.If(comes):
            claim(m, "what it shows has room", present < blocks)
        witness(m, "it has taken a block and shown one in the same ring", comes & of["a"] & job.flags.free_a)

    def _job(self, m: Module, dut: Any) -> None:
        """It stays until it is done, and is legal."""
        job, waits, previous = dut.i.p, Signal(), Signal.like(dut.i.payload.as_value())
        m.d.sync += [waits.eq(dut.i.valid & ~dut.i.ready), previous.eq(job.as_value())]
        assume(m, ~waits | (dut.i.valid & (job.as_value() == previous)))
        walk, stream = sources(job.vec)
        for name in "ab":
            # Of a stream it is the number, of a walk that of its stream.
            assume(m, ~stream[name] | (job[name] == job.vec[name][:4]))
            assume(m, ~job.flags[f"free_{name}"] | stream[name] | (walk[name] & job.flags[f"advance_{name}"]))
            assume(m, ~job.flags[f"advance_{name}"] | walk[name])
        assume(m, ~job.flags.push | stream["target"])
        same_walk = (walk["a"] | stream["a"]) & (walk["b"] | stream["b"]) & (job.a == job.b)
        assume(m, ~(same_walk & job.flags.free_a & job.flags.free_b))

    def _claims(self, m: Module, state: State, job: Any, of: Any, present: Value, blocks: Value) -> None:
        walk, stream = sources(job.vec)
        flags = job.flags
        for name in "ab":
            with m.If(state.at(f"Ask {name}")):
                claim(m, f"{name}: it asks for a stream", stream[name])
            with m.If(state.at(f"Free {name}")):
                claim(m, f"{name}: it gives a stream back", stream[name] & flags[f"free_{name}"])
            with m.If(state.at(f"Leave {name}")):
                claim(m, f"{name}: a walk goes on", walk[name] & flags[f"advance_{name}"])
        with m.If(state["asking"]):
            claim(m, "it asks for room in a stream while it computes", stream["target"] & state.at("Run"))
        with m.If(state.at("Show")):
            claim(m, "it shows in a stream", stream["target"] & flags.push)
        claim(m, "rings are changed where it says so", state["changes"] == _at(state, ("Free a", "Free b", "Show")))
        for name, number, frees in (("Free a", "a", 1), ("Free b", "b", 1), ("Show", "target", 0)):
            with m.If(state.at(name)):
                claim(m, f"what is changed is that of the operation: {name}",
                      (self.dut.change.p.stream == job.vec[number][:4]) & (self.dut.change.p.free == frees))
        read = {"a": ("Ask b", "Start", "Run"), "b": ("Start", "Run")}
        for name, states in read.items():
            with m.If(_at(state, states) & of[name]):
                claim(m, f"{name}: the block that is read has arrived", present != 0)
            later = (*_LEAVES, "Free a", "Free b") if name == "b" else (*_LEAVES, "Free a")
            with m.If(_at(state, later) & of[name] & flags[f"free_{name}"]):
                claim(m, f"{name}: the block that is to be given back is there", present != 0)
        writes = _at(state, (*_LEAVES, "Free a", "Free b", "Flush", "Show")) | (state.at("Run") & ~state["asking"])
        with m.If(writes & of["target"]):
            claim(m, "what is written has room", present < blocks)


def _at(state: State, names: tuple[str, ...]) -> Value:
    matches: Value = Signal(1)
    for name in names:
        matches |= state.at(name)
    return matches
