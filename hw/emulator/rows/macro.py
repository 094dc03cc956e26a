"""A macro of rows and columns behind its pins: exact sums of integers, thresholds in place of converters."""

from typing import Any

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from mho.hw.block import Resettable
from mho.hw.emulator.layout import CELLS, TABLES, TAGS, LoadLayout
from mho.hw.emulator.rows.config import RowEmulatorConfig
from mho.hw.emulator.vector.lanes import add_with_carry
from mho.hw.emulator.vector.memory import CellMemory
from mho.macro_models.integer.operation import STEP_WIDTH

__all__ = ["RowMacro"]


class RowMacro(Resettable):
    """Holds the core by ``hold`` while it sums and converts, so that its phases last as long as they have to.

    At ``sample`` a step begins: rows change in the next cycle, and their sum is taken of a group of lanes after the
    other, a row a cycle. Where all steps are converted together the sums are taken over by Horner's rule, since steps
    come with the highest digit first. A conversion searches a column's code among the ascending thresholds of its
    converter, a bit a cycle: any converter whose code does not fall with its input is such a table. Codes are in one of
    two banks; the strobe that shows them swaps these.

    Members
    -------
    pins : In(pins of the core)
        Of these ``row_pos``, ``row_neg``, ``sample``, ``plane``, ``convert`` (unless each step is converted),
        ``capture``, ``group``, ``codes`` and ``hold``.
    load : In(stream of LoadLayout)
        Region 0: weights, row by row, ``chunk_cells`` a word, each in ``32 / chunk_cells`` bits. Region 1: thresholds,
        ``2**code_bits`` words a table, ``slot_words`` a slot; the code of index k is that of sums from the threshold k
        on, and 0 is not used. Region 2, of several slots: the step code that a slot is for, and above it a 1.
    error : Out(1)
        A conversion had no slot. Until reset.
    """

    pins: Any
    load: stream.Interface
    error: Signal

    def __init__(self, cfg: RowEmulatorConfig) -> None:
        super().__init__(cfg, {
            "pins": In(cfg.blocks.pins), "load": In(stream.Signature(LoadLayout(cfg))), "error": Out(1),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg, pins = self.cfg, self.pins
        width, bits, code_bits = signed(cfg.sum_bits), cfg.sum_bits, cfg.code_bits
        # At least of one bit: a comparison of none is no Verilog.
        group = Signal(range(max(cfg.groups, 2)))
        bit = Signal(range(max(code_bits, 2)))
        row, address, column = Signal(range(cfg.rows)), Signal(range(cfg.cell_words)), Signal(range(cfg.conversions))
        position = Signal(code_bits)
        idle, begun, fresh, bank = Signal(), Signal(), Signal(), Signal()
        start, convert = pins.sample, Const(0) if cfg.each_step else pins.convert
        lane_bits = (cfg.lanes - 1).bit_length()
        m.submodules.weights = weights = CellMemory(cfg)  # pyright: ignore[reportArgumentType]
        self._load(m, weights, idle & ~start & ~convert)
        m.d.comb += pins.hold.eq(~idle | start | convert)

        # Sums, a group of lanes in a word.
        m.submodules.sums = sums = Memory(shape=cfg.lanes * bits, depth=cfg.groups, init=[])
        store, recall = sums.write_port(), sums.read_port()
        adding, totals = Signal(), []
        level = Signal(signed(cfg.digit_bits + 1))
        m.d.sync += level.eq(
            pins.row_pos.word_select(row, cfg.digit_bits) - pins.row_neg.word_select(row, cfg.digit_bits)
        )
        m.d.comb += store.addr.eq(group)
        for k in range(cfg.lanes):
            total, before = Signal(width, name=f"total_{k}"), Signal(width, name=f"before_{k}")
            weight = weights.data.word_select(k, cfg.g_bits)
            m.d.comb += [
                before.eq(Mux(begun, recall.data.word_select(k, bits).as_signed(), 0)),
                store.data.word_select(k, bits).eq(total + Mux(self._shifts(), before << cfg.digit_bits, before)),
            ]
            if cfg.digit_bits == 1:
                # Its complement, and a carry, where the row is negative.
                complement = (weight ^ level[1].replicate(cfg.g_bits)) & level.any().replicate(cfg.g_bits)
                added = add_with_carry(total, complement.as_signed(), level[1])
            else:
                added = total + level * weight.as_signed()
            with m.If(adding):
                m.d.sync += total.eq(added)
            totals.append(total)

        # Codes: of the sum of a column, and of the thresholds of its converter.
        m.submodules.tables = thresholds = self._thresholds
        limit = thresholds.read_port()
        value, candidate, above = Signal(width), Signal(code_bits), Signal()
        shared = cfg.conversions // cfg.tables
        table = column >> shared.bit_length() - 1 if cfg.tables > 1 else Const(0, 1)
        lane = column[:lane_bits] if lane_bits else Const(0, 1)
        m.d.comb += [
            recall.en.eq(1), recall.addr.eq(group), limit.en.eq(1), limit.addr.eq(
                self._slot(m, convert if not cfg.each_step else start) << (cfg.slot_words - 1).bit_length()
                | table << code_bits | candidate
            ),
            value.eq(recall.data.word_select(lane, bits)), above.eq(value >= limit.data.as_signed()),
        ]
        self._show(m, column, position, bank)
        with m.If(fresh & (pins.capture | start if cfg.each_step else pins.capture)):
            m.d.sync += [bank.eq(~bank), fresh.eq(0)]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += idle.eq(1)
                m.d.sync += [row.eq(0), group.eq(0), address.eq(0), column.eq(0)]
                with m.If(start):
                    m.next = "SUM"
                if not cfg.each_step:
                    with m.If(convert):
                        m.next = "RECALL"
            with m.State("SUM"):
                m.d.comb += [weights.read.eq(1), weights.address.eq(address)]
                m.d.sync += [adding.eq(1), row.eq(row + 1), address.eq(address + cfg.groups)]
                with m.If(row == cfg.rows - 1):
                    m.next = "LAST"
            with m.State("LAST"):
                m.d.sync += adding.eq(0)
                m.next = "STORE"
            with m.State("STORE"):
                m.d.comb += store.en.eq(1)
                m.d.sync += [*(total.eq(0) for total in totals), row.eq(0), group.eq(group + 1), address.eq(group + 1)]
                m.next = "SUM"
                with m.If(group == cfg.groups - 1):
                    m.d.sync += [group.eq(0), begun.eq(not cfg.each_step)]
                    m.next = "RECALL" if cfg.each_step else "IDLE"
            with m.State("RECALL"):
                # The sum of the column and the first threshold come in the next cycle.
                m.d.comb += [recall.addr.eq(column >> lane_bits), candidate.eq(1 << code_bits - 1)]
                m.d.sync += [position.eq(0), bit.eq(code_bits - 1)]
                m.next = "SEARCH"
            with m.State("SEARCH"):
                code = position | Mux(above, C(1, code_bits) << bit, 0)
                m.d.comb += [recall.addr.eq(column >> lane_bits), candidate.eq(code | (C(1, code_bits) << bit >> 1))]
                m.d.sync += [position.eq(code), bit.eq(bit - 1)]
                with m.If(bit == 0):
                    m.next = "CODE"
            with m.State("CODE"):
                m.d.comb += self._write.en.eq(C(1, self._shown_lanes) << self._lane_of(column))
                m.d.sync += column.eq(column + 1)
                m.next = "RECALL"
                with m.If(column == cfg.conversions - 1):
                    m.d.sync += [fresh.eq(1), begun.eq(0)]
                    m.next = "IDLE"
        return self.resets(m)

    def _shifts(self) -> Value:
        """Whether the step is the first of a digit, for which the sum of those before counts more."""
        groups = self.cfg.row_groups
        return Const(1) if groups == 1 else self.pins.plane[: groups.bit_length() - 1].all()

    def _slot(self, m: Module, converts: Value) -> Value:
        """The slot of the step code at the pins; without one nothing is known of the conversion."""
        if self.cfg.slots == 1:
            return Const(0, 1)
        slot, known = Signal(range(self.cfg.slots)), Signal()
        for k, tag in enumerate(self._tags):
            with m.If(tag == Cat(self.pins.step_code, 1)):
                m.d.comb += [slot.eq(k), known.eq(1)]
        with m.If(converts & ~known):
            m.d.sync += self.error.eq(1)
        return slot

    def _load(self, m: Module, weights: CellMemory, ready: Value) -> None:
        """Take words of the load port while nothing reads."""
        cfg, word = self.cfg, self.load.p
        parts = cfg.word_bits // cfg.chunk_bits
        part_bits, stride = (parts - 1).bit_length(), 32 // cfg.chunk_cells
        self._thresholds = Memory(shape=cfg.sum_bits, depth=cfg.slots * cfg.slot_words, init=[])
        table = self._thresholds.write_port()
        here, value = Signal(), Signal(cfg.chunk_bits)
        m.d.comb += [
            self.load.ready.eq(ready), here.eq(self.load.valid & ready & (word.region == CELLS)),
            weights.address.eq(word.index >> part_bits),
            *(value.word_select(k, cfg.g_bits).eq(word.data.word_select(k, stride)) for k in range(cfg.chunk_cells)),
            weights.value.eq(value.replicate(parts)),
            weights.write.eq(here << (word.index & (parts - 1)) if parts > 1 else here),
            table.addr.eq(word.index), table.data.eq(word.data),
            table.en.eq(self.load.valid & ready & (word.region == TABLES)),
        ]
        # A reset leaves slots as they are.
        self._tags = [
            Signal(STEP_WIDTH + 1, name=f"tag_{k}", reset_less=True) for k in range(cfg.slots if cfg.slots > 1 else 0)
        ]
        for k, tag in enumerate(self._tags):
            with m.If(self.load.valid & ready & (word.region == TAGS) & (word.index == k)):
                m.d.sync += tag.eq(word.data)

    def _show(self, m: Module, column: Value, position: Value, bank: Value) -> None:
        """Codes of the group at the pins, of the bank that is shown; the other one is written, a code at a time."""
        cfg, pins = self.cfg, self.pins
        self._shown_lanes = lanes = len(pins.codes) // cfg.code_bits
        rows = 1 << len(pins.group)
        m.submodules.codes = codes = Memory(shape=len(pins.codes), depth=2 * rows, init=[])
        self._write, read = codes.write_port(granularity=cfg.code_bits), codes.read_port()
        # The lowest code is half of all below 0.
        code = position ^ (1 << cfg.code_bits - 1)
        m.d.comb += [
            read.en.eq(1), read.addr.eq(bank << len(pins.group) | pins.group), pins.codes.eq(read.data),
            self._write.addr.eq(~bank << len(pins.group) | column >> (lanes - 1).bit_length()),
            self._write.data.eq(code.replicate(lanes)),
        ]

    def _lane_of(self, column: Value) -> Value:
        bits = (self._shown_lanes - 1).bit_length()
        return column[:bits] if bits else Const(0, 1)
