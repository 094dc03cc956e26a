"""The engine of MVM, IMAGE and CORE: what the core is given."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.block import Resettable
from hw.core.layout import OpLayout
from hw.tile.buffer import ReadPort
from hw.tile.config import TileConfig
from hw.tile.engines.checks import MvmCheck
from hw.tile.engines.descriptors import FetchPort
from hw.tile.engines.fetcher import Fetcher
from hw.tile.engines.gather import Gather
from hw.tile.isa import DESCRIPTORS, OPCODE_LOW, STREAMS, Cause, Engine, Op
from hw.tile.sequencer import IssueLayout
from hw.tile.sequencer.decoder import field
from hw.tile.sequencer.sequencer import TrapLayout
from hw.tile.walker import Todo, WalkPort, Window

__all__ = ["LoadEngine"]

_PRODUCTS = DESCRIPTORS["mvm"].count


class LoadEngine(Resettable):
    """Carries out MVM and IMAGE, one at a time; CORE is refused.

    An MVM is taken from ``i`` when it begins to wait for its window, see :class:`hw.tile.engines.vector.VectorEngine`.
    It gives the core the descriptor with the number of its conversion, {image, operation}, and all words that the
    operation takes: those of the window from ``i_first`` on, 0 before and behind them.

    Members
    -------
    i, settled, conflict, busy, reads, trap, fetch, walks
        As at :class:`hw.tile.engines.vector.VectorEngine`.
    full, add, first, last : In(1), Out(1), Out(7), Out(7)
        Products, as at :class:`hw.tile.engines.drain.DrainRange`.
    start, first_image, image : In(1), In(32), Out(32)
        Strobe: the program begins, with this image; the image at hand.
    set : In(1), In(8)
        Strobe and place of a word of descriptors that the program writes: operations begin anew there.
    op, codes, refused : Out(stream of OpLayout()), Out(stream of 32 bits), In(1)
        The core; it dropped an operation that is illegal.
    read : Out(ReadPort())
        The buffer.
    """

    i: stream.Interface
    settled: Value
    conflict: Value
    busy: Value
    reads: Value
    trap: Any
    fetch: Any
    walks: Any
    full: Value
    add: Value
    first: Value
    last: Value
    start: Value
    first_image: Value
    image: Signal
    set: Value
    set_index: Value
    op: stream.Interface
    codes: stream.Interface
    refused: Value
    read: Any

    def __init__(self, cfg: TileConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(IssueLayout())), "settled": In(1), "conflict": In(1), "busy": Out(1),
            "reads": Out(STREAMS), "trap": Out(TrapLayout()), "fetch": Out(FetchPort()),
            "walks": Out(WalkPort()), "full": In(1), "add": Out(1), "first": Out(7),
            "last": Out(7), "start": In(1), "first_image": In(32), "image": Out(32), "set": In(1), "set_index": In(8),
            "op": Out(stream.Signature(OpLayout())), "codes": Out(stream.Signature(unsigned(32))),
            "refused": In(1),
            "read": Out(ReadPort()),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.fetch_mvm = fetch = Fetcher("mvm")
        m.submodules.window = window = Window()
        m.submodules.gather = gather = Gather()
        word, pc = Signal(32, reset_less=True), Signal.like(self.trap.pc, reset_less=True)
        walks, number = self.walks, Signal(4)
        mvm, operation = fetch.o, self._numbers(m, fetch)
        connect(m, window.o, gather.term)
        connect(m, fetch.fetch, flipped(self.fetch))
        connect(m, gather.read, flipped(self.read))
        m.d.comb += [
            fetch.number.eq(field(word, Op.MVM, "mvm")), walks.number.eq(field(word, Op.MVM, "walk")),
            window.walk.eq(walks.walk), window.plan.eq(walks.plan), gather.walk.eq(walks.walk),
            *(getattr(walks, name).eq(field(word, Op.MVM, name)) for name in ("advance", "free", "restart")),
            self.reads.eq(1 << number), self.first.eq(mvm.o_first), self.last.eq(mvm.o_last),
        ]
        begins, given = Signal(), Signal()
        # The window begins a cycle after it was loaded.
        m.d.sync += gather.start.eq(window.opens)
        self._words(m, gather, mvm, given)
        m.d.comb += [
            self.op.payload.eq(Cat(mvm.op, mvm.op_high[:6], operation, self.image)), self.add.eq(begins),
        ]
        self._run(m, word, pc, fetch, window, gather, number, begins, given)
        with m.If(self.refused):
            m.d.comb += [self.trap.cause.eq(Cause.CORE), self.trap.pc.eq(pc)]
        with m.If(walks.wrong):
            m.d.comb += [self.trap.cause.eq(Cause.RING), self.trap.pc.eq(pc), self.trap.stream.eq(number)]
        with m.If(self.start):
            m.d.sync += self.image.eq(self.first_image)
        return self.resets(m)

    def _numbers(self, m: Module, fetch: Fetcher) -> Value:
        """Number of the next conversion of each product: kept from one to the next until they begin anew."""
        m.submodules.numbers = memory = Memory(shape=unsigned(32), depth=_PRODUCTS, init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        known, number = Signal(_PRODUCTS), Signal(32)
        row = fetch.number[:3]
        m.d.comb += [
            read.addr.eq(row), write.addr.eq(row),
            number.eq(Mux(known.bit_select(row, 1), read.data, fetch.o.operation)),
            write.data.eq(number + fetch.o.conversions), write.en.eq(self.op.valid & self.op.ready),
        ]
        with m.If(write.en):
            m.d.sync += known.bit_select(row, 1).eq(1)
        for k in range(_PRODUCTS):
            with m.If(self.set & (self.set_index >> 2 == (DESCRIPTORS["mvm"].first >> 2) + k)):
                m.d.sync += known[k].eq(0)
        with m.If(self.start | self._images):
            m.d.sync += known.eq(0)
        return number

    @property
    def _count(self) -> Value:
        """Words that the operation takes: a forward one half as many codes as there are lines."""
        return Mux(self.op.payload.backward, self.cfg.input_words, self.cfg.input_words // 2)

    @property
    def _images(self) -> Value:
        """An IMAGE is carried out."""
        return self.i.valid & self.i.ready & (self.i.p.word[OPCODE_LOW:] == Op.IMAGE)

    def _words(self, m: Module, gather: Gather, mvm: Any, given: Signal) -> None:
        """All words of an operation: those of the window in their place, 0 elsewhere."""
        at, active, window, words = Signal(7), Signal(), Signal(), self._count
        in_window = window & (at >= mvm.i_first)
        m.d.comb += [
            self.codes.payload.eq(Mux(in_window, gather.o.payload, 0)),
            self.codes.valid.eq(active & (gather.o.valid | ~in_window)),
            gather.o.ready.eq(self.codes.ready & active & in_window), given.eq(~active),
        ]
        with m.If(self.op.valid & self.op.ready):
            m.d.sync += [at.eq(0), active.eq(1), window.eq(1)]
        with m.Elif(self.codes.valid & self.codes.ready):
            m.d.sync += [at.eq(at + 1), active.eq(at != words - 1)]
            with m.If(in_window & gather.last):
                m.d.sync += window.eq(0)

    def _run(
        self, m: Module, word: Signal, pc: Signal, fetch: Fetcher, window: Window, gather: Gather, number: Signal,
        begins: Signal, given: Value,
    ) -> None:
        op, walks, cause, known = self.i.p.word[OPCODE_LOW:], self.walks, Signal(4), Signal()
        about = Signal(4)
        m.submodules.check = check = MvmCheck(self.cfg)
        m.d.comb += [
            check.mvm.eq(fetch.o), check.walk.eq(walks.wrongs), check.codes.eq(walks.look.codes),
            check.number.eq(walks.walk.stream), check.wrong.eq(walks.look.wrong),
            self.trap.engine.eq(Engine.LOAD),
        ]
        with m.FSM() as machine:
            with m.State("Idle"):
                m.d.sync += [word.eq(self.i.p.word), pc.eq(self.i.p.pc)]
                with m.If(self.i.valid & self.settled):
                    with m.If(op == Op.MVM):
                        m.next = "Fetch"
                    with m.Elif(op == Op.IMAGE):
                        m.d.comb += self.i.ready.eq(1)
                        m.d.sync += self.image.eq(self.image + 1)
                    with m.Else():
                        m.next = "Refuse"
            with m.State("Refuse"):
                m.d.comb += [self.trap.cause.eq(Cause.CORE), self.trap.pc.eq(pc)]
            with m.State("Fetch"):
                m.d.comb += fetch.start.eq(1)
                m.d.sync += known.eq(0)
                m.next = "Look"
            with m.State("Look"):
                # The walk is looked at while the product is fetched, and once more if that takes longer.
                m.d.comb += [walks.valid.eq(1), walks.todo.eq(Todo.LOOK)]
                m.d.sync += [
                    cause.eq(check.cause), about.eq(check.stream), number.eq(walks.walk.stream),
                    known.eq(known | fetch.done),
                ]
                with m.If(walks.done & known):
                    m.next = "Order"
            with m.State("Order"):
                with m.If(cause != 0):
                    m.d.comb += [
                        self.trap.stream.eq(about), self.trap.cause.eq(cause),
                        self.trap.pc.eq(pc), self.trap.engine.eq(Engine.SEQUENCER),
                    ]
                with m.Elif(self.full):
                    m.d.comb += [
                        self.trap.cause.eq(Cause.PRODUCT), self.trap.pc.eq(pc), self.trap.engine.eq(Engine.SEQUENCER),
                    ]
                with m.Elif(~self.conflict):
                    m.d.comb += [self.i.ready.eq(1), begins.eq(1)]
                    m.next = "Window"
            with m.State("Window"):
                m.d.comb += [walks.valid.eq(1), walks.todo.eq(Todo.PLAN)]
                with m.If(walks.done):
                    m.d.comb += window.opens.eq(1)
                    m.next = "Operation"
                with m.If(walks.wrong):
                    m.next = "Wrong"
            with m.State("Wrong"):
                # For ever, as what is refused.
                pass
            with m.State("Operation"):
                with m.If(fetch.o.i_last >= self._count):
                    m.d.comb += [self.trap.cause.eq(Cause.CORE), self.trap.pc.eq(pc)]
                with m.Else():
                    m.d.comb += self.op.valid.eq(1)
                    with m.If(self.op.ready):
                        m.next = "Codes"
            with m.State("Codes"), m.If(~gather.busy):
                m.next = "Leave"
            with m.State("Leave"):
                leaves = walks.advance | walks.restart
                m.d.comb += [walks.valid.eq(leaves), walks.todo.eq(Todo.GO)]
                with m.If(walks.done | ~leaves):
                    m.next = "Given"
            with m.State("Given"), m.If(given):
                m.next = "Idle"
        m.d.comb += self.busy.eq(~machine.ongoing("Idle"))
