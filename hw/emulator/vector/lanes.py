"""Products of a word of cells with its inputs, and their sums along bit lines or along source lines."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed

from mho.hw.block import Resettable
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.ports import In, Out, array

__all__ = ["LEVEL_BITS", "MacLanes", "add_with_carry"]

LEVEL_BITS = 5
"""Bits of the input of a line in one conversion: four of the magnitude, then the sign."""


class MacLanes(Resettable[EmulatorConfig]):
    """One product a lane and cycle.

    Forward each lane adds its own products, one for each bit line: ``sums`` are the source lines of the word. Backward
    a tree adds the products of a word, and its sums are added for each bit line: ``total``.

    A word and its ``levels`` come with ``valid``. ``sums`` are there in the next cycle, for the ``last`` word of a sum
    they are complete; ``total`` is complete ``cfg.tree_levels + 1`` cycles later than that.

    Members
    -------
    valid, first, last : In(1)
        A word is there; it is the first, or the last, of its sums.
    cells : In(cfg.word_bits)
        Codes of the cells.
    levels : In(5 * cfg.lanes)
        Input of each lane.
    sums : Out(signed).array(cfg.lanes)
        Sums of each lane. Combinational.
    total : Out(signed)
        Sum of all.
    """

    valid = In(1)
    first = In(1)
    last = In(1)
    cells = In(lambda self: self.cfg.word_bits)
    levels = In(lambda self: LEVEL_BITS * self.cfg.lanes)
    sums = array(Out(lambda self: signed(self.cfg.step_bits + 1)), lambda self: self.cfg.lanes)
    total = Out(lambda self: signed(self.cfg.step_bits + 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        products = []
        for lane in range(cfg.lanes):
            level = self.levels.word_select(lane, LEVEL_BITS)
            cell = self.cells.word_select(lane, cfg.g_bits)
            magnitude = Signal(cfg.g_bits + 4, name=f"magnitude_{lane}", reset_less=True)
            negative = Signal(name=f"negative_{lane}", reset_less=True)
            m.d.sync += [magnitude.eq(level[:4] * cell), negative.eq(level[4])]
            products.append((negative, magnitude ^ negative.replicate(cfg.g_bits + 4)))
        valid = Signal(cfg.tree_levels + 1)
        first = Signal(cfg.tree_levels + 1)
        # As at the end of a sum after a reset, so that the sums need none: it would cost each of their bits a gate.
        adding, last = Signal(init=1), Signal(init=1)
        m.d.sync += [
            valid.eq(Cat(self.valid, valid)), first.eq(Cat(self.first, first)),
            adding.eq(self.valid), last.eq(self.last),
        ]
        self._add_lanes(m, products, adding, last)
        self._add_words(m, products, valid[-1], first[-1])
        return self.resets(m)

    def _add_lanes(self, m: Module, products: list[tuple[Value, Value]], adding: Value, last: Value) -> None:
        """Sum of each lane. It is cleared as the last product comes, so that the adder needs no gate before it."""
        for lane, (total, (negative, product)) in enumerate(zip(self.sums, products, strict=True)):
            stored = Signal.like(total, name=f"sum_{lane}", reset_less=True)
            m.d.comb += total.eq(add_with_carry(stored, Cat(product, negative).as_signed(), negative))
            with m.If(adding):
                m.d.sync += stored.eq(Mux(last, 0, total))

    def _add_words(self, m: Module, products: list[tuple[Value, Value]], valid: Value, first: Value) -> None:
        """Sum of all lanes, and of the words of a bit line."""
        # The complement of a negative product lacks one, which enters as the carry of one of the adders below: there
        # are as many as lanes.
        terms = [Cat(product, negative).as_signed() for negative, product in products]
        carries = [negative for negative, _ in products]
        for level in range(self.cfg.tree_levels):
            added = [
                self._register(m, add_with_carry(left, right, carry), f"tree_{level}_{k}")
                for k, (left, right, carry) in enumerate(zip(terms[0::2], terms[1::2], carries[0::2], strict=True))
            ]
            carries = [self._register(m, carry, f"carry_{level}_{k}") for k, carry in enumerate(carries[1::2])]
            terms = added
        with m.If(valid):
            m.d.sync += self.total.eq(add_with_carry(Mux(first, 0, self.total).as_signed(), terms[0], carries[0]))

    def _register(self, m: Module, value: Value, name: str) -> Signal:
        register = Signal(value.shape(), name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register


def add_with_carry(left: Value, right: Value, carry: Value) -> Value:
    """Sum of two signed values and a bit, in one adder: its added lowest bit makes the carry.

    That bit adds 1 to ``carry``: with ``carry`` twice, nextpnr may route the two inputs of a cell of an iCE40 forever.
    """
    return (Cat(carry, left).as_signed() + Cat(C(1, 1), right).as_signed())[1:].as_signed()
