"""The input queue of a router."""

from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory

from mho.hw.ports import Component, In, Out


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
        single, nearly_full = Signal(), Signal()
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
        write, read = memory.write_port(), memory.read_port(domain="comb")
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
