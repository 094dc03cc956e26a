"""The reduction router: sums of the operands of a tree's nodes, on their way to its root."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from mho.hw.noc.arbiter import RoundRobin
from mho.hw.noc.config import LANE_BITS, MeshConfig
from mho.hw.noc.flit import Channel
from mho.hw.noc.ports import Port
from mho.hw.noc.reduction.inputs import OperandLayout, ReductionInput, context_bits, pick, queue_depth

_NAMES = {port: port.name.lower() for port in Port}
_CHILDREN = 4


class EntryLayout(data.StructLayout):
    """What a router does in a context.

    ``children``: inputs that are summed, by :class:`mho.hw.noc.ports.Port`; ``local``: so is the operand of the node;
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
        self.children, self.local = Signal(_CHILDREN, name=f"children_{c}"), Signal(name=f"local_{c}")
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
        members: dict[str, Any] = {"setup": In(SetupLayout(cfg))}
        for name in _NAMES.values():
            members |= {f"{name}_i": In(channel), f"{name}_o": Out(channel)}
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
        goes, goes_on, following = Signal(), Signal(), Signal(range(len(contexts)))
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
