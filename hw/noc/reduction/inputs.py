"""One input of a reduction router: the queues of all contexts in one memory."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Channel
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
            tail, put = Signal(range(depth), name=f"tail_{c}"), self.put[c]
            tails.append(tail)
            mine = self.i.payload.context == c if cfg.contexts > 1 else 1
            m.d.comb += put.eq(self.i.valid & mine & (1 if self.guarded else room[c]))
            single, nearly_full = Signal(name=f"single_{c}"), Signal(name=f"nearly_full_{c}")
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
        write, read = memory.write_port(), memory.read_port(domain="comb")
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
