"""A macro behind its pins: exact sums of integers in block RAM, and tables in place of what is analog; its memories."""

from abc import abstractmethod
from typing import Any

from amaranth.hdl import C, Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import connect, flipped

from mho.hw.block import Resettable
from mho.hw.core.port import VectorMembers, join
from mho.hw.emulator.config import CELLS, SPRAM_WIDTH, SPRAM_WORDS, TABLES, TAGS, EmulatorConfig, LoadLayout
from mho.hw.emulator.pulses.records import peek_members
from mho.hw.ports import Component, In, Out, array


class TableStore(Resettable[EmulatorConfig]):
    """Memory of tables, of which an operation finds its own by a tag.

    Neither tables nor tags know reset: a board that was reset goes on with what was loaded.
    """

    load = In(1)
    word = In(lambda self: LoadLayout(self.cfg))
    """A word of the load port is taken in this cycle."""
    wanted = In(lambda self: self.cfg.tag_bits)
    """Tag of the table that the operation needs."""
    allowed = In(lambda self: self.cfg.slots)
    """Slots that may be used for it."""
    known = Out(1)
    """There is one. Combinational."""
    place = In(lambda self: range(self.cfg.slot_words >> self._field_bits()))
    """``entry`` are those words of it in the next cycle."""
    entry = array(Out(lambda self: signed(self.cfg.sum_bits)), lambda self: self.cfg.table_fields)
    """See above."""

    def _field_bits(self) -> int:
        return (self.cfg.table_fields - 1).bit_length()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, word, bits = self.cfg, self.word, self._field_bits()
        depth, fields = cfg.slots * cfg.slot_words >> bits, range(cfg.table_fields)
        m.submodules.memory = memory = Memory(shape=cfg.sum_bits * cfg.table_fields, depth=depth, init=[])
        write = memory.write_port(granularity=cfg.sum_bits)
        read = memory.read_port()
        slot = Signal(range(cfg.slots))
        here = self.load & (word.region == TABLES)
        m.d.comb += [
            write.addr.eq(word.index >> bits), write.data.eq(word.data[: cfg.sum_bits].replicate(cfg.table_fields)),
            write.en.eq(Cat(here & (word.index[:bits] == field) if bits else here for field in fields)),
            read.addr.eq(Cat(self.place, slot)), read.en.eq(1),
            *(self.entry[field].eq(read.data.word_select(field, cfg.sum_bits)) for field in fields),
        ]
        for number in range(cfg.slots):
            tag = Signal(cfg.tag_bits + 1, name=f"tag_{number}", reset_less=True)
            with m.If(self.load & (word.region == TAGS) & (word.index == number)):
                m.d.sync += tag.eq(word.data)
            with m.If((tag == Cat(self.wanted, Const(1, 1))) & self.allowed[number]):
                m.d.comb += [self.known.eq(1), slot.eq(number)]
        return self.resets(m)


