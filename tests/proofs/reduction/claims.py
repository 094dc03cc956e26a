"""Claims of the reduction router: the k-th sum is that of the k-th operands, each of them once."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from mho.hw.noc.config import LANE_BITS
from mho.hw.noc.flit import Port
from mho.hw.noc.reduction.router import EntryLayout, ReductionRouter, queue_depth
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness

__all__ = ["AdderClaims", "SumClaims"]

_COUNT_BITS = 4
_MARK_BITS = 3


def _bit(cfg: Any, port: Port) -> int:
    """The mark of an input in all lanes."""
    return sum(1 << (lane * LANE_BITS + port * _MARK_BITS) for lane in range(cfg.lanes))


class SumClaims(Harness):
    """Every sum that leaves is that of one operand of each child and of the node, and no operand is in two sums.

    The entries of all contexts are any that a tree can have. They are written in the first cycles, then operands come
    at any time at which there is room, and sums go whenever the parent has room. The solver picks a context, a lane and
    a number k. The k-th operand of an input has one bit in this lane, a different one for each input, far enough apart
    to count to seven; all other operands are 0. So a sum says what it was made of; that it is one for other values too
    is claimed of the adder (:class:`AdderClaims`), and nothing else looks at payloads.

    Parameters
    ----------
    dut
        The router.
    cycles
        If not 0: a sum leaves in so many cycles if its operands and its room are there and stay, whatever other
        contexts do.
    """

    def __init__(self, dut: ReductionRouter, cycles: int = 0) -> None:
        super().__init__(dut)
        self.cycles = cycles

    def specify(self, m: Module, state: State) -> None:
        router: Any = self.dut
        contexts = router.cfg.contexts
        ready, entries = self._write(m)
        context, number = constant(m, range(contexts), "any_context"), constant(m, _COUNT_BITS, "any_number")
        assume(m, context < contexts)
        entry: Any = Signal(EntryLayout(), name="entry")
        with m.Switch(context):
            for c in range(contexts):
                with m.Case(c):
                    m.d.comb += entry.eq(entries[c])
        lane = constant(m, range(router.cfg.lanes), "any_lane")
        operands = [self._operand(m, port, ready, entries, context, number, lane) for port in Port]
        total = Signal(router.cfg.payload_bits)
        marks = Cat(Cat(takes_part, Const(0, _MARK_BITS - 1)) for takes_part, _ in operands)
        m.d.comb += total.eq(marks << (lane * LANE_BITS))
        sent = Signal(_COUNT_BITS)
        for port in Port:
            o = getattr(router, f"{port.name.lower()}_o")
            drive_freely(m, o.ready)
            ours = o.valid & (o.payload.context == context if contexts > 1 else 1)
            with m.If(o.valid):
                room = o.ready.bit_select(o.payload.context, 1) if contexts > 1 else o.ready
                claim(m, "there is room for a sum", room)
            with m.If(ours):
                m.d.sync += sent.eq(sent + 1)
                claim(m, "sums go to the parent", entry.parent == port)
                for takes_part, come in operands:
                    claim(m, "no sum before its operands", ~takes_part | (come != sent))
                claim(
                    m, "the k-th sum is that of the k-th operands", o.payload.payload == Mux(sent == number, total, 0)
                )

        settled = Signal()
        m.d.sync += settled.eq(ready)
        claim(m, "nothing has come before all is written", settled | (Cat(*(come for _, come in operands), sent) == 0))
        claim(m, "entries are written once", (self._step <= contexts) & (ready | ~settled))
        for c in range(contexts):
            self._entry_holds(m, state, c, entries[c])
            with m.If(context == c if contexts > 1 else 1):
                for port, (takes_part, come) in zip(Port, operands, strict=True):
                    self._input_holds(m, state, c, port, takes_part, come, sent, number, lane)
                with m.If(settled & (state["turn"] == c if contexts > 1 else 1)):
                    self._sum_holds(
                        m, state, entry, Mux(sent == number, marks << (lane * LANE_BITS), 0), operands, sent
                    )
        if self.cycles:
            can_start = Cat(~takes_part | (come != sent) for takes_part, come in operands).all() & ready
            self._in_time(m, can_start, entry, context)
        all_in = Cat(takes_part for takes_part, _ in operands)
        witness(m, "a second sum of four has left", (sent == 2) & (number == 1) & (all_in.all() | (all_in == 0b11110)))

    def _in_time(self, m: Module, can_start: Any, entry: Any, context: Any) -> None:
        several = self.dut.cfg.contexts > 1
        channels = [getattr(self.dut, f"{port.name.lower()}_o") for port in Port]
        room = Cat(o.ready.bit_select(context, 1) if several else o.ready for o in channels).bit_select(entry.parent, 1)
        goes = Cat(o.valid & (o.payload.context == context if several else 1) for o in channels).any()
        late = Signal(range(self.cycles + 1))
        m.d.sync += late.eq(0)
        with m.If(can_start & room & ~goes & (late != self.cycles)):
            m.d.sync += late.eq(late + 1)
        claim(m, "a sum goes in time", late != self.cycles)

    def _write(self, m: Module) -> tuple[Signal, list[Any]]:
        """Write the entries, one a cycle; after that nothing is written."""
        setup, contexts = self.dut.setup, self.dut.cfg.contexts
        entries = [constant(m, EntryLayout(), f"entry_{c}") for c in range(contexts)]
        step, ready = Signal(range(contexts + 1)), Signal(name="written")
        m.d.comb += ready.eq(step == contexts)
        for c, entry in enumerate(entries):
            # A tree has at least one operand, and its parent is none of its children.
            assume(m, (entry.children.any() | entry.local) & (entry.parent < len(Port)))
            for port in range(4):
                assume(m, ~entry.children[port] | (entry.parent != port))
            with m.If(step == c):
                m.d.comb += [setup.valid.eq(1), setup.context.eq(c), setup.entry.eq(entry)]
                m.d.sync += step.eq(c + 1)
        self._step = step
        return ready, entries

    def _entry_holds(self, m: Module, state: State, c: int, entry: Any) -> None:
        """An entry is empty until it is written."""
        step = self._step
        written = step > c
        for name in ("children", "local"):
            stored = state[f"{name}_{c}"]
            claim(m, f"{name} are those of the entry", stored == Mux(written, getattr(entry, name), 0))
        claim(m, "parent is that of the entry", state[f"parent_{c}"] == Mux(written, 1 << entry.parent, 0))

    def _input_holds(
        self, m: Module, state: State, c: int, port: Port, takes_part: Any, come: Any, sent: Any, number: Any, lane: Any
    ) -> None:
        """What an input holds of the context: the operands after those in the last sum."""
        path, depth = f"{port.name.lower()}_input", queue_depth(self.dut.cfg)
        inner, name = state.below(path), port.name
        count = Signal(_COUNT_BITS, name=f"{name}_count_{c}")
        m.d.comb += count.eq(Mux(takes_part, come - sent, 0))
        claim(m, f"{name}: no more in it than there is room for", count <= depth)
        claim(m, f"{name}: operands of those only that take part", takes_part | (come == 0))
        claim(m, f"{name}: valid if something is in it", inner["valid"][c] == (count != 0))
        claim(m, f"{name}: ready if there is room", inner["room"][c] == (count != depth))
        bits = (depth - 1).bit_length()
        if bits:
            claim(m, f"{name}: the next operand goes behind the last", inner[f"tail_{c}"] == come[:bits])
            claim(m, f"{name}: the head is the first that is not in a sum", state[f"head_{c}"] == sent[:bits])
        mark = 1 << (lane * LANE_BITS + port * _MARK_BITS)
        words = inner.words("memory")
        for behind in range(depth):
            which = Signal(_COUNT_BITS, name=f"{name}_which_{c}_{behind}")
            m.d.comb += which.eq(sent + behind)
            for place in range(depth):
                with m.If((count > behind) & (which[:bits] == place)):
                    word = words[c * depth + place]
                    claim(m, f"{name}: operands as they came", word == Mux(which == number, mark, 0))

    def _sum_holds(self, m: Module, state: State, entry: Any, marks: Any, operands: list[Any], sent: Any) -> None:
        """While it is the context's turn: what is added already, what is added now, and what is left."""
        first, rest, adds_local, busy = (state[name] for name in ("first", "rest", "own", "busy"))
        done = Signal(len(Port), name=f"done_{len(state)}")
        m.d.comb += done.eq(Cat(entry.children & ~first & ~rest, entry.local & busy))
        claim(m, "a child is added once", (first & rest) == 0)
        claim(m, "children only are added", ((first | rest) & ~entry.children) == 0)
        claim(
            m,
            "the lowest that is left is added",
            (first & (first - 1) | first & ~((first | rest) & -(first | rest))) == 0,
        )
        claim(m, "something is added", first.any() | ~entry.children.any())
        claim(m, "all that is not left was added", busy == (entry.children & ~first & ~rest).any())
        claim(m, "the node's operand is added first", adds_local == (entry.local & ~busy))
        with m.If(busy):
            for takes_part, come in operands:
                claim(m, "a sum is begun with all operands", ~takes_part | (come != sent))
            so_far = [Mux(done[port], marks & _bit(self.dut.cfg, port), 0) for port in Port]
            total: Any = so_far[0] | so_far[1] | so_far[2] | so_far[3] | so_far[4]
            claim(m, "the sum so far is that of those that were added", state["accumulator"] == total)

    def _operand(
        self, m: Module, port: Port, ready: Signal, entries: list[Any], context: Signal, number: Signal, lane: Signal
    ) -> tuple[Signal, Signal]:
        """Drive an input; whether it takes part, and the number of operands that have come."""
        cfg, channel = self.dut.cfg, getattr(self.dut, f"{port.name.lower()}_i")
        drive_freely(m, channel.valid, *([channel.payload.context] if cfg.contexts > 1 else []))
        parts = [entry.local if port is Port.LOCAL else entry.children[port] for entry in entries]
        several = cfg.contexts > 1
        room = channel.ready.bit_select(channel.payload.context, 1) if several else channel.ready
        with m.If(channel.valid):
            assume(m, ready)
            for c, part in enumerate(parts):
                # Operands come from those who take part, and neighbours look at the room.
                assume(m, part | (channel.payload.context != c if several else 0))
            if port is not Port.LOCAL:
                assume(m, room)
        takes_part = Signal(name=f"{port.name}_takes_part")
        come = Signal(_COUNT_BITS, name=f"{port.name}_come")
        m.d.comb += takes_part.eq(sum(part & (context == c) for c, part in enumerate(parts)) if several else parts[0])
        ours = channel.payload.context == context if several else Const(1)
        with m.If(ours & (come == number)):
            m.d.comb += channel.payload.payload.eq(1 << (lane * LANE_BITS + port * _MARK_BITS))
        with m.If(channel.valid & room & ours):
            m.d.sync += come.eq(come + 1)
        return takes_part, come


