"""Claims of the beginning of requests at the host: one at a time, and a place for every word of an answer."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.noc.registers.node import RegisterMaster
from mho.hw.noc.registers.packet import BURST, NODE_BITS, HeaderLayout, StatusLayout, burst_layout, host_address_bits
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness
from tests.proofs.queue import fifo_holds, word_behind

__all__ = ["MasterClaims"]

_STATES = ("IDLE", "HEADER", "DATA", "WORDS", "STATUS", "DELIVER")


class MasterClaims(Harness):
    """Each request becomes one packet, if it is legal, and has one answer; the next one waits for it.

    The host asks what it likes at both ports, and takes its time; so does the router. A node answers a packet that it
    has got whole, as is claimed of it (:class:`.server.ServerClaims`), with any words, at any time.

    Parameters
    ----------
    dut
        The master.
    """

    def __init__(self, dut: RegisterMaster) -> None:
        super().__init__(dut)

    def specify(self, m: Module, state: State) -> None:
        master: Any = self.dut
        bus, burst, word, answer = master.bus, master.burst, master.word, master.answer
        layout = burst_layout(host_address_bits(master.cfg))
        for port in (bus.request, burst.request, burst.data):
            drive_freely(m, port.payload, port.valid)
        drive_freely(m, bus.response.ready, burst.answer.ready, word.ready, answer.payload, answer.valid)
        request, single, opened = Signal(layout, name="what_was_asked"), Signal(name="single"), Signal(name="opened")
        data_of_bus = Signal(32, name="word_of_bus")
        owed, out = _count("owed"), _count("out")  # words of the answer that are to come; of the packet that went out
        takes_bus, takes_burst = (port.request.valid & port.request.ready for port in (bus, burst))
        with m.If(takes_burst):
            assume(m, burst.request.p.last < master.longest)
        with m.If(takes_bus | takes_burst):
            claim(m, "one request at a time", ~opened & ~(takes_bus & takes_burst))
            m.d.sync += [opened.eq(1), single.eq(takes_bus), out.eq(0), data_of_bus.eq(bus.request.p.data)]
            m.d.sync += request.eq(burst.request.payload)
            with m.If(takes_bus):
                m.d.sync += [
                    request.address.eq(bus.request.p.address), request.last.eq(0),
                    request.write.eq(bus.request.p.write), request.strobe.eq(bus.request.p.strobe),
                ]
        whole = Signal(range(BURST + 2), name="words_of_packet")
        m.d.comb += whole.eq(Mux(request.write, request.last + 2, 1))
        goes, ends = word.valid & word.ready, Signal(name="ends")
        with m.If(goes):
            m.d.sync += out.eq(out + 1)
            with m.If(out + 1 == whole):
                m.d.sync += owed.eq(Mux(request.write, 1, request.last + 2))
        with m.If(answer.valid):
            # A node says no more than what it owes.
            assume(m, owed != 0)
            m.d.sync += owed.eq(owed - 1)
        m.d.comb += ends.eq(Mux(
            single, bus.response.valid & bus.response.ready,
            burst.answer.valid & burst.answer.ready & burst.answer.p.last,
        ))
        with m.If(ends):
            m.d.sync += opened.eq(0)
        legal = self._legal(request)
        count = self._state_holds(m, state, (opened, single, request, owed, out, whole, legal, data_of_bus))
        self._packet(m, opened, single, request, out, whole, legal, data_of_bus)
        self._delivery(m, state, count, (opened, single, request, owed, out, whole, legal))

    def _legal(self, request: Any) -> Value:
        """Whether a request stays in a node that exists, said in another way than the hardware does."""
        cfg = self.dut.cfg
        node = request.address >> NODE_BITS - 2
        last = (request.address + request.last) >> NODE_BITS - 2
        bits = (cfg.columns - 1).bit_length() or 1
        return (last == node) & (node[:bits] < cfg.columns) & (node[bits:] < cfg.rows)

    def _in(self, state: State, *names: str) -> Value:
        """Whether the machine is in one of these states."""
        signal = state["fsm_state"]
        codes = {str(signal.decoder(k)).rpartition("/")[0]: k for k in range(len(_STATES))}  # type: ignore[misc]
        matches: Any = 0
        for name in names:
            matches = matches | (signal == codes[name])
        return matches

    def _state_holds(self, m: Module, state: State, ghost: Any) -> Value:
        opened, single, request, owed, out, whole, legal, data_of_bus = ghost
        words = state.part("words")
        count = fifo_holds(m, words, state.below("words"), "words")
        where = {name: self._in(state, name) for name in _STATES}
        claim(m, "the machine has six states", state["fsm_state"] < len(_STATES))
        claim(m, "open unless idle", opened == ~where["IDLE"])
        left, stored = state["left"], data.View(request.shape(), state["header"])
        with m.If(opened):
            claim(m, "it keeps the request", Value.cast(stored) == Value.cast(request))
            claim(m, "and where it came from", (state["from_bus"] == single) & (~single | (request.last == 0)))
            claim(m, "and the word of a bus", ~single | (state["word"] == data_of_bus))
            claim(m, "it is not too long", request.last < self.dut.longest)
        with m.If(~opened | where["HEADER"]):
            claim(m, "nothing is owed, nothing is left over", (owed == 0) & (count == 0) & (~opened | (out == 0)))
        with m.If(where["DATA"]):
            claim(m, "a write", request.write & (owed == 0) & (count == 0) & (left <= request.last))
            claim(m, "what is out", out == Mux(legal, request.last + 1 - left, 0))
        with m.If(where["WORDS"]):
            claim(m, "words of a read are owed", legal & ~request.write & (out == whole) & (left <= request.last))
            claim(m, "as many as are left, and the status", owed == left + 2)
            claim(m, "the others are here", count + left == request.last)
        with m.If(where["STATUS"]):
            claim(m, "the status is owed", legal & (owed == 1) & (out == whole))
            claim(m, "all words are here", count == Mux(request.write, 0, request.last + 1))
        with m.If(where["DELIVER"]):
            claim(m, "nothing is owed any more", (owed == 0) & (out == Mux(legal, whole, 0)))
            claim(m, "no words but those of a read", (count == 0) | (legal & ~request.write))
            claim(m, "for a bus there is its word", ~(single & legal & ~request.write) | (count == 1))
        return count

    def _packet(
        self, m: Module, opened: Value, single: Value, request: Any, out: Value, whole: Value, legal: Value,
        data_of_bus: Value,
    ) -> None:
        """What goes out."""
        master: Any = self.dut
        word, fields = master.word, master.word.p
        header: Any = data.View(HeaderLayout(), fields.word[: HeaderLayout().size])
        with m.If(word.valid):
            claim(m, "only of a legal request", opened & legal)
            claim(m, "no more than its words", out < whole)
            node = request.address >> NODE_BITS - 2
            claim(m, "to its node", (fields.column == node[: len(fields.column)])
                  & (fields.row == node[len(fields.column) :]))
            with m.If(out == 0):
                claim(m, "the header first", (header.address == request.address[: NODE_BITS - 2])
                      & (header.last == request.last) & (header.strobe == request.strobe)
                      & (header.write == request.write))
            with m.Else():
                data_word = Mux(single, data_of_bus, master.burst.data.p)
                claim(m, "then the words that are given", fields.word == data_word)
                claim(m, "when they are", single | master.burst.data.valid)
        transfers = master.burst.data.valid & master.burst.data.ready
        claim(m, "a word is taken when it goes, or when nothing goes", ~transfers | ~legal | (word.valid & word.ready))
        witness(m, "a burst of two goes out", word.valid & (out == 2) & ~single)

    def _delivery(self, m: Module, state: State, count: Value, ghost: Any) -> None:
        """What the host gets, and what the master waits for."""
        opened, single, request, owed, out, whole, legal = ghost
        master: Any = self.dut
        bus, burst, answer = master.bus.response, master.burst.answer, master.answer
        fifo = state.part("words")
        received, which = _count("came"), constant(m, range(master.longest), "any_word")
        word, status = Signal(32, name="word_that_came"), Signal(StatusLayout(), name="status_that_came")
        with m.If(~opened):
            m.d.sync += received.eq(0)
        with m.If(answer.valid):
            claim(m, "an answer finds its place", self._in(state, "WORDS", "STATUS"))
            claim(m, "and room", ~self._in(state, "WORDS") | fifo.ready)
            m.d.sync += received.eq(received + 1)
            with m.If(received == which):
                m.d.sync += word.eq(answer.payload)
            with m.If(owed == 1):
                m.d.sync += status.as_value().eq(answer.payload)
        delivered = _count("given")
        with m.If(~opened):
            m.d.sync += delivered.eq(0)
        with m.If(fifo.take):
            m.d.sync += delivered.eq(delivered + 1)
        reads = legal & ~request.write
        with m.If(opened):
            length = Mux(out == whole, Mux(request.write, 1, request.last + 2), 0)
            claim(m, "what came and what is owed is an answer", received + owed == length)
            status_is_here = legal & self._in(state, "DELIVER")
            claim(m, "words are counted", ~reads | (received == delivered + count + status_is_here))
            claim(m, "none is given before the end", self._in(state, "DELIVER") | (delivered == 0))
        for behind in range(fifo.depth):
            stored = word_behind(m, fifo, state.below("words"), behind, f"words_{behind}")
            with m.If((count > behind) & (delivered + behind == which)):
                claim(m, "words as they came", stored == word)
        claim(m, "a bus gets answers to its own requests", ~bus.valid | (opened & single))
        claim(m, "a burst too", ~burst.valid | (opened & ~single))
        with m.If(bus.valid):
            claim(m, "an error if it was illegal or a node said so", bus.p.error == (~legal | status.error))
            claim(m, "its word", ~(reads & (which == 0)) | (bus.p.data == word))
        with m.If(burst.valid & burst.p.last):
            claim(m, "all words were given", delivered == Mux(reads, request.last + 1, 0))
            claim(m, "an error if it was illegal or a node said so", burst.p.error == (~legal | status.error))
        with m.If(burst.valid & ~burst.p.last & (delivered == which)):
            claim(m, "words in order", burst.p.data == word)
        stored = data.View(StatusLayout(), state["status"])
        claim(m, "what is illegal has an error", ~self._in(state, "DATA") | legal | stored.error)
        with m.If(self._in(state, "DELIVER")):
            claim(m, "the status is that of the node", Mux(
                legal, Value.cast(stored) == Value.cast(status), stored.error))
        waits = (self._in(state, "DATA") & ~single & ~master.burst.data.valid) | (owed != 0)
        takes = ~legal & self._in(state, "HEADER", "DATA")
        moves = master.word.valid | bus.valid | burst.valid | takes
        claim(m, "it waits for words, the router, a node that owes, or the host only", ~opened | waits | moves)
        witness(m, "a burst of two was read", burst.valid & burst.p.last & (delivered == 2))
        witness(m, "an illegal write is refused", bus.valid & ~legal & request.write)


def _count(name: str) -> Signal:
    return Signal(range(BURST + 3), name=name)
