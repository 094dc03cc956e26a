"""The digital unit: counters become codes, which leave as a stream while the next conversion runs."""

from amaranth.hdl import Module, Signal, Value, signed

from mho.hw.core.digital.groups import ColumnGroups
from mho.hw.core.layout import CODE_WIDTH
from mho.hw.kinds.pwm.settings import COLUMN_BITS
from mho.hw.ports import In
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, PRODUCT_BITS


class DigitalUnit(ColumnGroups):
    """Reads the captured counters of a macro, ``cfg.lanes`` columns a cycle, and gives out two codes a word.

    See :class:`ColumnGroups`. A code is that of :meth:`mho.macro_models.integer.pwm.converter.DigitalUnits.compute`; 0
    where a column is not enabled. The ``cfg.output_words`` cycles of two lanes (128 of 256 columns) hide behind the 133
    cycles of a product of one window.

    Members
    -------
    columns : In(cfg.lanes * COLUMN_BITS)
        Gains and offsets of the group of the last cycle.
    count_pos, count_neg : In(cfg.lanes * 12)
        Its counters.
    """

    stages = ("read", "product")
    columns = In(lambda self: self.cfg.lanes * COLUMN_BITS)
    count_pos = In(lambda self: self.cfg.lanes * COUNTER_BITS)
    count_neg = In(lambda self: self.cfg.lanes * COUNTER_BITS)

    def exact(self, m: Module, group: Value) -> list[Signal]:
        """One cycle after its counters were at the pins."""
        codes = list[Signal]()
        for k in range(self.cfg.lanes):
            gain, offset = self.columns.word_select(k, COLUMN_BITS)[:8], self.columns.word_select(k, COLUMN_BITS)[8:]
            product = Signal(signed(COUNTER_BITS + 9), name=f"product_{k}")
            moved = Signal(signed(8), name=f"offset_{k}")
            exact = Signal(signed(CODE_WIDTH), name=f"exact_{k}")
            difference = (self.count_pos.word_select(k, COUNTER_BITS).as_unsigned()
                          - self.count_neg.word_select(k, COUNTER_BITS).as_unsigned())
            m.d.sync += [product.eq(difference * gain), moved.eq(offset.as_signed())]
            m.d.comb += exact.eq(((product + (1 << PRODUCT_BITS - 1)) >> PRODUCT_BITS) + moved)
            codes.append(exact)
        return codes
