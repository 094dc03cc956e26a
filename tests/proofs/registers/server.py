"""Claims of the end of requests at a node: it takes what arrives, and answers each packet once."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.noc.registers.node import RegisterServer
from mho.hw.noc.registers.packet import BURST, HeaderLayout, StatusLayout
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness
from tests.proofs.queue import fifo_holds, word_behind

__all__ = ["ServerClaims"]


class ServerClaims(Harness):
    """Words of a packet always have a place; each is one access, in order; then there is one answer.

    Words come at any time and are anything, but for what is claimed of the host (:class:`.master.MasterClaims`): a
    packet comes after the answer to the one before. Registers and router may take their time. The solver picks the
    number of a word in its packet.

    Parameters
    ----------
    dut
        The server.
    """

    def __init__(self, dut: RegisterServer) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        server: Any = self.dut
        request, answer, bus = server.request, server.answer, server.bus
        accepted, answered = (port.valid & port.ready for port in (bus.request, bus.response))
        drive_freely(m, request.payload, request.valid, answer.ready, bus.request.ready, bus.response.valid)
        drive_freely(m, bus.response.payload)
        header: Any = Signal(HeaderLayout(), name="header_that_came")
        opened, due, done, sent = Signal(name="opened"), _count("due"), _count("done"), _count("sent")
        waiting, ends = Signal(name="waits_for_registers"), Signal(name="ends")
        incoming: Any = Signal(HeaderLayout(), name="comes")
        m.d.comb += incoming.as_value().eq(request.payload)
        with m.If(request.valid & ~opened):
            assume(m, incoming.last < server.longest)
            m.d.sync += [
                opened.eq(1), header.eq(incoming), due.eq(Mux(incoming.write, incoming.last + 1, 0)),
                done.eq(0), sent.eq(0),
            ]
        with m.If(request.valid & opened):
            # The host sends no more words than its header says, and no packet before the answer.
            assume(m, due != 0)
            m.d.sync += due.eq(due - 1)
        with m.If(accepted):
            m.d.sync += waiting.eq(1)
        with m.If(answered):
            m.d.sync += [waiting.eq(0), done.eq(done + 1)]
        assume(m, ~bus.response.valid | waiting)
        m.d.comb += ends.eq(answer.valid & answer.ready & (done == header.last + 1))
        with m.If(answer.valid & answer.ready):
            m.d.sync += sent.eq(sent + 1)
        with m.If(ends):
            m.d.sync += opened.eq(0)
        count = self._state_holds(m, state, opened, header, due, done, waiting)
        self._accesses(m, state, count, header, done, waiting, accepted)
        self._answers(m, state, header, opened, done, sent, answered, ends)
        # What it waits for, if nothing moves: its words, which are in the mesh; the registers; or the router.
        waits = ((due != 0) & ~state.part("words").valid) | (waiting & ~bus.response.valid)
        moves = bus.request.valid | answer.valid | answered
        claim(m, "it waits for its words, the registers or the router only", ~opened | waits | moves)
        two = header.last == 1
        witness(m, "a burst of two was written with an error", ends & header.write & two & answer.payload[0])
        witness(m, "a burst of two was read", ends & ~header.write & two)

    def _state_holds(
        self, m: Module, state: State, opened: Value, header: Any, due: Value, done: Value, waiting: Value
    ) -> Value:
        words = state.part("words")
        count = fifo_holds(m, words, state.below("words"), "words")
        length = Signal(range(BURST + 1), name="length")
        m.d.comb += length.eq(header.last + 1)
        claim(m, "what arrives is taken", ~(self.dut.request.valid & opened) | words.ready)
        claim(m, "busy while a packet is open", state["busy"] == opened)
        claim(m, "waiting for registers", state["waiting"] == waiting)
        with m.If(opened):
            stored: Any = data.View(HeaderLayout(), state["header"])
            for name in ("last", "strobe", "write"):
                claim(m, f"it keeps {name}", stored[name] == header[name])
            claim(m, "addresses rise", stored.address == (header.address + done)[: len(header.address)])
            claim(m, "words that are left", state["more"] == (done != length))
            claim(m, "their number", state["index"] == done[: len(state["index"])])
            claim(m, "no more accesses than words", (done < length) | (~waiting & (done == length)))
            claim(m, "words are due, held, or done", ~header.write | (due + count + done + waiting == length))
            claim(m, "it is not too long", header.last < self.dut.longest)
            claim(m, "a read has no words", header.write | ((due == 0) & (count == 0)))
        with m.Else():
            claim(m, "nothing is left between packets", ~waiting & (count == 0) & (due == 0))
        return count

    def _accesses(
        self, m: Module, state: State, count: Value, header: Any, done: Value, waiting: Value, accepted: Value
    ) -> None:
        """The k-th word of a packet is the k-th access."""
        server: Any = self.dut
        which, arrived = constant(m, range(server.longest), "any_word"), _count("arrived")
        word = Signal(32, name="word_that_came")
        request = server.bus.request.payload
        with m.If(server.request.valid):
            m.d.sync += arrived.eq(Mux(state["busy"], arrived + 1, 0))
            with m.If(state["busy"] & (arrived == which)):
                m.d.sync += word.eq(server.request.payload)
        fifo, inner = state.part("words"), state.below("words")
        with m.If(state["busy"] & header.write):
            claim(m, "words are counted", arrived == done + waiting + count)
            for behind in range(fifo.depth):
                stored = word_behind(m, fifo, inner, behind, f"words_{behind}")
                with m.If((count > behind) & (done + waiting + behind == which)):
                    claim(m, "words as they came", stored == word)
        with m.If(accepted):
            claim(m, "one access at a time", ~waiting)
            claim(m, "in the order of addresses", request.address == (header.address + done)[: len(request.address)])
            claim(m, "as the header says", (request.write == header.write) & (request.strobe == header.strobe))
            with m.If(header.write & (done == which)):
                claim(m, "with the word that came", request.data == word)

    def _answers(
        self, m: Module, state: State, header: Any, opened: Value, done: Value, sent: Value, answered: Value,
        ends: Value,
    ) -> None:
        """The words that were read, then one status, which names the first error."""
        server: Any = self.dut
        answer, response = server.answer, server.bus.response
        error, first = Signal(name="an_error"), Signal(range(BURST), name="first_error")
        with m.If(server.request.valid & ~opened):
            m.d.sync += error.eq(0)
        with m.If(answered & response.p.error & ~error):
            m.d.sync += [error.eq(1), first.eq(done)]
        with m.If(opened):
            claim(m, "a word for each access of a read", sent == Mux(header.write, 0, done))
        with m.If(answer.valid):
            claim(m, "answers belong to a packet", opened)
        with m.If(ends):
            claim(m, "the status is the last word", sent == Mux(header.write, 0, header.last + 1))
            claim(m, "it tells of an error", answer.payload[0] == error)
            claim(m, "and of the first one", ~error | (answer.payload[1:] == first))
        with m.Elif(answer.valid & answer.ready):
            read = ~header.write & answered
            claim(m, "a word of a read is what was read", read & (answer.payload == response.p.data))
        stored: Any = data.View(StatusLayout(), state["status"])
        claim(m, "the status so far", ~opened | ((stored.error == error) & (~error | (stored.first == first))))


def _count(name: str) -> Signal:
    return Signal(range(BURST + 2), name=name)
