"""The sequencer: fetches a program, carries out what steers it, issues the rest."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.ports import In, Out, array
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import OPCODE_LOW, Cause, Engine, Op
from mho.hw.tile.isa.rules import COUNT_RULES, SEND_RULES, Use
from mho.hw.tile.rtl.buffer import ADDRESS_BITS
from mho.hw.tile.rtl.layouts import PC_BITS, DescriptorWrite, IssueLayout, TrapLayout
from mho.hw.tile.rtl.rings import WRONGS, AskPort, Change
from mho.hw.tile.rtl.sequencer.loops import CAUSES, Decoder, LoopStack, field, fields_of

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
        dead, fetch, stops = (Signal(name=name) for name in ("dead", "fetch", "stops"))
        place = Signal(8, reset_less=True)
        self._own = Signal(TrapLayout(), name="own_trap", reset_less=True)
        # What was decoded is illegal by its own bits; something changes a ring, in this cycle and in the next one.
        self._illegal, changes, self._changes = (Signal(name=name) for name in ("illegal", "changes", "changes_next"))
        self._wrong = Signal(len(CAUSES), name="its_wrongs")
        self._runs_out = Signal(name="runs_out")
        # That is known, or no engine has taken the instruction before it is.
        self._judged = Signal(name="judged")
        # The program has run off its end.
        self._ends = Signal(name="off_the_end")
        # What is changed does not depend on the state, so it is known a cycle before.
        number = Signal.like(self.change.p.stream, name="number")
        m.d.sync += [
            changes.eq(self._changes), self.change.p.stream.eq(number),
            self.change.p.free.eq((op == Op.FREE) | (op == Op.CORE)),
        ]
        fetched = self._memory(m, fetch, address)
        m.d.comb += [
            address.eq(pc), decoder.word.eq(word), loops.at.eq(last), dead.eq(self.trap.cause != 0),
            self.retired.word.eq(word), self.retired.pc.eq(at), self.issue.payload.eq(self.retired),
            number.eq(Mux(op == Op.CORE, field(word, Op.CORE, "source"), field(word, Op.WAIT, "stream"))),
            self.ask.stream.eq(number), self.change.valid.eq(changes),
            self.set.p.index.eq(place), self.set.p.word.eq(fetched),
        ]
        self._judge(m, decoder, op, at)
        self._trap(m, dead, stops)
        with m.FSM() as machine:
            with m.State("Idle"):
                m.d.comb += loops.clear.eq(1)
                m.d.sync += pc.eq(0)
                with m.If(self.start):
                    m.next = "Fetch"
            with m.State("Stop"):
                # An older instruction in an engine may trap: its cause goes before the sequencer's own.
                m.d.comb += stops.eq(self.quiet)
                with m.If(dead | self.quiet):
                    m.next = "Idle"
            with m.State("Fetch"):
                self._fetch(m, fetch, address, pc, at, last)
            with m.State("Decode"):
                m.d.sync += word.eq(fetched)
                self._decode(m, fetched, left)
                with m.If(dead):
                    m.next = "Idle"
            with m.State("Halt"), m.If(self._judged):
                m.d.comb += self.retire.eq(~dead & ~self._illegal)
                m.next = "Idle"
                self._obey(m, dead)
            with m.State("Loop"), m.If(self._judged):
                with m.If(~self._illegal):
                    self._loop(m, word, at, pc, last, loops)
                with m.Else():
                    self._refuse(m)
            self._set(m, fetch, address, last, left, place, word, dead)
            self._tokens(m, op, left, dead)
            with m.State("Check"):
                self._check(m, word)
                self._obey(m, dead)
            self._command(m, word, dead)
            self._issue(m, op, dead)
            with m.State("Next"):
                self._next(m, fetch, address, at, last, loops)
        # Where it stops: the instruction at hand, or what would come behind the last one.
        with m.If(~machine.ongoing("Stop")):
            m.d.sync += self._own.pc.eq(Mux(self._ends, Mux(address[-1], -1, address), at))
        m.d.comb += self.running.eq(~machine.ongoing("Idle"))
        return self.resets(m)

    def _judge(self, m: Module, decoder: Decoder, op: Value, at: Value) -> None:
        """Whether an instruction is legal by its own bits, in the cycle behind ``Decode``, for those that follow.

        In the cycle of ``Decode`` the memory has only just given it: half of that cycle is gone.
        """
        word = decoder.word
        runs_out = at + field(word, Op.SET, "words") >= self.cfg.instructions
        m.d.comb += self._illegal.eq(self._wrong.any() | self._runs_out)
        m.d.sync += [
            self._wrong.eq(decoder.wrong), self._runs_out.eq((op == Op.SET) & runs_out), self._judged.eq(1),
        ]

    def _trap(self, m: Module, dead: Value, stops: Value) -> None:
        """Why the program stopped: the first cause stays until the next start."""
        with m.If(self.start):
            m.d.sync += self.trap.eq(0)
        with m.Elif(~dead & ((self.trapped.cause != 0) | stops)):
            m.d.sync += self.trap.eq(Mux(self.trapped.cause != 0, self.trapped, self._own))

    def _issue(self, m: Module, op: Value, dead: Value) -> None:
        """Offers the instruction to its engine, as long as it is legal and no engine has trapped."""
        with m.State("Issue"):
            m.d.comb += self.issue.valid.eq(self._judged & ~dead & ~self._illegal)
            with m.If(self.issue.ready):
                m.next = "Next"
                with m.If(op == Op.CORE):
                    m.next = "Given"
                with m.If((op == Op.IMAGE) & self.stop):
                    m.d.comb += self.retire.eq(self.issue.valid)
                    m.next = "Idle"
            self._obey(m, dead)

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
            self._stop(m, Cause.LOOP)

    def _memory(self, m: Module, fetch: Value, address: Value) -> Value:
        """The word that was fetched last."""
        m.submodules.instructions = memory = Memory(shape=unsigned(_WORD), depth=self.cfg.instructions, init=[])
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
            self._stop(m, Cause.END)

    def _stop(
        self, m: Module, cause: Cause | Value, number: Value | int = 0, engine: Engine = Engine.SEQUENCER
    ) -> None:
        """A trap of the sequencer itself, if none of the instructions before it traps."""
        m.d.sync += [self._own.cause.eq(cause), self._own.engine.eq(engine), self._own.stream.eq(number)]
        m.d.comb += self._changes.eq(0)
        m.next = "Stop"

    def _obey(self, m: Module, dead: Value) -> None:
        """Leave a state since the instruction is illegal, or since an engine trapped."""
        with m.If(self._illegal):
            self._refuse(m)
        with m.If(dead):
            m.next = "Idle"
        with m.If(self._illegal | dead):
            m.d.comb += self._changes.eq(0)

    def _refuse(self, m: Module) -> None:
        """Stops since the instruction is illegal by its own bits: with the least cause."""
        bits: dict[Cause, Value] = {**dict(zip(CAUSES, self._wrong, strict=True)), Cause.END: self._runs_out}
        first: Value = Const(0, 4)
        for cause in sorted(bits, reverse=True):
            first = Mux(bits[cause], cause, first)
        self._stop(m, first)

    def _to_change(self, m: Module) -> None:
        """To the state that changes a ring; what chooses among all who do takes the time of a cycle."""
        m.d.comb += self._changes.eq(1)
        m.next = "Change"

    def _decode(self, m: Module, word: Value, left: Signal) -> None:
        op = word[OPCODE_LOW : OPCODE_LOW + 4]
        # The engines of MVM and VEC look at an instruction for some cycles before they take it.
        looked_at = ~word[-1] & ((op == Op.MVM) | (op == Op.VEC))
        m.d.sync += [
            left.eq(field(word, Op.WAIT, "n")), self._wrong.eq(0), self._runs_out.eq(0), self._judged.eq(looked_at),
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
            self._stop(m, Cause.LOOP)
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
            self._obey(m, dead)
        with m.State("Set"):
            m.d.comb += [fetch.eq(1), address.eq(last + 1)]
            # The word comes out of the memory in the next cycle, in which it is written.
            m.d.sync += [last.eq(last + 1), left.eq(left - 1)]
            m.next = "Write"
            with m.If(self._illegal):
                self._refuse(m)
        with m.State("Write"):
            m.d.comb += self.set.valid.eq(1)
            with m.If(self.set.ready):
                m.d.sync += place.eq(place + 1)
                m.next = "Set"
                with m.If(left == 0):
                    m.next = "Next"

    def _check(self, m: Module, word: Value) -> None:
        """Whether a SEND is legal with its stream."""
        ring = self.ask.ring
        use = Use(Op.SEND, fields_of(word, Op.SEND), self.cfg, streams={"stream": ring})
        breaks = {rule.cause: rule.breaks(use) for rule in SEND_RULES}
        beyond = ring.wrong == WRONGS.index(Cause.ADDRESS)
        m.d.comb += self.ask.valid.eq(1)
        with m.If(self.ask.ready):
            m.next = "Issue"
            with m.If((ring.wrong != 0) & ~beyond):
                self._stop(m, _cause(ring.wrong), self.ask.stream)
            with m.Elif(breaks[Cause.FIELD]):
                self._stop(m, Cause.FIELD, self.ask.stream)
            with m.Elif(beyond):
                self._stop(m, Cause.ADDRESS, self.ask.stream)
            with m.Elif(breaks[Cause.RING]):
                self._stop(m, Cause.RING, self.ask.stream)

    def _command(self, m: Module, word: Value, dead: Value) -> None:
        """CORE, whose block is there: gives it to the load engine as pairs of words, and then back to its ring."""
        ring = self.ask.ring
        with m.State("Block"):
            m.d.comb += self.ask.valid.eq(1)
            m.d.sync += [self.block_address.eq(ring.head), self.block_size.eq(ring.block)]
            with m.If(self.ask.ready):
                m.next = "Issue"
                # Pairs of an address and a word, eight bytes each.
                with m.If(ring.block[:3].any()):
                    self._stop(m, Cause.CORE, engine=Engine.LOAD)
            self._obey(m, dead)
        # Its tokens are changed here, when the load engine has read the block: that has no port for it.
        with m.State("Given"):
            with m.If(self.quiet):
                m.next = "Next"
                with m.If(field(word, Op.CORE, "free")):
                    self._to_change(m)
            self._obey(m, dead)

    def _tokens(self, m: Module, op: Value, left: Signal, dead: Value) -> None:
        """Waits for blocks or room, then gives back or shows them one by one.

        Whether it is legal is asked at once, what is there when the engines are idle: SEND may wait for ever.
        """
        ring = self.ask.ring
        answered = Signal()
        again = Signal()
        use = Use(Op.WAIT, {"n": left}, self.cfg, streams={"stream": ring})
        breaks = {rule.cause: rule.breaks(use) for rule in COUNT_RULES}
        m.d.sync += [answered.eq(0), again.eq(0)]
        with m.State("Ask"):
            # Of something to be made: what fits; else what is there.
            makes = (op == Op.ROOM) | (op == Op.PUSH)
            fits = Signal()
            m.d.comb += [
                self.ask.valid.eq(~dead & (self.idle | ~answered)), fits.eq(ring.there + left <= ring.blocks),
            ]
            m.d.comb += self.ask.again.eq(again)
            m.d.sync += [answered.eq(answered | self.ask.ready), again.eq(again | (self.ask.ready & self.idle))]
            with m.If(self.ask.ready):
                with m.If(self.idle & Mux(makes, fits, ring.there >= left)):
                    m.next = "Next"
                    with m.If((op == Op.FREE) | (op == Op.PUSH)):
                        self._to_change(m)
                    with m.If(op == Op.CORE):
                        m.next = "Block"
                with m.If(ring.wrong != 0):
                    self._stop(m, _cause(ring.wrong), self.ask.stream)
                with m.Elif(breaks[Cause.RING]):
                    self._stop(m, Cause.RING, self.ask.stream)
                with m.Elif(makes & breaks[Cause.OWNER]):
                    self._stop(m, Cause.OWNER, self.ask.stream)
                # Masks must not change below a product that is still converted.
                with m.Elif((op == Op.CORE) & self.undrained):
                    self._stop(m, Cause.PRODUCT)
            self._obey(m, dead)
        with m.State("Change"):
            m.d.comb += self._changes.eq(1)
            with m.If(self.change.ready):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.d.comb += self._changes.eq(0)
                    m.next = "Next"


def _cause(wrong: Value) -> Value:
    """The cause that is known by its place in ``WRONGS``."""
    return Array(WRONGS)[wrong]
