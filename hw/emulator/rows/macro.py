"""A macro of rows and columns behind its pins, whose converters are thresholds."""

from amaranth.hdl import C, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory

from mho.hw.emulator.macro import EmulatedMacro
from mho.hw.emulator.rows.config import RowEmulatorConfig


class RowMacro(EmulatedMacro):
    """An :class:`EmulatedMacro` whose sums are converted together at the strobe ``convert``, or each step alone.

    A conversion searches a column's code among the ascending thresholds of its converter, a bit a cycle: any converter
    whose code does not fall with its input is such a table. Codes are in one of two banks; the strobe that shows them
    swaps these.

    Of the pins there must be ``row_pos``, ``row_neg``, ``sample``, ``plane``, ``convert`` (unless each step is
    converted), ``capture``, ``group``, ``codes`` and ``hold``. A table has ``2**code_bits`` words for each converter;
    the code of index k is that of sums from the threshold k on, and 0 is not used. A tag is a step code.
    """

    cfg: RowEmulatorConfig

    def wanted(self) -> Value:
        return self.pins.step_code

    def shifts(self) -> Value:
        groups = self.cfg.row_groups
        return Const(1) if groups == 1 else self.pins.plane[: groups.bit_length() - 1].all()

    def begins(self, m: Module) -> tuple[Value, Value]:
        cfg, pins = self.cfg, self.pins
        if cfg.each_step:
            self.after_sum, self.accumulates = "Recall", False
        start, convert = pins.sample, Const(0) if cfg.each_step else pins.convert
        m.d.comb += pins.hold.eq(self.held)
        self._convert, self._fresh, self._bank = convert, Signal(), Signal()
        with m.If((start if cfg.each_step else convert) & ~self.tables.known):
            m.d.sync += self.error.eq(1)
        with m.If(self._fresh & (pins.capture | start if cfg.each_step else pins.capture)):
            m.d.sync += [self._bank.eq(~self._bank), self._fresh.eq(0)]
        return start, convert

    def add_idle(self, m: Module) -> None:
        with m.If(self._convert):
            m.next = "Recall"

    def add_states(self, m: Module) -> None:
        cfg, column, code_bits = self.cfg, self.column, self.cfg.code_bits
        bit, position, candidate = Signal(range(max(code_bits, 2))), Signal(code_bits), Signal(code_bits)
        above = Signal()
        shared = cfg.conversions // cfg.tables
        table = column >> shared.bit_length() - 1 if cfg.tables > 1 else Const(0, 1)
        writes = self._show(m, position)
        m.d.comb += [
            self.tables.place.eq(table << code_bits | candidate), above.eq(self.value >= self.tables.entry[0]),
        ]
        with m.State("Recall"):
            # The sum of the column and the first threshold come in the next cycle.
            m.d.comb += candidate.eq(1 << code_bits - 1)
            m.d.sync += [position.eq(0), bit.eq(code_bits - 1)]
            m.next = "Search"
        with m.State("Search"):
            code = position | Mux(above, C(1, code_bits) << bit, 0)
            m.d.comb += candidate.eq(code | (C(1, code_bits) << bit >> 1))
            m.d.sync += [position.eq(code), bit.eq(bit - 1)]
            with m.If(bit == 0):
                m.next = "Code"
        with m.State("Code"):
            m.d.comb += writes.eq(1)
            m.d.sync += column.eq(column + 1)
            m.next = "Recall"
            with m.If(column == cfg.conversions - 1):
                m.d.sync += [self._fresh.eq(1), self.begun.eq(0)]
                m.next = "Idle"

    def _show(self, m: Module, position: Value) -> Signal:
        """Codes of the group at the pins, of the bank that is shown; a strobe that writes a code to the other one."""
        cfg, pins, column = self.cfg, self.pins, self.column
        lanes, rows = len(pins.codes) // cfg.code_bits, 1 << len(pins.group)
        lane_bits, writes = (lanes - 1).bit_length(), Signal()
        m.submodules.codes = codes = Memory(shape=len(pins.codes), depth=2 * rows, init=[])
        write, read = codes.write_port(granularity=cfg.code_bits), codes.read_port()
        # The lowest code is half of all below 0.
        code = position ^ (1 << cfg.code_bits - 1)
        m.d.comb += [
            read.en.eq(1), read.addr.eq(self._bank << len(pins.group) | pins.group), pins.codes.eq(read.data),
            write.addr.eq(~self._bank << len(pins.group) | column >> lane_bits), write.data.eq(code.replicate(lanes)),
            write.en.eq(Mux(writes, C(1, lanes) << (column[:lane_bits] if lane_bits else Const(0, 1)), 0)),
        ]
        return writes