class AdderClaims(Harness):
    """What is on its way out is, lane by lane, the sum of what is being added now.

    That is at most one child, the node's operand and the sum so far; for any values and any state.
    """

    def specify(self, m: Module, state: State) -> None:
        router: Any = self.dut
        drive_freely(m, router.setup)
        for port in Port:
            i, o = (getattr(router, f"{port.name.lower()}_{way}") for way in "io")
            drive_freely(m, i.valid, i.payload, o.ready)
        first, adds_local, busy, so_far = (state[name] for name in ("first", "own", "busy", "accumulator"))
        heads = {port: state.part(f"{port.name.lower()}_input").o for port in Port}
        total: Any = router.local_o.payload.payload
        claim(m, "one child at a time", (first & (first - 1)) == 0)
        for lane in range(router.cfg.lanes):
            part = slice(lane * LANE_BITS, (lane + 1) * LANE_BITS)
            child = [Mux(first[port], heads[port][part], 0) for port in Port if port is not Port.LOCAL]
            more = Mux(adds_local, heads[Port.LOCAL][part], 0) + Mux(busy, so_far[part], 0)
            claim(m, "a lane is the sum of its operands", total[part] == (sum(child) + more)[:LANE_BITS])
        claim(m, "the node's operand is added first", ~(adds_local & busy))
        for port in Port:
            o = getattr(router, f"{port.name.lower()}_o")
            claim(m, "the sum goes to all sides", o.payload.payload == total)
