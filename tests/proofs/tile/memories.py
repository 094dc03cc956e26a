"""Claims of memories of one port: what is read is what was written last, and who waits does so for a reason."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value

from mho.hw.core.write_verify.decision import FaultMap
from mho.hw.host.core.host import InputBuffer, OutputBuffer
from mho.hw.memory import ParityBanks
from mho.hw.tile.isa import DESCRIPTOR_WORDS
from mho.hw.tile.rtl.buffer import BYTES, Buffer
from mho.hw.tile.rtl.engines.descriptors import Descriptors
from mho.hw.tile.rtl.lanes.accumulators import AT_A_TIME, Accumulators
from tests.proofs.harness import Harness, State, assume, claim, constant, drive_freely, witness

__all__ = ["BanksClaims", "BufferClaims", "DescriptorsClaims", "FaultMapClaims", "InputBufferClaims",
           "OutputBufferClaims", "SumsClaims"]

_OFFSET = 3
"""Bits of an address within a word."""


class BanksClaims(Harness):
    """Two banks, by parity: any word, which the solver picks."""

    def __init__(self, dut: ParityBanks) -> None:
        self.place = Signal(range(dut.depth), name="place")
        super().__init__(dut, self.place[1:], one_port=True)

    def specify(self, m: Module, state: State) -> None:
        read, write = self.dut.read, self.dut.write
        m.d.comb += self.place.eq(constant(m, self.place.shape(), "any_place"))
        drive_freely(m, read.addr, read.en, write.addr, write.en, write.data)
        assume(m, ~(read.en & write.en) | (read.addr[0] != write.addr[0]))
        last, expected, there = Signal(self.dut.width), Signal(self.dut.width), Signal()
        with m.If(write.en & (write.addr == self.place)):
            m.d.sync += last.eq(write.data)
        with m.If(read.en):
            m.d.sync += [there.eq(read.addr == self.place), expected.eq(last)]
        claim(m, "its word is that which was written last",
              Mux(self.place[0], state["odd.word_0"], state["even.word_0"]) == last)
        claim(m, "what is read is what was written last, until more is read", ~there | (read.data == expected))
        witness(m, "a word that was written is read while another one is written", there & (expected != 0) & write.en)


class BufferClaims(Harness):
    """Any byte of a tile's buffer, which the solver picks; words of other rows are free."""

    def __init__(self, dut: Buffer, *, one_port: bool) -> None:
        self.banks = 4 if one_port else 2
        self.place = Signal(range(dut.cfg.buffer_bytes), name="place")
        super().__init__(dut, self.place[_OFFSET + self.banks // 2 :], one_port=one_port)

    def specify(self, m: Module, state: State) -> None:
        dut: Buffer = self.dut
        m.d.comb += self.place.eq(constant(m, self.place.shape(), "any_place"))
        reads = [dut.read[k] for k in range(dut.readers)]
        writes = [dut.write[k] for k in range(dut.writers)]
        drive_freely(m, *(p.address for p in (*reads, *writes)), *(p.valid for p in (*reads, *writes)),
                     *(p.data for p in writes), *(p.bytes for p in writes))
        for port in writes:
            assume(m, port.bytes <= dut.widest)
        size, bank_end = len(self.place), _OFFSET + self.banks // 2
        last = Signal(8)
        for k, port in enumerate(writes):
            earlier = Cat(other.valid for other in writes[:k]).any()
            claim(m, f"write {k} waits for those before it alone", port.ready == ~earlier)
            distance = (self.place - port.address)[:size]
            with m.If(port.valid & port.ready & (distance < port.bytes)):
                m.d.sync += last.eq(port.data.word_select(distance[:_OFFSET], 8))
        word = Array(state[f"bank_{k}.word_0"] for k in range(self.banks))[self.place[_OFFSET:bank_end]]
        claim(m, "its byte is that which was written last",
              Value.cast(word).word_select(self.place[:_OFFSET], 8) == last)
        written = Cat(self._wanted(port.address[:bank_end], Mux(port.valid & port.ready, port.bytes, 0))
                      for port in writes)
        written = Cat(Cat(written[k :: self.banks]).any() for k in range(self.banks))
        # What a read gives comes two cycles behind it.
        at, expected, there = ([Signal(shape, name=f"{name}_{k}") for k in range(2)]
                               for name, shape in (("at", _OFFSET), ("expected", 8), ("there", 1)))
        m.d.sync += [there[0].eq(0), there[1].eq(there[0]), at[1].eq(at[0]), expected[1].eq(expected[0])]
        waited = Signal()
        for k, port in enumerate(reads):
            earlier = Cat(other.valid for other in reads[:k]).any()
            collides = (self._wanted(port.address[:bank_end], BYTES) & written).any() if self.banks == 4 else 0
            with m.If(port.valid):
                claim(m, f"read {k} waits for those before it, and while a bank that it wants is written",
                      port.ready == ~(earlier | collides))
            distance = (self.place - port.address)[:size]
            with m.If(port.valid & port.ready & (distance < BYTES)):
                m.d.sync += [at[0].eq(distance), expected[0].eq(last), there[0].eq(1)]
            with m.If(port.valid & ~port.ready & ~earlier):
                m.d.sync += waited.eq(1)
        data = reads[0].data.word_select(at[1], 8)
        claim(m, "what is read is what was there when it was taken", ~there[1] | (data == expected[1]))
        witness(m, "what was written is read", there[1] & (expected[1] != 0) & (waited if self.banks == 4 else 1))

    def _wanted(self, address: Value, count: Value | int) -> Value:
        """Which banks some bytes from an address on are in."""
        bank, offset = address[_OFFSET:], address[:_OFFSET]
        return Cat(((bank == k) & (count != 0)) | ((bank == (k - 1) % self.banks) & (offset + count > BYTES))
                   for k in range(self.banks))


class SumsClaims(Harness):
    """Any sum of the vector unit, which the solver picks."""

    def __init__(self, dut: Accumulators) -> None:
        self.place = Signal(8, name="place")
        super().__init__(dut, self.place[2:], one_port=True)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        m.d.comb += [self.place.eq(constant(m, 8, "any_place")), dut.soft_reset.eq(0)]
        tags = [dut.tag[k] for k in range(AT_A_TIME)]
        elements = [*(dut.made[k] for k in range(AT_A_TIME)), *tags, dut.live]
        drive_freely(m, dut.index, dut.read, dut.valid, dut.same, *elements)
        assume(m, dut.same == (tags[0].target == tags[1].target))
        # Elements stay until they are taken; nothing is read while some are added, nor in the cycle behind that.
        offered = Cat(Value.cast(element) for element in elements)
        before, waits, added = Signal.like(offered, name="before"), Signal(), Signal()
        m.d.sync += [before.eq(offered), waits.eq(dut.valid & ~dut.ready), added.eq(dut.valid)]
        assume(m, ~waits | (dut.valid & (offered == before)))
        assume(m, ~dut.read | ~(dut.valid | added))
        done = state["done"]
        last = Signal(32)
        groups = {"taken": done, "all": Cat([1] * AT_A_TIME)}
        sums = {name: self._added(last, tags, [dut.made[k] for k in range(AT_A_TIME)], dut.live & taken)
                for name, taken in groups.items()}
        with m.If(dut.valid & dut.ready):
            m.d.sync += last.eq(sums["all"])
        now = Mux(dut.valid, sums["taken"], last)
        claim(m, "what is taken before the rest is taken once", waits | (done == 0))
        for k in range(AT_A_TIME):
            bank, under_way = state.part(f"bank_{k}"), state[f"add_{k}"] & (state[f"at_{k}"] == self.place[1:])
            kept = Mux(self.place[1], state[f"bank_{k}.odd.word_0"], state[f"bank_{k}.even.word_0"])
            with m.If(self.place[0] == k):
                claim(m, "the sum is that of what was taken, in its order",
                      Mux(under_way, bank.write.data, kept) == now[:32])
        stood, old = Signal(), Signal.like(done, name="old")
        m.d.sync += [stood.eq(dut.valid & ~dut.ready), old.eq(done)]
        stands = stood & (done == old)
        again = Signal()
        m.d.sync += again.eq(stands)
        claim(m, "who waits goes on a cycle later", ~(stands & again))
        there, expected = Signal(AT_A_TIME), Signal(32)
        with m.If(dut.read):
            m.d.sync += [there.eq(Cat((dut.index + j)[:8] == self.place for j in range(AT_A_TIME))), expected.eq(last)]
        with m.Elif(dut.valid):
            m.d.sync += there.eq(0)
        for j in range(AT_A_TIME):
            claim(m, f"what is read is the sum, as neighbour {j}", ~there[j] | (dut.o[j].as_unsigned() == expected))
        witness(m, "a sum is read behind one who waited", there.any() & (expected > 2))

    def _added(self, start: Value, tags: list[Any], made: list[Any], taken: Value) -> Value:
        value = start
        for k, tag in enumerate(tags):
            here = taken[k] & tag.valid & (tag.target == self.place)
            value = Mux(here, (Mux(tag.start, 0, value) + made[k].as_unsigned())[:32], value)
        return value


class DescriptorsClaims(Harness):
    """Any word of a descriptor, which the solver picks; places of walks are written by the block itself."""

    def __init__(self, dut: Descriptors) -> None:
        self.place = Signal(8, name="place")
        super().__init__(dut, self.place, one_port=True)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        m.d.comb += [self.place.eq(constant(m, 8, "any_place")), dut.soft_reset.eq(0)]
        assume(m, self.place < DESCRIPTOR_WORDS)
        fetches = [dut.fetch[k] for k in range(dut.ports)]
        writers = (dut.place, dut.set, dut.load)
        drive_freely(m, dut.start, dut.ask.ready, dut.ask.ring, *(p.index for p in fetches),
                     *(p.valid for p in fetches), *(p.payload for p in writers), *(p.valid for p in writers))
        last, expected = Signal(32), Signal(32)
        there = Signal()
        for port in writers:
            with m.If(port.valid & port.ready & (port.p.index == self.place)):
                m.d.sync += last.eq(port.p.word)
        claim(m, "its word is that which was written last", state["memory.word_0"] == last)
        m.d.sync += [there.eq(0), expected.eq(last)]
        writes = Cat(port.valid & port.ready for port in writers).any()
        renews = state.at("Place") | state.at("Origin")
        for k, port in enumerate(fetches):
            earlier = Cat(other.valid for other in fetches[:k]).any()
            claim(m, f"fetch {k} waits for those before it, for what is written, and while the block looks by itself",
                  port.ready == ~(earlier | writes | renews | state.at("Read")))
            with m.If(port.valid & port.ready & (port.index == self.place)):
                m.d.sync += there.eq(1)
        for k, port in enumerate(writers):
            earlier = Cat(other.valid for other in writers[:k]).any()
            claim(m, f"write {k} waits for those before it and for the block itself", port.ready == ~(earlier | renews))
        claim(m, "what is fetched is what was written last", ~there | (fetches[0].data == expected))
        witness(m, "what was written is fetched", there & (expected != 0))


class InputBufferClaims(Harness):
    """Any word of the vector that the bus writes and the core takes."""

    def __init__(self, dut: InputBuffer) -> None:
        self.place = Signal(range(dut.words), name="place")
        super().__init__(dut, self.place, one_port=True)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        m.d.comb += [self.place.eq(constant(m, self.place.shape(), "any_place")), dut.clear.eq(0)]
        drive_freely(m, dut.enable, dut.address, dut.data, dut.strobe, dut.start, dut.count, dut.o.ready)
        assume(m, ~dut.start | ~dut.active)
        assume(m, dut.count <= dut.words)
        fetched, length = state["fetched"], state["length"]
        last, sent = Signal(32), Signal(range(dut.words + 1))
        for k in range(4):
            with m.If(dut.enable & (dut.address == self.place) & dut.strobe[k]):
                m.d.sync += last[8 * k : 8 * k + 8].eq(dut.data[8 * k : 8 * k + 8])
        claim(m, "its word is that which was written last", state["memory.word_0"] == last)
        m.d.sync += sent.eq(Mux(dut.start, 0, sent + (dut.o.valid & dut.o.ready)))
        claim(m, "words come in their order, each once", (fetched == sent + dut.o.valid) & (fetched <= length))
        reads = (fetched != length) & (~dut.o.valid | dut.o.ready) & ~dut.enable
        begun, expected = Signal(), Signal(32)
        m.d.sync += begun.eq(reads)
        with m.If(reads):
            m.d.sync += expected.eq(last)
        claim(m, "the next word waits for the bus alone", ~begun | dut.o.valid)
        claim(m, "a word is what was there when it was read, until it is taken",
              ~dut.o.valid | (sent != self.place) | (dut.o.payload == expected))
        witness(m, "a word that was written comes", dut.o.valid & (sent == self.place) & (expected != 0))


class OutputBufferClaims(Harness):
    """Any word of the vector that the core fills and the bus reads."""

    def __init__(self, dut: OutputBuffer) -> None:
        self.place = Signal(range(dut.words), name="place")
        super().__init__(dut, self.place, one_port=True)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        m.d.comb += [self.place.eq(constant(m, self.place.shape(), "any_place")), dut.clear.eq(0)]
        drive_freely(m, dut.i.payload, dut.i.valid, dut.enable, dut.address, dut.full)
        last, expected, there, count = Signal(32), Signal(32), Signal(), Signal(range(dut.words))
        takes = dut.i.valid & dut.i.ready
        claim(m, "a word of the core waits for room alone", dut.i.ready == ~dut.full)
        claim(m, "the bus waits for a word of the core alone", dut.ready == ~takes)
        with m.If(takes):
            m.d.sync += count.eq(Mux(count == dut.words - 1, 0, count + 1))
            with m.If(count == self.place):
                m.d.sync += last.eq(dut.i.payload)
        claim(m, "words are written in their order, each once", state["place"] == count)
        claim(m, "its word is that which came last", state["memory.word_0"] == last)
        claim(m, "it is filled with the last one", dut.filled == (takes & (count == dut.words - 1)))
        m.d.sync += [there.eq(dut.enable & dut.ready & (dut.address == self.place)), expected.eq(last)]
        claim(m, "what the bus reads is there in the next cycle", ~there | (dut.data == expected))
        witness(m, "a word that came is read", there & (expected != 0))


class FaultMapClaims(Harness):
    """Any word of the map. Cells are entered, and other words asked for, every second cycle at most.

    A cell that comes so early was left out, and has no fault.
    """

    def __init__(self, dut: FaultMap) -> None:
        self.place = Signal(range(dut.cfg.map_words), name="place")
        super().__init__(dut, self.place, one_port=True)

    def specify(self, m: Module, state: State) -> None:
        dut: Any = self.dut
        m.d.comb += [self.place.eq(constant(m, self.place.shape(), "any_place")), dut.soft_reset.eq(0)]
        assume(m, self.place < dut.cfg.map_words)
        drive_freely(m, dut.clear, dut.enter, dut.fault, dut.addr)
        entered, before, moved = Signal(3), Signal.like(dut.addr, name="before"), Signal()
        m.d.sync += [entered.eq(Cat(dut.enter, entered)), before.eq(dut.addr), moved.eq(dut.addr != before)]
        assume(m, ~dut.enter | (dut.cleared & ~dut.clear & ~entered[0] & (~dut.fault | (entered == 0))))
        assume(m, (dut.addr < dut.cfg.map_words) & (~moved | (dut.addr == before)))
        last, faults = (Signal(dut.cfg.map_width, name=name) for name in ("last", "faults"))
        now, word = Signal.like(faults, name="now"), state["word"]
        m.d.comb += now.eq(Mux(state["bit"] == 0, 0, faults) | (dut.fault << state["bit"]))
        with m.If(dut.clear | ~dut.cleared):
            m.d.sync += last.eq(0)
        with m.Elif(dut.enter):
            m.d.sync += faults.eq(now)
            with m.If(word == self.place):
                m.d.sync += last.eq(now)
        claim(m, "faults of a word are those of its cells so far", state["faults"] == faults)
        kept, late = state["memory.word_0"], state["waits"] & (state["late_word"] == self.place)
        claim(m, "its word is that which was entered last, or waits for the port",
              ~dut.cleared | (Mux(late, state["late"], kept) == last))
        claim(m, "words are cleared one by one", dut.cleared | (word <= self.place) | (kept == 0))
        claim(m, "what is read is what is kept", ~state["known"] | (state["at"] != self.place) | (dut.data == kept))
        witness(m, "a word that was entered is read", state["known"] & (state["at"] == self.place) & (dut.data != 0))
