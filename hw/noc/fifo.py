"""The input queue of a router, and round robin between those that want one output."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory

from mho.hw.ports import Component, In, Out


class RoundRobin(Component):
    """Grants one of its requests, and goes on behind it: a request waits for each of the others once at most.

    Of two requests, the one that has just gone alone keeps its turn: both alternate only where they meet. In a mesh
    under full load this is worth 3 %, since a flit that goes straight on is not held up for one that enters the row.

    Parameters
    ----------
    count
        Requests.
    """

    request = In(lambda self: self.count)
    """Requests. One that is granted counts as served in this cycle."""
    grant = Out(lambda self: self.count)
    """One of them, or none if there is none. Combinational."""
    index = Out(lambda self: range(self.count))
    """Which one, found beside the grant and not from it; of no meaning if there is none."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.count == 1:
            m.d.comb += self.grant.eq(self.request)
            return m
        after = Signal(self.count)
        late = Signal(self.count)
        m.d.comb += late.eq(self.request & after)
        for requests, condition in ((late, m.If(late.any())), (self.request, m.Else())):
            with condition:
                m.d.comb += [self.grant.eq(requests & ~_below(requests)), self.index.eq(_first(requests))]
        with m.If(self.request.all() if self.count == 2 else self.request.any()):
            m.d.sync += after.eq(_below(self.grant))
        return m


def _below(requests: Value) -> Value:
    """Places that have a request below them."""
    return Cat(requests[:k].any() if k else Const(0, 1) for k in range(len(requests)))


def _first(requests: Value) -> Value:
    """Number of the lowest request."""
    index: Value = Const(len(requests) - 1)
    for k in reversed(range(len(requests) - 1)):
        index = Mux(requests[k], k, index)
    return index


class FlitFifo(Component):
    """A FIFO whose head is there the cycle after it was written, and whose flags come from flip-flops.

    Its memory is read asynchronously, which FPGAs have in their lookup tables. ``ready`` does not look at ``take``: a
    full FIFO has room again a cycle after its head left, so that a FIFO of one flit passes one every other cycle.

    Parameters
    ----------
    width
        Bits of an entry.
    depth
        Entries: a power of two.
    """

    i = In(lambda self: self.width)
    """What is written."""
    put = In(1)
    """Write. Only when ``ready``."""
    ready = Out(1, init=1)
    """There is room."""
    o = Out(lambda self: self.width)
    """The head; of no meaning unless ``valid``."""
    valid = Out(1)
    """There is a head."""
    take = In(1)
    """Take the head. Only when ``valid``."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        single = Signal()
        nearly_full = Signal()
        if self.depth == 1:
            held = Signal(self.width, reset_less=True)
            m.d.comb += [self.o.eq(held), single.eq(1), nearly_full.eq(1)]
            with m.If(self.put):
                m.d.sync += held.eq(self.i)
        else:
            head, tail = self._store(m)
            m.d.comb += [single.eq(tail == (head + 1)[: len(head)]), nearly_full.eq(head == (tail + 1)[: len(tail)])]
        # `put` and `take` come late: one lookup table is left behind them.
        m.d.sync += [
            self.valid.eq(self.put | self.valid & ~(self.take & single)),
            self.ready.eq(self.take | self.ready & ~(self.put & nearly_full)),
        ]
        return m

    def _store(self, m: Module) -> tuple[Signal, Signal]:
        """The memory; places of its head and of the first free entry."""
        m.submodules.memory = memory = Memory(shape=self.width, depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        # One a line: a signal is named by what it is assigned to, and the proofs find these two by their names.
        tail = Signal(range(self.depth))
        head = Signal(range(self.depth))
        m.d.comb += [
            write.addr.eq(tail), write.data.eq(self.i), write.en.eq(self.put),
            read.addr.eq(head), self.o.eq(read.data),
        ]
        with m.If(self.put):
            m.d.sync += tail.eq(tail + 1)
        with m.If(self.take):
            m.d.sync += head.eq(head + 1)
        return head, tail