class CellMemory(Component[EmulatorConfig]):
    """Reads one word a cycle, or writes a part of one.

    Parameters
    ----------
    cfg
        Configuration; ``cfg.memory`` chooses the kind. SPRAM is instances of ``SB_SPRAM256KA``, which Amaranth's
        simulator does not know.
    """

    address = In(lambda self: range(self.cfg.cell_words))
    """Word, to be read or written."""
    write = In(lambda self: self.cfg.word_bits // self.cfg.chunk_bits)
    """Parts of the word that are written, each of ``cfg.chunk_bits`` bits."""
    value = In(lambda self: self.cfg.word_bits)
    """What is written."""
    data = Out(lambda self: self.cfg.word_bits)
    """That word, in the cycle behind one without a write."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.cfg.memory == "spram":
            self._instantiate(m)
            return m
        m.submodules.memory = memory = Memory(shape=self.cfg.word_bits, depth=self.cfg.cell_words, init=[])
        write = memory.write_port(granularity=self.cfg.chunk_bits)
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(self.address), write.data.eq(self.value), write.en.eq(self.write),
            read.addr.eq(self.address), read.en.eq(1), self.data.eq(read.data),
        ]
        return m

    def _instantiate(self, m: Module) -> None:
        """One memory for each 16 bits of the word."""
        address = Signal(range(SPRAM_WORDS))
        m.d.comb += address.eq(self.address)
        for k in range(self.cfg.word_bits // SPRAM_WIDTH):
            enable = self.write[k * SPRAM_WIDTH // self.cfg.chunk_bits]
            out = Signal(SPRAM_WIDTH, name=f"out_{k}")
            m.submodules[f"spram_{k}"] = Instance(
                "SB_SPRAM256KA",
                i_CLOCK=ClockSignal(), i_ADDRESS=address, i_DATAIN=self.value.word_select(k, SPRAM_WIDTH),
                i_MASKWREN=C(15, 4), i_WREN=enable, i_CHIPSELECT=C(1, 1),
                i_STANDBY=C(0, 1), i_SLEEP=C(0, 1), i_POWEROFF=C(1, 1), o_DATAOUT=out,
            )
            m.d.comb += self.data.word_select(k, SPRAM_WIDTH).eq(Cat(out))


class EmulatedMacro(Resettable[Any]):
    """Holds the core by ``hold`` while it sums and converts, so that its phases last as long as they have to.

    A step of the input begins with a strobe; rows change in the cycle behind it. Its sum is taken of a group of lanes
    after the other, a row a cycle, and added to those of the steps before by Horner's rule, since steps come with the
    highest digit first. Then sums are converted, one column after the other, by what is in the tables.

    A kind says when a step begins (:meth:`begins`) and how rows are driven (:meth:`driven`), and adds the states in
    which sums are converted. For these there are ``column``, whose sum is ``value`` and whose words of the table are
    ``tables.entry`` a cycle after they are named, and ``begun``, which they clear.

    Members
    -------
    pins : In(pins of the core)
        The macro, as it sees the digital core.
    load : In(stream of LoadLayout)
        See there. Waits while there is anything else to do.
    error : Out(1)
        A conversion had no table. Until reset.
    peek : In(stream.Signature(index)), peeked : Out(32)
        Only where cells are programmed by pulses: words of region 3 that can be read, see
        :class:`~mho.hw.emulator.pulses.records.CellRecords`.
    """

    pins: Any
    load: stream.Interface
    error: Signal
    peek: stream.Interface
    peeked: Signal

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg, {"load": wiring.In(stream.Signature(LoadLayout(cfg))), **self.outside(cfg)})

    @staticmethod
    def outside(cfg: Any) -> dict[str, Any]:
        """Members beside ``load``."""
        return {"pins": wiring.In(cfg.blocks.pins), "error": wiring.Out(1), **peek_members(cfg)}

    def prepare(self, m: Module) -> None:
        """What is needed by the methods below: nothing."""

    @abstractmethod
    def begins(self, m: Module) -> tuple[Value, Value]:
        """Whether a step begins; whether anything else does, for which the core is held."""

    def driven(self, m: Module) -> tuple[Value, Value]:
        """Digits with which rows are driven to the positive and to the negative side."""
        return self.pins.row_pos, self.pins.row_neg

    def add_level(self, m: Module) -> None:
        """Of ``row``, in the next cycle."""
        positive, negative = self.driven(m)
        bits = self.cfg.digit_bits
        m.d.sync += self.level.eq(positive.word_select(self.row, bits) - negative.word_select(self.row, bits))

    @abstractmethod
    def wanted(self) -> Value:
        """Tag of the table of the operation at the pins."""

    @abstractmethod
    def add_idle(self, m: Module) -> None:
        """What happens in the state ``Idle``, which is open."""

    @abstractmethod
    def add_states(self, m: Module) -> None:
        """States of conversion."""

    def allowed(self, m: Module) -> Value:
        """Slots whose tables may be used."""
        return Const(-1, self.cfg.slots)

    def shifts(self) -> Value:
        """Whether the sum of the steps before counts a digit more in this one."""
        return Const(1)

    def matrix(self) -> Value:
        """Which matrix of the memory is meant."""
        return Const(0, 0)

    after_sum = "Idle"
    """State behind a step."""
    accumulates = True
    """Sums are those of the steps before, too."""
    by_group = False
    """All steps of a group of lanes, whose sums are then converted, come before those of the next group."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        # At least of one bit: a comparison of none is no Verilog.
        self.group = group = Signal(range(max(cfg.groups, 2)))
        self.row = Signal(range(cfg.rows))
        self._address = Signal(range(cfg.rows * cfg.groups))
        address = self._address
        row = self.row
        self.column = Signal(range(cfg.conversions))
        self.value = Signal(signed(cfg.sum_bits))
        self.begun = Signal()
        self.adding = Signal()
        self.held = Signal()
        self.level = Signal(signed(cfg.digit_bits + 1))
        self.ready = Signal()
        self.idle = Signal()
        reads = Signal()
        store = Signal()
        m.submodules.tables = self.tables = TableStore(cfg)
        self.prepare(m)
        self._load(m)
        m.d.comb += self.tables.wanted.eq(self.wanted())
        with m.If(reads):
            m.d.comb += self.cells.address.eq(Cat(address, self.matrix()))
        self.add_level(m)
        begins, others = self.begins(m)
        m.d.comb += [
            self.tables.allowed.eq(self.allowed(m)), self.held.eq(~self.idle | begins | others),
            self.ready.eq(self.idle & ~begins & ~others), self.load.ready.eq(self.ready),
        ]
        totals = self._add_sums(m, store)
        with m.FSM():
            with m.State("Idle"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += [row.eq(0), group.eq(0), address.eq(0), self.column.eq(0)]
                with m.If(begins):
                    m.next = "Sum"
                self.add_idle(m)
            with m.State("Sum"):
                m.d.comb += reads.eq(1)
                m.d.sync += [self.adding.eq(1), row.eq(row + 1), address.eq(address + cfg.groups)]
                with m.If(row == cfg.rows - 1):
                    m.next = "Last"
            with m.State("Last"):
                m.d.sync += self.adding.eq(0)
                m.next = "Store"
            with m.State("Store"):
                m.d.comb += store.eq(1)
                m.d.sync += [*(total.eq(0) for total in totals), row.eq(0)]
                if self.by_group:
                    m.d.sync += [address.eq(group), self.begun.eq(1)]
                    m.next = self.after_sum
                else:
                    m.d.sync += self.next_group()
                    m.next = "Sum"
                    with m.If(group == cfg.groups - 1):
                        m.d.sync += self.begun.eq(self.accumulates)
                        m.next = self.after_sum
            self.add_states(m)
        return self.resets(m)

    def next_group(self) -> list[Any]:
        """Go on with the next group, behind the last with the first."""
        following = Mux(self.group == self.cfg.groups - 1, 0, self.group + 1)
        return [self.group.eq(following), self._address.eq(following)]

    def _add_sums(self, m: Module, store: Value) -> list[Signal]:
        """The sums in their memory, a group of lanes in a word; those of the group that is added."""
        cfg, bits = self.cfg, self.cfg.sum_bits
        lane_bits = (cfg.lanes - 1).bit_length()
        summed = Signal(cfg.lanes * bits)
        recalled = Signal(cfg.lanes * bits, reset_less=True)
        if self.by_group:
            with m.If(store):
                m.d.sync += recalled.eq(summed)
        else:
            m.submodules.sums = sums = Memory(shape=cfg.lanes * bits, depth=max(cfg.groups, 2), init=[])
            write = sums.write_port()
            recall = sums.read_port()
            m.d.comb += [
                write.addr.eq(self.group), write.en.eq(store), write.data.eq(summed), recall.en.eq(1),
                # Only while there is a sum is the group another than the first.
                recall.addr.eq(self.group | self.column >> lane_bits), recalled.eq(recall.data),
            ]
        totals = []
        shifts = self.shifts()
        for k in range(cfg.lanes):
            total = Signal(signed(bits), name=f"total_{k}")
            before = Signal(signed(bits), name=f"before_{k}")
            cell = self.cells.data.word_select(k, cfg.g_bits)
            m.d.comb += [
                before.eq(Mux(self.begun, recalled.word_select(k, bits).as_signed(), 0)),
                summed.word_select(k, bits).eq(total + Mux(shifts, before << cfg.digit_bits, before)),
            ]
            with m.If(self.adding):
                m.d.sync += total.eq(self._added(total, cell))
            totals.append(total)
        m.d.comb += self.value.eq(recalled.word_select(self.column[:lane_bits] if lane_bits else Const(0, 1), bits))
        return totals

    def _added(self, total: Value, cell: Value) -> Value:
        """A sum with a cell times the level of its row."""
        if not self.cfg.signed:
            cell = Cat(cell, C(0, 1))
        if self.cfg.digit_bits > 1:
            return total + self.level * cell.as_signed()
        # Its complement, and a carry, where the row is negative.
        complement = (cell ^ self.level[1].replicate(len(cell))) & self.level.any().replicate(len(cell))
        return add_with_carry(total, complement.as_signed(), self.level[1])

    def _load(self, m: Module) -> None:
        """The memory of the cells, and what the load port writes to it and to the tables."""
        cfg, word = self.cfg, self.load.p
        parts = cfg.word_bits // cfg.chunk_bits
        part_bits, stride = (parts - 1).bit_length(), 32 // cfg.chunk_cells
        here = Signal()
        value = Signal(cfg.chunk_bits)
        m.submodules.cells = self.cells = cells = CellMemory(cfg)
        self.loads = self.load.valid & self.ready
        m.d.comb += [
            here.eq(self.loads & (word.region == CELLS)), cells.address.eq(word.index >> part_bits),
            *(value.word_select(k, cfg.g_bits).eq(word.data.word_select(k, stride)) for k in range(cfg.chunk_cells)),
            cells.value.eq(value.replicate(parts)),
            cells.write.eq(here << word.index[:part_bits] if parts > 1 else here),
            self.tables.load.eq(self.loads), self.tables.word.eq(word),
        ]


def add_with_carry(left: Value, right: Value, carry: Value) -> Value:
    """Sum of two signed values and a bit, in one adder: its added lowest bit makes the carry.

    That bit adds 1 to ``carry``: with ``carry`` twice, nextpnr may route the two inputs of a cell of an iCE40 forever.
    """
    return (Cat(carry, left).as_signed() + Cat(C(1, 1), right).as_signed())[1:].as_signed()


class EmulatedCore(wiring.Component, VectorMembers):
    """The core as it is on a chip, and an emulated macro where the chip has its own.

    Members
    -------
    <the members of the core's vector port>
        The vector port. A conversion without a table, too, sets ``status.error``.
    load, peek, peeked
        Those of the macro.
    """

    load: stream.Interface
    peek: Any
    peeked: Any

    def __init__(self, cfg: EmulatorConfig, macro_type: type[EmulatedMacro]) -> None:
        self.cfg, self.macro_type, self.port = cfg, macro_type, cfg.blocks.port
        self.core: Any = cfg.blocks.digital()
        self.macro = macro_type(cfg)
        load = wiring.In(stream.Signature(LoadLayout(cfg)))
        super().__init__({**self.port.members, "load": load, **peek_members(cfg)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core, m.submodules.macro = core, macro = self.core, self.macro
        peeks = peek_members(self.cfg)
        connect(m, core.macro, macro.pins)
        connect(m, flipped(self.load), macro.load)
        if peeks:
            connect(m, flipped(self.peek), macro.peek)
            m.d.comb += self.peeked.eq(macro.peeked)
        join(m, self.port, core, flipped(self), but=("status",))
        m.d.comb += [
            macro.soft_reset.eq(self.soft_reset),
            *(getattr(self.status, name).eq(getattr(core.status, name)) for name in self.status.signature.members),
        ]
        with m.If(macro.error):
            m.d.comb += self.status.error.eq(1)
        return m
