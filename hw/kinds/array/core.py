"""A core whose columns share converters: codes of its steps are shifted and added."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory

from mho.hw.core.digital.groups import ColumnGroups
from mho.hw.core.row_core import RowCore
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.hw.kinds.array.pins import ArrayPins
from mho.hw.ports import In


class ShiftAdd(ColumnGroups):
    """Adds up the codes of steps; see :class:`ColumnGroups` and :meth:`mho.macro_models.kinds.array.ArrayModel.mvm`.

    Members
    -------
    converted : In(cfg.lanes * cfg.codes * cfg.converter.bits)
        Codes of the group of the last cycle, lowest column first.
    first, shift : In(1)
        With ``part`` or ``finish``: nothing was added before; what was counts for a digit more.
    less : In(1)
        With them, if ``cfg.chop``: rows were driven the other way, so that codes are subtracted.
    """

    sums = True
    converted = In(lambda self: self.cfg.lanes * self.cfg.codes * self.cfg.converter.bits)
    first = In(1)
    shift = In(1)
    less = In(1, when=lambda self: self.cfg.chop)

    def exact(self, m: Module, group: Value) -> list[Signal]:
        """A cycle after their group was at the pins; their sums are read while it is."""
        cfg = self.cfg
        width = cfg.converter.bits + 2 + (cfg.drive_steps - 1).bit_length() + cfg.digit_bits * (8 // cfg.digit_bits)
        m.submodules.sums = sums = Memory(shape=cfg.lanes * width, depth=cfg.group_rows, init=[])
        write, read = sums.write_port(), sums.read_port()
        first, shift, less, totals = Signal(), Signal(), Signal(), list[Signal]()
        with m.If(self.part | self.finish):
            m.d.sync += [first.eq(self.first), shift.eq(self.shift)]
            if cfg.chop:
                m.d.sync += less.eq(self.less)
        m.d.comb += [
            read.addr.eq(self.row), read.en.eq(1), write.addr.eq(group), write.en.eq(self._arrives),
        ]
        for k in range(cfg.lanes):
            added = self._half_steps(k)
            if cfg.chop:
                added = Mux(less, -added, added)
            before, total = (Signal(signed(width), name=f"{name}_{k}") for name in ("before", "total"))
            m.d.comb += [
                before.eq(read.data.word_select(k, width)),
                total.eq(Mux(first, 0, Mux(shift, before << cfg.digit_bits, before)) + added),
                write.data.word_select(k, width).eq(total),
            ]
            totals.append(total)
        return totals

    def _half_steps(self, k: int) -> Value:
        """Half steps of the code of a lane: of two arrays those of the difference."""
        cfg, bits = self.cfg, self.cfg.converter.bits
        codes = [self.converted.word_select(cfg.codes * k + j, bits).as_signed() for j in range(cfg.codes)]
        if cfg.codes == 2:
            return 2 * (codes[0] - codes[1])
        return 2 * codes[0] + (bits == 1)


class ArrayCore(RowCore):
    """See :class:`RowCore`."""

    @staticmethod
    def pins_of(cfg: ArrayCoreConfig, write: WriteVerifyConfig | None) -> ArrayPins:
        """Pins of the macro."""
        return ArrayPins(cfg, write)

    def unit(self) -> ColumnGroups:
        """What makes codes of the results of the macro."""
        return ShiftAdd(self.cfg)

    def connect_pins(self, m: Module, unit: Any) -> None:
        """Codes of the macro, and which step they are of: the one before a strobe, the last one at the end."""
        cfg, pins = self.cfg, self.macro
        m.d.comb += unit.converted.eq(pins.codes)
        if not cfg.digital:
            m.d.comb += unit.first.eq(1)
            return
        begun, only, step = Signal(), Signal(), Signal.like(pins.plane)
        with m.If(pins.sample):
            m.d.sync += [begun.eq(1), only.eq(~begun), step.eq(pins.plane)]
        with m.If(unit.finish):
            m.d.sync += begun.eq(0)
        groups = cfg.row_groups.bit_length() - 1
        m.d.comb += [
            unit.part.eq(pins.sample & begun), unit.first.eq(only),
            # The first group of a digit.
            unit.shift.eq(step[:groups].all() if groups else 1),
        ]
        if cfg.chop:
            m.d.comb += unit.less.eq(step[0] if groups else ~only)
