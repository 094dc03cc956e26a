"""The engine of MVM, IMAGE and CORE: what the core is given."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from mho.hw.core.layout import OpLayout, WordsLayout
from mho.hw.ports import In, Out
from mho.hw.tile.isa import DESCRIPTORS, OPCODE_LOW, STREAMS, Cause, Engine, Op
from mho.hw.tile.rtl.buffer import ADDRESS_BITS, ReadPort
from mho.hw.tile.rtl.engines.checks import MvmCheck
from mho.hw.tile.rtl.engines.descriptors import Fetcher
from mho.hw.tile.rtl.engines.gather import Gather
from mho.hw.tile.rtl.engines.issue_queue import InstructionAge, IssueQueue, IssuingEngine
from mho.hw.tile.rtl.layouts import PC_BITS, DescriptorLayout, IssueLayout
from mho.hw.tile.rtl.sequencer.loops import field
from mho.hw.tile.rtl.windows.addresses import AddressGenerator, WalkRequest

_PRODUCTS = DESCRIPTORS["mvm"].count
_WALKS = DESCRIPTORS["walk"].count
_PAIR = 8
_WAITING = 2
"""Products that are taken, the one that is carried out among them."""
_FLAGS = ("advance", "free", "restart")


class MaskWrite(data.StructLayout):
    """A word of a mask of the core, and its address."""

    def __init__(self) -> None:
        super().__init__({"addr": 8, "data": 32})


class MvmLayout(data.StructLayout):
    """An MVM that was taken.

    ``pc``, ``flags``, ``walk``, ``mvm``: the instruction and its descriptor; ``order`` among those in hand; ``reads``:
    its stream, a bit; ``number``: the same; ``image``, ``operation``: the number of its conversion.
    """

    def __init__(self) -> None:
        super().__init__({
            "pc": PC_BITS, "flags": data.StructLayout(dict.fromkeys(_FLAGS, 1)), "walk": 3,
            "mvm": DescriptorLayout("mvm"), "order": InstructionAge(), "reads": STREAMS, "number": 4, "image": 32,
            "operation": 32,
        })


class ProductQueue(IssueQueue):
    """Products that were taken."""

    def __init__(self) -> None:
        super().__init__(MvmLayout(), _WAITING)


class LoadEngine(IssuingEngine):
    """Carries out MVM and IMAGE, one at a time, while the next MVM is looked at and one more waits.

    The block of a CORE goes to the core as masks.

    An MVM is taken from ``i`` when it is found legal, see
    :class:`mho.hw.tile.rtl.engines.vector_issue.VectorIssue`. It gives the core the descriptor with the number of its
    conversion, {image, operation}, and all words that the operation takes: those of the window from ``i_first`` on, 0
    before and behind them.
    """

    full = In(1)
    add = Out(1)
    first = Out(7)
    last = Out(7)
    """Products, as at :class:`mho.hw.tile.rtl.engines.receive.DrainRange`."""
    start = In(1)
    first_image = In(32)
    image = Out(32)
    """Strobe: the program begins, with this image; that of the next instruction."""
    back = In(1)
    """The image before."""
    set = In(1)
    """Strobe and place of a word of descriptors that the program writes: operations begin anew there."""
    set_index = In(8)

    op = Out(stream.Signature(OpLayout()))
    words = Out(lambda self: WordsLayout(self.cfg.output_words))
    codes = Out(stream.Signature(unsigned(32)))
    refused = In(1)
    """The core; words that the operation is to give; it dropped an operation that is illegal."""
    read = Out(ReadPort())
    """The buffer."""
    block_address = In(ADDRESS_BITS)
    block_size = In(12)
    """Of CORE: its block, pairs of words."""
    mask = Out(stream.Signature(unsigned(64)))
    """Pairs of that, address of a mask and word."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        m.submodules.fetch_mvm = fetch = Fetcher("mvm")
        m.submodules.waiting = waiting = ProductQueue()
        m.submodules.window = window = AddressGenerator(self.cfg.buffer_bytes)
        m.submodules.gather = gather = Gather()
        issue = Signal(IssueLayout(), reset_less=True)
        walks = self.walks
        number = Signal(4)
        entry, job = waiting.i.p, waiting.o.p
        # Of the product whose codes are read, which may have gone.
        gathered = Signal(STREAMS)
        gathered_pc = Signal(PC_BITS)
        gathered_order = Signal(InstructionAge())
        connect(m, window.o, gather.term)
        connect(m, fetch.fetch, flipped(self.fetch))
        self._commands = Signal(name="commands")
        self._at = Signal(ADDRESS_BITS, name="pair_at", reset_less=True)
        reads = Signal()
        self._pending = Signal(name="pending")
        following = Signal(32)
        m.d.comb += [
            self.read.valid.eq(gather.read.valid | reads), gather.read.ready.eq(self.read.ready),
            self.read.address.eq(Mux(reads, self._at, gather.read.address)), gather.read.data.eq(self.read.data),
        ]
        m.d.comb += [
            fetch.number.eq(field(issue.word, Op.MVM, "mvm")), self.look.number.eq(field(issue.word, Op.MVM, "walk")),
            self.look.todo.eq(WalkRequest.LOOK), self.wants.eq(1 << number),
            *(entry.flags[name].eq(field(issue.word, Op.MVM, name)) for name in _FLAGS),
            entry.pc.eq(issue.pc), entry.walk.eq(self.look.number), entry.mvm.eq(fetch.o), entry.order.eq(self.order),
            entry.reads.eq(self.wants), entry.number.eq(number),
            # One adder: no product is taken in a cycle in which the image changes.
            following.eq(self.image + Mux(self.back, -1, field(issue.word, Op.MVM, "ahead") | self._images)),
            entry.image.eq(following),
            entry.operation.eq(self._numbers(m, fetch, waiting.i)),
            self.first.eq(fetch.o.o_first), self.last.eq(fetch.o.o_last), self.add.eq(waiting.i.valid),
            self.busy.eq(waiting.busy | gather.busy | self._pending | self._commands),
            self.oldest.eq(Mux(gather.busy | self._pending, gathered_order.age, waiting.oldest)),
            self.reads.eq(waiting.reads | Mux(gather.busy, gathered, 0)),
            walks.number.eq(job.walk), walks.hold.eq(gather.busy),
            window.walk.eq(walks.walk), window.plan.eq(walks.plan),
            gather.walk.eq(walks.walk), *(getattr(walks, name).eq(job.flags[name]) for name in _FLAGS),
            self.op.payload.eq(Cat(job.mvm.op, job.mvm.op_high[:6], job.operation, job.image)),
            self.words.first.eq(job.mvm.o_first), self.words.last.eq(job.mvm.o_last),
            self.found.order.eq(job.order), self.found.trap.pc.eq(job.pc), self.found.trap.engine.eq(Engine.LOAD),
        ]
        # The window begins a cycle after it was loaded.
        m.d.sync += gather.start.eq(window.opens)
        with m.If(window.opens):
            m.d.sync += [gathered.eq(job.reads), gathered_pc.eq(job.pc), gathered_order.eq(job.order)]
        all_given = self._words(m, gather, job.mvm)
        self._look(m, issue, number, fetch, waiting, reads)
        self._run(m, waiting.o, window, gather, all_given)
        with m.If(self.refused):
            m.d.comb += [
                self.found.trap.cause.eq(Cause.CORE), self.found.trap.engine.eq(Engine.LOAD),
                self.found.trap.stream.eq(0), self.found.trap.pc.eq(gathered_pc), self.found.order.eq(gathered_order),
            ]
        with m.If(self.start):
            m.d.sync += self.image.eq(self.first_image)
        with m.Elif(self._images | self.back):
            m.d.sync += self.image.eq(following)
        return self.resets(m)

    def _numbers(self, m: Module, fetch: Fetcher, entry: stream.Interface) -> Value:
        """Number of the next conversion of each product: kept from one to the next until they begin anew."""
        m.submodules.numbers = memory = Memory(shape=unsigned(32), depth=_PRODUCTS, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        counted = Signal(_PRODUCTS)
        number = Signal(32)
        row = fetch.number[:3]
        m.d.comb += [
            read.addr.eq(row), write.addr.eq(row),
            number.eq(Mux(counted.bit_select(row, 1), read.data, fetch.o.operation)),
            write.data.eq(number + fetch.o.conversions), write.en.eq(entry.valid),
        ]
        with m.If(write.en):
            m.d.sync += counted.bit_select(row, 1).eq(1)
        for k in range(_PRODUCTS):
            with m.If(self.set & (self.set_index >> 2 == (DESCRIPTORS["mvm"].first >> 2) + k)):
                m.d.sync += counted[k].eq(0)
        with m.If(self.start | self._images):
            m.d.sync += counted.eq(0)
        return number

    @property
    def _count(self) -> Value:
        """Words that the operation takes: a forward one half as many codes as there are lines."""
        return Mux(self.op.payload.backward, self.cfg.input_words, self.cfg.forward_words)

    @property
    def _images(self) -> Value:
        """An IMAGE is carried out."""
        return self.i.valid & self.i.ready & (self.i.p.word[OPCODE_LOW:] == Op.IMAGE)

    def _words(self, m: Module, gather: Gather, mvm: data.View) -> Value:
        """All words of an operation: those of the window in their place, 0 elsewhere; whether none is left."""
        at = Signal(7)
        last = Signal(7)
        active = Signal()
        window = Signal()
        first = Signal.like(mvm.i_first)
        in_window = window & (at >= first)
        m.d.comb += [
            self.codes.payload.eq(Mux(in_window, gather.o.payload, 0)),
            self.codes.valid.eq(active & (gather.o.valid | ~in_window)),
            gather.o.ready.eq(self.codes.ready & active & in_window),
        ]
        with m.If(self.op.valid & self.op.ready):
            # The core wants all words of its lines, whatever the window has: zeros before and behind.
            m.d.sync += [at.eq(0), last.eq(self._count - 1), first.eq(mvm.i_first), active.eq(1), window.eq(1)]
        with m.Elif(self.codes.valid & self.codes.ready):
            m.d.sync += [at.eq(at + 1), active.eq(at != last)]
            with m.If(in_window & gather.last):
                m.d.sync += window.eq(0)
        return ~active

    def _look(
        self, m: Module, issue: data.View, number: Signal, fetch: Fetcher, waiting: IssueQueue, reads: Signal
    ) -> None:
        """Takes an instruction that is legal."""
        op = self.i.p.word[OPCODE_LOW:]
        cause = Signal(4)
        fetched = Signal()
        about = Signal(4)
        m.submodules.check = check = MvmCheck(self.cfg)
        remembered, codes, stream = self._seen(m)
        m.d.comb += [
            check.mvm.eq(fetch.o), check.walk.eq(Mux(remembered, 0, self.look.wrongs)),
            check.codes.eq(Mux(remembered, codes, self.look.look.codes)), check.number.eq(stream),
            check.wrong.eq(Mux(remembered, 0, self.look.look.wrong)),
        ]
        wrong = Signal(4)
        self._left = Signal(12, name="pair_left")
        m.d.comb += wrong.eq(Mux(cause != 0, cause, Mux(self.full, Cause.PRODUCT, 0)))
        with m.FSM(name="look"):
            with m.State("Idle"):
                m.d.sync += [self._at.eq(self.block_address), self._left.eq(self.block_size)]
                m.d.sync += issue.eq(self.i.payload)
                with m.If(self.i.valid & self.settled):
                    with m.If(op == Op.MVM):
                        m.d.comb += fetch.start.eq(1)
                        m.d.sync += fetched.eq(0)
                        m.next = "Look"
                    with m.Elif(op == Op.IMAGE):
                        m.d.comb += self.i.ready.eq(~self.conflict)
                    with m.Else():
                        m.d.comb += self.i.ready.eq(1)
                        m.next = "Read pair"
            self._pairs(m, reads)
            with m.State("Look"):
                # The walk is looked at while the product is fetched, and once more if that takes longer.
                m.d.comb += self.look.valid.eq(~remembered)
                m.d.sync += [
                    cause.eq(check.cause), about.eq(check.stream), number.eq(stream), fetched.eq(fetched | fetch.done),
                ]
                with m.If((self.look.done & fetched) | (remembered & (fetch.done | fetched))):
                    m.next = "Order"
            with m.State("Order"):
                with m.If(~self.i.valid):
                    # The program has stopped.
                    m.next = "Idle"
                with m.Elif(wrong != 0):
                    self._trap(m, issue, wrong, Mux(cause != 0, about, 0), Engine.SEQUENCER)
                with m.Elif(~self.conflict & waiting.i.ready):
                    m.d.comb += [self.i.ready.eq(1), waiting.i.valid.eq(1)]
                    m.next = "Idle"

    def _pairs(self, m: Module, reads: Signal) -> None:
        """The block of a CORE, pair by pair."""
        with m.State("Read pair"):
            m.d.comb += [self._commands.eq(1), reads.eq(1)]
            with m.If(self.read.ready):
                m.next = "Late pair"
        with m.State("Late pair"):
            m.d.comb += self._commands.eq(1)
            m.next = "Take pair"
        with m.State("Take pair"):
            m.d.comb += self._commands.eq(1)
            m.d.sync += [
                self.mask.payload.eq(self.read.data), self._at.eq(self._at + _PAIR), self._left.eq(self._left - _PAIR),
            ]
            m.next = "Give pair"
        with m.State("Give pair"):
            m.d.comb += [self._commands.eq(1), self.mask.valid.eq(1)]
            with m.If(self.mask.ready):
                m.next = "Read pair"
                with m.If(self._left == 0):
                    m.next = "Idle"

    def _seen(self, m: Module) -> tuple[Value, Value, Value]:
        """Whether the walk was looked at before and nothing was wrong with it; its codes and its stream."""
        row = self.look.number
        looked_at = Signal(_WALKS)
        codes = Signal(14)
        number = Signal(4)
        m.submodules.looks = memory = Memory(shape=unsigned(18), depth=_WALKS, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        # Most products use a walk again: what a look found is kept until its descriptor changes.
        row_known = looked_at.bit_select(row, 1)
        m.d.comb += [
            read.addr.eq(row), write.addr.eq(row), write.data.eq(Cat(self.look.look.codes, self.look.walk.stream)),
            write.en.eq(self.look.done), codes.eq(read.data),
            number.eq(Mux(row_known, read.data[14:], self.look.walk.stream)),
        ]
        with m.If(self.look.done & (self.look.wrongs.as_value() == 0) & (self.look.look.wrong == 0)):
            m.d.sync += row_known.eq(1)
        for k in range(_WALKS):
            with m.If(self.set & (self.set_index >> 2 == (DESCRIPTORS["walk"].first >> 2) + k)):
                m.d.sync += looked_at[k].eq(0)
        with m.If(self.start):
            m.d.sync += looked_at.eq(0)
        return row_known, codes, number

    def _trap(self, m: Module, issue: data.View, cause: Any, about: Value, engine: Engine) -> None:
        """What is offered is wrong; said when nothing is in hand that may trap before."""
        # Something older may still trap, and the first trap of the program is told.
        with m.If(~self.busy & ~self.others & self.i.valid):
            m.d.comb += [
                self.found.trap.cause.eq(cause), self.found.trap.engine.eq(engine), self.found.trap.pc.eq(issue.pc),
                self.found.trap.stream.eq(about), self.found.order.eq(self.order),
            ]

    def _run(
        self, m: Module, oldest: stream.Interface, window: AddressGenerator, gather: Gather, all_given: Value,
    ) -> None:
        """Carries out the oldest product."""
        job, walks = oldest.p, self.walks
        # It ends when its codes are given and its walk has gone on.
        pending = self._pending
        gone = Signal()
        m.d.comb += self.ends.eq(pending & gone & all_given)
        with m.If(self.op.valid & self.op.ready):
            m.d.sync += [pending.eq(1), gone.eq(0)]
        with m.Elif(self.ends):
            m.d.sync += pending.eq(0)
        leaves = job.flags.advance | job.flags.restart
        with m.FSM():
            with m.State("Window"):
                # It may still be reading the window before: `hold` keeps the walk from giving pixels of that back.
                m.d.comb += [walks.valid.eq(oldest.valid), walks.todo.eq(WalkRequest.PLAN)]
                with m.If(walks.done):
                    m.d.comb += window.opens.eq(1)
                    m.next = "Operation"
                with m.If(walks.wrong):
                    m.next = "Wrong"
            with m.State("Wrong"):
                # For ever.
                m.d.comb += [self.found.trap.cause.eq(Cause.RING), self.found.trap.stream.eq(job.number)]
            with m.State("Operation"):
                # How many words the core takes depends on the direction, which only the descriptor of the core says.
                with m.If(job.mvm.i_last >= self._count):
                    m.d.comb += self.found.trap.cause.eq(Cause.CORE)
                with m.Else():
                    # The words of the operation before are given.
                    m.d.comb += self.op.valid.eq(all_given)
                    with m.If(self.op.ready & all_given):
                        m.next = "Leave"
            with m.State("Leave"):
                # While the codes are read; the next window opens, and pixels are given back, behind that.
                m.d.comb += [walks.valid.eq(leaves), walks.todo.eq(WalkRequest.GO)]
                with m.If(walks.done | ~leaves):
                    m.d.comb += oldest.ready.eq(1)
                    m.d.sync += gone.eq(1)
                    m.next = "Window"
