"""The reduction router and its inputs: sums of the operands of a tree's nodes, on their way to its root."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory

from mho.hw.noc.config import LANE_BITS, MeshConfig
from mho.hw.noc.fifo import RoundRobin
from mho.hw.noc.flit import Channel, Port
from mho.hw.ports import Component, In, Out, array


def context_bits(cfg: MeshConfig) -> int:
    """Width of the number of a context."""
    return (cfg.contexts - 1).bit_length()


def queue_depth(cfg: MeshConfig) -> int:
    """Operands that an input holds for each context: they share the places of one memory."""
    return max(1, cfg.depth // cfg.contexts)


class OperandLayout(data.StructLayout):
    """A flit of the reduction: ``payload``, 16-bit lanes; ``context``."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"payload": cfg.payload_bits, "context": context_bits(cfg)})


class ReductionInput(Component[MeshConfig]):
    """Operands from one side, a queue a context.

    All inputs that take part in a context take their operands at the same time, so that one place of the head serves
    them all; it comes from outside.

    Parameters
    ----------
    guarded
        Whether what comes in looks at ``ready`` itself before it is valid.
    """

    i = In(lambda self: Channel(OperandLayout(self.cfg), self.cfg.contexts))
    """Operands."""
    heads = array(In(lambda self: range(queue_depth(self.cfg))), lambda self: self.cfg.contexts)
    """Place of each context's head."""
    take = In(lambda self: self.cfg.contexts)
    """The head of a context leaves."""
    clear = In(lambda self: self.cfg.contexts)
    """Empty the queue of a context."""
    chosen = In(lambda self: context_bits(self.cfg))
    """Context whose head is shown."""
    o = Out(lambda self: self.cfg.payload_bits)
    """The head."""
    valid = Out(lambda self: self.cfg.contexts)
    """Contexts with a head."""
    put = Out(lambda self: self.cfg.contexts)
    """Contexts that get an operand in this cycle."""

    def __init__(self, cfg: MeshConfig, *, guarded: bool) -> None:
        self.guarded = guarded
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, depth = self.cfg, queue_depth(self.cfg)
        room = Signal(cfg.contexts, init=-1)
        m.d.comb += self.i.ready.eq(room)
        tails = []
        for c in range(cfg.contexts):
            tail = Signal(range(depth), name=f"tail_{c}")
            put = self.put[c]
            tails.append(tail)
            mine = self.i.payload.context == c if cfg.contexts > 1 else 1
            m.d.comb += put.eq(self.i.valid & mine & (1 if self.guarded else room[c]))
            single = Signal(name=f"single_{c}")
            nearly_full = Signal(name=f"nearly_full_{c}")
            m.d.comb += [
                single.eq((tail - self.heads[c])[: len(tail)] == 1 if depth > 1 else 1),
                nearly_full.eq((self.heads[c] - tail)[: len(tail)] == 1 if depth > 1 else 1),
            ]
            # `put` and `take` come late: one lookup table is left behind them.
            m.d.sync += [
                self.valid[c].eq(put | self.valid[c] & ~(self.take[c] & single)),
                room[c].eq(self.take[c] | room[c] & ~(put & nearly_full)),
            ]
            with m.If(put):
                m.d.sync += tail.eq(tail + 1)
            with m.If(self.clear[c]):
                m.d.sync += [tail.eq(0), self.valid[c].eq(0), room[c].eq(1)]
        self._store(m, tails)
        return m

    def _store(self, m: Module, tails: list[Signal]) -> None:
        cfg, depth = self.cfg, queue_depth(self.cfg)
        m.submodules.memory = memory = Memory(shape=cfg.payload_bits, depth=max(2, depth * cfg.contexts), init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        m.d.comb += [
            write.addr.eq(Cat(pick(self.i.payload.context, tails), self.i.payload.context)),
            write.data.eq(self.i.payload.payload), write.en.eq(self.i.valid),
            read.addr.eq(Cat(pick(self.chosen, self.heads), self.chosen)), self.o.eq(read.data),
        ]
        if not self.guarded:
            m.d.comb += write.en.eq(self.i.valid & pick(self.i.payload.context, list(self.i.ready)))


def pick(index: Value, values: list[Any]) -> Value:
    """One of 1, 2 or 4 values."""
    while len(values) > 1:
        values = [Mux(index[0], high, low) for low, high in zip(values[::2], values[1::2], strict=True)]
        index = index[1:]
    return values[0]


_NAMES = {port: port.name.lower() for port in Port}
_CHILDREN = 4


class EntryLayout(data.StructLayout):
    """What a router does in a context.

    ``children``: inputs that are summed, by :class:`mho.hw.noc.flit.Port`; ``local``: so is the operand of the node;
    then ``parent``, the number of the output; 5 to 7: none.
    """

    def __init__(self) -> None:
        super().__init__({"children": _CHILDREN, "local": 1, "parent": 3})


class SetupLayout(data.StructLayout):
    """Writes the ``entry`` of a ``context`` when ``valid``."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__({"valid": 1, "context": context_bits(cfg), "entry": EntryLayout()})


class _Context:
    """Entry of a context and where its head is."""

    def __init__(self, m: Module, c: int, setup: Any, depth: int) -> None:
        self.children = Signal(_CHILDREN, name=f"children_{c}")
        self.local = Signal(name=f"local_{c}")
        self.parent = Signal(len(Port), name=f"parent_{c}")
        self.head = Signal(range(depth), name=f"head_{c}")
        self.written = Signal(name=f"written_{c}")
        entry = setup.entry
        m.d.comb += self.written.eq(setup.valid & (setup.context == c if len(setup.context) else 1))
        # Without operands there would be sums without end.
        any_input = entry.children.any() | entry.local
        with m.If(self.written):
            m.d.sync += [
                self.children.eq(entry.children), self.local.eq(entry.local),
                self.parent.eq(Cat(any_input & (entry.parent == port) for port in Port)),
            ]


class ReductionRouter(wiring.Component):
    """Sums the heads of its children and of its node, lane by lane, and sends the sum to the parent: one cycle a hop.

    One adder serves all contexts, by turns. It takes one child a cycle, and the node's operand with the first: a chain
    runs at one flit a cycle, a node with n children at one in n. A sum is begun when all its operands are there and the
    parent has room, and they are kept until it is done: contexts do not wait for each other.

    An entry is written while its context is idle; this empties the context's queues.

    Parameters
    ----------
    cfg
        The mesh, ``contexts`` being 1 at least.

    Members
    -------
    setup : In(SetupLayout(cfg))
        Writes entries.
    north_i, east_i, south_i, west_i, local_i : In(Channel(OperandLayout(cfg), cfg.contexts))
        From the neighbours and from the node.
    north_o, east_o, south_o, west_o, local_o : Out(Channel(OperandLayout(cfg), cfg.contexts))
        To the neighbours and, at a root, to the node.
    """

    setup: Any

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        super().__init__(self.ports_for(cfg))

    @staticmethod
    def ports_for(cfg: MeshConfig) -> dict[str, Any]:
        """Ports of a reduction router."""
        channel = Channel(OperandLayout(cfg), cfg.contexts)
        members: dict[str, Any] = {"setup": wiring.In(SetupLayout(cfg))}
        for name in _NAMES.values():
            members |= {f"{name}_i": wiring.In(channel), f"{name}_o": wiring.Out(channel)}
        return members

    def elaborate(self, platform: object) -> Module:
        m = Module()
        contexts = [_Context(m, c, self.setup, queue_depth(self.cfg)) for c in range(self.cfg.contexts)]
        inputs: dict[Port, ReductionInput] = {}
        for port, name in _NAMES.items():
            inputs[port] = unit = ReductionInput(self.cfg, guarded=port is not Port.LOCAL)
            m.submodules[f"{name}_input"] = unit
            channel = getattr(self, f"{name}_i")
            m.d.comb += [
                unit.i.payload.eq(channel.payload), unit.i.valid.eq(channel.valid), channel.ready.eq(unit.i.ready),
                unit.clear.eq(Cat(context.written for context in contexts)),
                *(head.eq(context.head) for head, context in zip(unit.heads, contexts, strict=True)),
            ]
        self._step(m, contexts, inputs)
        return m

    def _step(self, m: Module, contexts: list[_Context], inputs: dict[Port, ReductionInput]) -> None:
        """Whose turn it is is known from the cycle before, so that only the heads are late at the adder."""
        m.submodules.arbiter = arbiter = RoundRobin(len(contexts))
        turn = Signal(range(len(contexts)))
        # One a line: a signal is named by what it is assigned to, and the proofs find these by their names.
        first = Signal(_CHILDREN)  # child that is added now
        rest = Signal(_CHILDREN)  # those that are left after it
        own = Signal()  # what is added to it: the node's operand
        busy = Signal()  # the sum so far
        able, requests = zip(*(self._able(context, c, inputs) for c, context in enumerate(contexts)), strict=True)
        goes = Signal()
        goes_on = Signal()
        following = Signal(range(len(contexts)))
        m.d.comb += [
            goes.eq(pick(turn, list(able)) & ~rest.any()), goes_on.eq(pick(turn, list(able)) & rest.any()),
            *(arbiter.request[c].eq(requests[c] & ~goes_on) for c in range(len(contexts))),
            following.eq(Mux(arbiter.request.any(), arbiter.index, turn)),
        ]
        children = Signal(_CHILDREN)
        m.d.comb += children.eq(Mux(goes_on, rest, pick(following, [context.children for context in contexts])))
        before = Cat(Const(0, 1), *(children[:k].any() for k in range(1, _CHILDREN)))
        m.d.sync += [
            turn.eq(following), first.eq(children & ~before), rest.eq(children & before), busy.eq(goes_on),
            own.eq(pick(following, [context.local for context in contexts]) & ~goes_on),
        ]
        granted = Cat(goes & (turn == c if len(contexts) > 1 else 1) for c in range(len(contexts)))
        for c, context in enumerate(contexts):
            with m.If(granted[c]):
                m.d.sync += context.head.eq(context.head + 1)
            with m.If(context.written):
                m.d.sync += context.head.eq(0)
        for unit in inputs.values():
            m.d.comb += [unit.chosen.eq(turn), unit.take.eq(granted)]
        total = self._add(m, {port: unit.o for port, unit in inputs.items()}, first, own, busy)
        parent = pick(turn, [context.parent for context in contexts])
        for port, name in _NAMES.items():
            channel = getattr(self, f"{name}_o")
            m.d.comb += [
                channel.payload.payload.eq(total), channel.payload.context.eq(turn),
                channel.valid.eq(goes & parent[port]),
            ]

    def _able(self, context: _Context, c: int, inputs: dict[Port, ReductionInput]) -> tuple[Value, Value]:
        """Whether all operands are there and the parent has room: now, and, as a guess, in the next cycle."""
        absent = ~Cat(context.children, context.local)
        present = Cat(inputs[port].valid[c] for port in Port)
        come = Cat(inputs[port].put[c] for port in Port)
        room = (context.parent & Cat(getattr(self, f"{name}_o").ready[c] for name in _NAMES.values())).any()
        return (absent | present).all() & room, (absent | present | come).all() & room

    def _add(self, m: Module, heads: dict[Port, Value], first: Value, own: Value, busy: Value) -> Value:
        total = Signal(self.cfg.payload_bits)
        accumulator = Signal(self.cfg.payload_bits, reset_less=True)
        child: Value = Const(0)
        for k in range(_CHILDREN):
            child = child | Mux(first[k], heads[Port(k)], 0)
        more = Mux(own, heads[Port.LOCAL], 0) | Mux(busy, accumulator, 0)
        for lane in range(self.cfg.lanes):
            part = slice(lane * LANE_BITS, (lane + 1) * LANE_BITS)
            m.d.comb += total[part].eq(child[part] + more[part])
        m.d.sync += accumulator.eq(total)
        return total
