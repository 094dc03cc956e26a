"""The sequencer: fetches a program, carries out what steers it, issues the rest."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream

from mho.hw.block import Resettable
from mho.hw.memory import block_memory
from mho.hw.ports import In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import OPCODE_LOW, Cause, Op
from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.layouts import PC_BITS, DescriptorWrite, IssueLayout, TrapLayout
from mho.hw.tile.rtl.rings import AskPort, Change
from mho.hw.tile.rtl.sequencer.loops import Decoder, LoopStack, field
from mho.hw.tile.rtl.sequencer.stops import ProgramStop
from mho.hw.tile.rtl.sequencer.tokens import TokenStates

_WORD = 32


class Sequencer(Resettable[TileConfig]):
    """Runs a program: one instruction after the other, three cycles each and what they wait for.

    HALT, LOOP, SET and the token instructions are carried out here, IMAGE, MVM, VEC, SEND and CORE are issued. SET
    and the token instructions wait until the engines are idle, since what these have in hand comes before; so does
    CORE, whose tokens are seen to here. An instruction that is illegal by its own bits, by the loops or by its ring
    stops the program, as does an engine's trap.
    """

    verilog_name = "program_sequencer"
    start = In(1)
    running = Out(1)
    """Strobe: run from address 0 on, without loops. It does."""
    stop = In(1)
    """The host's wish that the program ends at the next IMAGE."""
    registers = array(In(16), 3)
    """Host registers that loops count by."""
    issue = Out(stream.Signature(IssueLayout()))
    """Instructions for the engines. Those of MVM and VEC take none in the first cycle in which it is offered: whether
    its own bits are legal is known in the next one, and it is offered no longer if they are not."""
    idle = In(1)
    quiet = In(1)
    """The engines have nothing left, and those that trap have nothing left; from the cycle after an issue on."""
    undrained = In(1)
    """A product was issued and is not taken."""
    block_address = Out(ADDRESS_BITS)
    block_size = Out(12)
    """Of CORE: its block, and the bytes of that."""
    ask = Out(AskPort())
    change = Out(stream.Signature(Change()))
    """The tokens."""
    set = Out(stream.Signature(DescriptorWrite()))
    """Words of SET."""
    trapped = In(TrapLayout())
    """What an engine says, for a cycle."""
    trap = Out(TrapLayout())
    """Why the program stopped; all 0 while it did not."""
    retire = Out(1)
    retired = Out(IssueLayout())
    """Strobe: an instruction ended here or was issued; which."""
    write = In(1)
    write_index = In(PC_BITS)
    write_data = In(_WORD)
    """Writes instructions, while no program runs."""
    look = In(1)
    seen = Out(_WORD)
    """Reads the instruction at ``write_index``, while no program runs; it is there in the next cycle."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.loops = loops = LoopStack()
        m.submodules.decoder = decoder = Decoder()
        # Address of what comes next; of the instruction at hand and of its last word; the instruction; what is left of
        # its words or blocks.
        pc, last, address = (Signal(PC_BITS + 1, name=name) for name in ("pc", "last", "address"))
        at = Signal(PC_BITS)
        word = Signal(_WORD, reset_less=True)
        left = Signal(8)
        op = word[OPCODE_LOW : OPCODE_LOW + 4]
        dead, fetch, ended = (Signal(name=name) for name in ("dead", "fetch", "stops"))
        place = Signal(8, reset_less=True)
        self._stops = stops = ProgramStop(m, self.trap)
        tokens = TokenStates(m, self, stops)
        # Something changes a ring in this cycle.
        changes = Signal(name="changes")
        # The program has run off its end.
        self._ends = Signal(name="off_the_end")
        # What is changed does not depend on the state, so it is known a cycle before.
        number = Signal.like(self.change.p.stream, name="number")
        m.d.sync += [
            changes.eq(stops.changes), self.change.p.stream.eq(number),
            self.change.p.free.eq((op == Op.FREE) | (op == Op.CORE)),
        ]
        fetched = self._memory(m, platform, fetch, address)
        m.d.comb += [
            address.eq(pc), decoder.word.eq(word), loops.at.eq(last), dead.eq(self.trap.cause != 0),
            self.retired.word.eq(word), self.retired.pc.eq(at), self.issue.payload.eq(self.retired),
            number.eq(Mux(op == Op.CORE, field(word, Op.CORE, "source"), field(word, Op.WAIT, "stream"))),
            self.ask.stream.eq(number), self.change.valid.eq(changes),
            self.set.p.index.eq(place), self.set.p.word.eq(fetched),
        ]
        stops.judge(decoder, op, at, self.cfg.instructions)
        stops.take(self.start, self.trapped, dead, ended)
        with m.FSM() as machine:
            with m.State("Idle"):
                m.d.comb += loops.clear.eq(1)
                m.d.sync += pc.eq(0)
                with m.If(self.start):
                    m.next = "Fetch"
            with m.State("Stop"):
                # An older instruction in an engine may trap: its cause goes before the sequencer's own.
                m.d.comb += ended.eq(self.quiet)
                with m.If(dead | self.quiet):
                    m.next = "Idle"
            with m.State("Fetch"):
                self._fetch(m, fetch, address, pc, at, last)
            with m.State("Decode"):
                m.d.sync += word.eq(fetched)
                self._decode(m, fetched, left)
                with m.If(dead):
                    m.next = "Idle"
            with m.State("Halt"), m.If(stops.judged):
                m.d.comb += self.retire.eq(~dead & ~stops.illegal)
                m.next = "Idle"
                stops.obey(dead)
            with m.State("Loop"), m.If(stops.judged):
                with m.If(~stops.illegal):
                    self._loop(m, word, at, pc, last, loops)
                with m.Else():
                    stops.refuse()
            self._set(m, fetch, address, last, left, place, word, dead)
            tokens.wait(op, left, dead)
            with m.State("Check"):
                tokens.check(word)
                stops.obey(dead)
            tokens.command(word, dead)
            self._issue(m, op, dead)
            with m.State("Next"):
                self._next(m, fetch, address, at, last, loops)
        # Where it stops: the instruction at hand, or what would come behind the last one.
        with m.If(~machine.ongoing("Stop")):
            m.d.sync += stops.own.pc.eq(Mux(self._ends, Mux(address[-1], -1, address), at))
        m.d.comb += self.running.eq(~machine.ongoing("Idle"))
        return self.resets(m)

    def _issue(self, m: Module, op: Value, dead: Value) -> None:
        """Offers the instruction to its engine, as long as it is legal and no engine has trapped."""
        with m.State("Issue"):
            m.d.comb += self.issue.valid.eq(self._stops.judged & ~dead & ~self._stops.illegal)
            with m.If(self.issue.ready):
                m.next = "Next"
                with m.If(op == Op.CORE):
                    m.next = "Given"
                with m.If((op == Op.IMAGE) & self.stop):
                    m.d.comb += self.retire.eq(self.issue.valid)
                    m.next = "Idle"
            self._stops.obey(dead)

    def _next(
        self, m: Module, fetch: Value, address: Value, at: Signal, last: Signal, loops: LoopStack
    ) -> None:
        """What follows: the next word, or the first one of a loop that is run once more."""
        following = Signal(PC_BITS + 1)
        # A loop that ends may be the last word of the one around it, which is asked in the next cycle.
        m.d.comb += [
            loops.ends.eq(1), self.retire.eq(~loops.closes), following.eq(Mux(loops.again, loops.back, last + 1)),
        ]
        with m.If(~loops.closes):
            self._fetch(m, fetch, address, following, at, last)
        with m.If(loops.beyond):
            m.d.comb += [self.retire.eq(0), self._ends.eq(0)]
            self._stops.stop(Cause.LOOP)

    def _memory(self, m: Module, platform: object, fetch: Value, address: Value) -> Value:
        """The word that was fetched last."""
        m.submodules.instructions = memory = block_memory(platform, _WORD, self.cfg.instructions)
        read = memory.read_port()
        write = memory.write_port()
        m.d.comb += [
            read.addr.eq(Mux(self.look, self.write_index, address)), read.en.eq((fetch & ~self.write) | self.look),
            self.seen.eq(read.data), write.addr.eq(self.write_index),
            write.data.eq(self.write_data), write.en.eq(self.write),
        ]
        return read.data

    def _fetch(self, m: Module, fetch: Value, address: Value, number: Value, at: Signal, last: Signal) -> None:
        """To the instruction of this number."""
        m.d.comb += [fetch.eq(1), address.eq(number)]
        m.d.sync += [at.eq(number), last.eq(number)]
        m.next = "Decode"
        with m.If(number >= self.cfg.instructions):
            m.d.comb += self._ends.eq(1)
            self._stops.stop(Cause.END)

    def _decode(self, m: Module, word: Value, left: Signal) -> None:
        op = word[OPCODE_LOW : OPCODE_LOW + 4]
        # The engines of MVM and VEC look at an instruction for some cycles before they take it.
        looked_at = ~word[-1] & ((op == Op.MVM) | (op == Op.VEC))
        stops = self._stops
        m.d.sync += [
            left.eq(field(word, Op.WAIT, "n")), stops.wrong.eq(0), stops.runs_out.eq(0), stops.judged.eq(looked_at),
        ]
        with m.Switch(op):
            with m.Case(Op.HALT):
                m.next = "Halt"
            with m.Case(Op.LOOP):
                m.next = "Loop"
            with m.Case(Op.SET):
                m.d.sync += left.eq(field(word, Op.SET, "words"))
                m.next = "Settle"
            with m.Case(Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH):
                m.next = "Ask"
            with m.Case(Op.SEND):
                m.next = "Check"
            with m.Case(Op.CORE):
                m.d.sync += left.eq(1)
                m.next = "Ask"
            with m.Default():
                m.next = "Issue"

    def _loop(self, m: Module, word: Value, at: Value, pc: Signal, last: Signal, loops: LoopStack) -> None:
        """Opens a loop, or passes it."""
        body, number = field(word, Op.LOOP, "body"), field(word, Op.LOOP, "reg")
        times = Signal(16)
        end = Signal(PC_BITS + 1)
        m.d.comb += [
            times.eq(field(word, Op.LOOP, "n")), end.eq(at + body), loops.first.eq(at + 1), loops.last.eq(end),
            loops.times.eq(times), loops.endless.eq((field(word, Op.LOOP, "n") == 0) & (number == 0)),
        ]
        for k, register in enumerate(self.registers):
            with m.If(number == k + 1):
                m.d.comb += times.eq(register)
        # Which loops are open the decoder does not see.
        with m.If(loops.full | (end > Mux(loops.bounded, loops.around, self.cfg.instructions - 1))):
            self._stops.stop(Cause.LOOP)
        with m.Elif((times == 0) & ~loops.endless):
            m.d.sync += last.eq(end)
            m.next = "Next"
        with m.Else():
            m.d.comb += [loops.push.eq(1), self.retire.eq(1)]
            m.d.sync += pc.eq(at + 1)
            m.next = "Fetch"

    def _set(
        self, m: Module, fetch: Value, address: Value, last: Signal, left: Signal, place: Signal, word: Value,
        dead: Value,
    ) -> None:
        """Words of SET, one every two cycles, when they are written at once."""
        with m.State("Settle"):
            # What engines have in hand still reads the descriptors that are there.
            m.d.sync += place.eq(field(word, Op.SET, "first"))
            with m.If(self.idle):
                m.next = "Set"
            self._stops.obey(dead)
        with m.State("Set"):
            m.d.comb += [fetch.eq(1), address.eq(last + 1)]
            # The word comes out of the memory in the next cycle, in which it is written.
            m.d.sync += [last.eq(last + 1), left.eq(left - 1)]
            m.next = "Write"
            with m.If(self._stops.illegal):
                self._stops.refuse()
        with m.State("Write"):
            m.d.comb += self.set.valid.eq(1)
            with m.If(self.set.ready):
                m.d.sync += place.eq(place + 1)
                m.next = "Set"
                with m.If(left == 0):
                    m.next = "Next"
