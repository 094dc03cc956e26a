"""Claims of the FIFO, and what all who hold FIFOs need to say of them."""

from typing import Any, NamedTuple

from amaranth.hdl import Module, Signal, Value

from mho.hw.noc.fifo import FlitFifo
from tests.proofs.harness import Harness, State, assume, claim, drive_freely, free, witness

__all__ = ["FifoClaims", "Queue", "fifo_holds", "input_queue", "word_behind"]


class Queue(NamedTuple):
    """The FIFO of an input of a router.

    Attributes
    ----------
    fifo, state
        The component, and its flip-flops.
    served
        Outputs that have had its head.
    """

    fifo: FlitFifo
    state: State
    served: Value


def input_queue(state: State, path: str) -> Queue:
    """FIFO of the input at a path."""
    return Queue(state.part(f"{path}.queue"), state.below(f"{path}.queue"), state[f"{path}.served"])


def fifo_holds(m: Module, fifo: FlitFifo, state: State, name: str = "fifo") -> Signal:
    """Claim what is always true of the flags and the pointers of a FIFO, ``state`` being its own.

    Returns
    -------
    Signal
        Number of entries: those put in less those taken.
    """
    count = Signal(range(fifo.depth + 1), name=f"{name}_count".replace(" ", "_"))
    m.d.sync += count.eq(count + fifo.put - fifo.take)
    claim(m, f"{name}: no more in it than there is room for", count <= fifo.depth)
    claim(m, f"{name}: valid if something is in it", fifo.valid == (count != 0))
    claim(m, f"{name}: ready if there is room", fifo.ready == (count != fifo.depth))
    claim(m, f"{name}: nothing is put in without room", ~fifo.put | (count != fifo.depth))
    claim(m, f"{name}: nothing is taken that is not there", ~fifo.take | (count != 0))
    if fifo.depth > 1:
        head, tail = state["head"], state["tail"]
        claim(m, f"{name}: the pointers are as far apart", (tail - head)[: len(head)] == count[: len(head)])
    return count


def word_behind(m: Module, fifo: FlitFifo, state: State, behind: Any, name: str) -> Signal:
    """The word of a FIFO that has ``behind`` others in front of it."""
    if fifo.depth == 1:
        return state["held"]
    place, word = Signal(range(fifo.depth), name=f"{name}_place"), Signal(fifo.width, name=f"{name}_word")
    m.d.comb += place.eq(state["head"] + behind)
    with m.Switch(place):
        for k, stored in enumerate(state.words("memory")):
            with m.Case(k):
                m.d.comb += word.eq(stored)
    return word


class FifoClaims(Harness):
    """Nothing lost, doubled, changed or overtaken; nothing more in it than there is room for.

    The solver picks one entry when it is put in; it must come out as it was, after those that were in before it.
    """

    def __init__(self, dut: FlitFifo) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        fifo: FlitFifo = self.dut
        drive_freely(m, fifo.i, fifo.put, fifo.take)
        # The contract of those who use it; that they keep it is claimed where it is used.
        assume(m, ~fifo.put | fifo.ready)
        assume(m, ~fifo.take | fifo.valid)
        count = fifo_holds(m, fifo, state)
        pick = free(m, 1, "pick")
        inside, gone, entry = Signal(), Signal(), Signal(fifo.width)
        before = Signal(range(fifo.depth + 1))
        with m.If(pick & fifo.put & ~inside & ~gone):
            m.d.sync += [inside.eq(1), entry.eq(fifo.i), before.eq(count - fifo.take)]
        with m.If(inside):
            claim(m, "it is among those inside", before < count)
            claim(m, "its word is unchanged", word_behind(m, fifo, state, before, "entry") == entry)
            with m.If(before == 0):
                claim(m, "it is at the head when all before it have left", fifo.valid & (fifo.o == entry))
            with m.If(fifo.take):
                m.d.sync += [before.eq(before - 1), inside.eq(before != 0), gone.eq(before == 0)]
        witness(m, "it has come out", gone)
        witness(m, "it is full", ~fifo.ready)
