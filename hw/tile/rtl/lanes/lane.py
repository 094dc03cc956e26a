"""One lane: the formula for one element at a time; and what a random number is made of."""

from itertools import pairwise

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from mho.hw.ports import Component, In, Out
from mho.hw.tile.rtl.layouts import ParameterLayout
from mho.macro_models.integer.draws import Law


def by_law(bits: Value, law: Value) -> Value:
    """The element of 16 bits, by a law, as 16 bits."""
    total = sum((bits.word_select(k, 4) for k in range(1, 4)), bits[:4])[:6]
    # All nibbles together are 0 to 60.
    around = (total - 30)[:7]
    near = Mux(law == Law.NIBBLES, Cat(around, around[-1].replicate(9)), Cat(bits[:8], 0))
    return Mux(law == Law.WORD, bits, near)[:16]


STAGES = 6
"""Clock edges from an operand to the results."""

_SUM = 32
_D = 17
_KEPT = 18
"""Bits of a shifted sum that is only clipped: what has more is beyond all limits whatever is added to it."""


class StepLayout(data.StructLayout):
    """What a lane does with an operand.

    ``first``: the sum begins with it. ``last``: the sum is done. ``hold``: it is kept as the factor of the next one.
    ``blank``: it counts as 0.
    """

    def __init__(self) -> None:
        super().__init__({"first": 1, "last": 1, "hold": 1, "blank": 1})


class TagLayout(data.StructLayout):
    """Where an element goes among the accumulators, as its parameter says."""

    def __init__(self) -> None:
        super().__init__({"target": 8, "valid": 1, "start": 1})


def _below(value: Value, bit: Value) -> Value:
    """A signed number with a bit below it."""
    return Cat(bit, value).as_signed()


class Lane(Component):
    """Computes ``clip(((sum_k (a_k - c) m) >> shift) + d, lo, hi)``, a maximum or a sum of products.

    An operand is sampled at a clock edge with ``enable``; its results are there :data:`STAGES` such edges later, that
    one counted. Reference: :func:`mho.hw.tile.isa.vector.compute`.

    Parameters
    ----------
    sums
        Whether it reads and adds to accumulators.
    tables
        Whether its result looks up a table.
    """

    enable = In(1)
    """Everything goes on by one operand."""
    maximum = In(1)
    product = In(1)
    """Kind of the operation; neither: affine."""
    shift = In(5)
    lo = In(signed(16))
    hi = In(signed(16))
    """Of the operation; the shift of a maximum is 0."""
    x = In(signed(16))
    step = In(StepLayout())
    constants = In(ParameterLayout())
    """An operand, what is done with it, and its parameter. ``d`` and the tag are those of the first of a sum."""
    live = In(1)
    """There is an operand, and it is one of a sum."""
    adds = In(1)
    begins = In(1)
    """Whether the operand that was sampled two edges ago is one of a sum, the first one."""
    y = Out(signed(16))
    """The result."""
    goes_on = In(1, when=lambda self: self.sums)
    init = In(signed(_SUM), when=lambda self: self.sums)
    """Only with ``sums``: the sum begins with what is there instead of 0; not a maximum."""
    made = Out(signed(_SUM), when=lambda self: self.sums)
    tag = Out(TagLayout(), when=lambda self: self.sums)
    """Only with ``sums``: its low bits before it is clipped, and where it goes."""
    tag_next = Out(TagLayout(), when=lambda self: self.sums)
    """Only with ``sums``: what ``tag`` will be after the next edge."""
    y_next = Out(signed(16), when=lambda self: self.tables)
    """Only with ``tables``: what ``y`` will be after the next edge."""

    def __init__(self, sums: bool = True, tables: bool = True) -> None:
        self.sums, self.tables = sums, tables
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        difference = Signal(signed(17), reset_less=True)
        factor = Signal(signed(16), reset_less=True)
        kept_bits = _SUM if self.sums else _KEPT
        product = Signal(signed(33), reset_less=True)
        total = Signal(signed(_SUM), reset_less=True)
        shifted = Signal(signed(kept_bits + 1), reset_less=True)
        result = Signal(signed(kept_bits + 1), reset_less=True)
        offset_x, scale = self._operand(m, difference, factor)
        y = Signal(signed(16))
        before = Signal(_SUM)
        added = Cat(total) & (~self.begins).replicate(_SUM)
        if self.sums:
            added |= Cat(self.init) & (self.begins & self.goes_on).replicate(_SUM)
        # The sum, which has a bit below it, and whether more of it than is kept is left.
        shifting, far = self._shifted(Cat(C(0, 1), total), kept_bits + 1)
        m.d.comb += [before.eq(added), y.eq(self._clipped(m, result, self._late_far(m, shifted, far, total[-1])))]
        if self.tables:
            m.d.comb += self.y_next.eq(y)
        with m.If(self.enable):
            m.d.sync += [
                difference.eq(offset_x), factor.eq(scale), product.eq(difference * factor), shifted.eq(shifting),
                # The bit that is shifted out last rounds half up: it is added to a 1 below the sum.
                result.eq((_below(shifted[1:], C(1)) + _below(self._late_d(m), shifted[0])) >> 1),
                self.y.eq(y),
            ]
        # One adder for all terms; what stands here is the sum so far.
        with m.If(self.enable & self.adds):
            m.d.sync += total.eq(before.as_signed() + product)
        if self.sums:
            self._pass_tag(m)
            with m.If(self.enable):
                m.d.sync += self.made.eq(result)
        return m

    def _shifted(self, value: Value, bits: int) -> tuple[Value, Value]:
        """The lowest bits of a number when it is shifted, and whether that is more than these tell."""
        far: Value = C(0, 1)
        sign = value[-1]
        for k, bit in reversed(list(enumerate(self.shift))):
            # What the steps that are left may still need.
            left = min(bits + (1 << k) - 1, len(value))
            if left < len(value):
                far = far | (~bit & (value[left:] != sign.replicate(len(value) - left)))
            value = Mux(bit, value.as_signed() >> (1 << k), value.as_signed())[:left]
        return value, far

    def _late_far(self, m: Module, shifted: Value, far: Value, negative: Value) -> tuple[Value, Value]:
        """Whether more was left of a sum than was kept, and its sign, when its result is there."""
        if self.sums:
            return C(0, 1), C(0, 1)
        # A lane without sums keeps 18 bits of the shifted sum: of the others only whether they matter.
        late = [Signal(2, name=f"far_{k}", reset_less=True) for k in range(2)]
        with m.If(self.enable):
            m.d.sync += [
                late[0].eq(Cat(far, negative)), late[1].eq(late[0] | (shifted[-1] != late[0][1])),
            ]
        return late[1][0], late[1][1]

    def _clipped(self, m: Module, result: Value, late: tuple[Value, Value]) -> Value:
        """The result within its limits; bits above those of a lane are looked at first."""
        low, above = result[:16].as_signed(), result[15:]
        under = Signal()
        over = Signal()
        far, negative = late
        fits, below = ~far & (above.all() | ~above.any()), Mux(far, negative, result[-1])
        m.d.comb += [under.eq(Mux(fits, low < self.lo, below)), over.eq(Mux(fits, low > self.hi, ~below))]
        return Mux(under, self.lo, Mux(over, self.hi, low))

    def _operand(self, m: Module, difference: Value, factor: Value) -> tuple[Value, Value]:
        """What is multiplied with what."""
        last_x = Signal(signed(16), reset_less=True)
        c = Signal(signed(16))
        scale = Signal(signed(16))
        offset_x = Signal(signed(17))
        affine = Signal()
        compares = Signal()
        grows = Signal()
        # A maximum is a sum too: of the first operand, and of what a later one is above those before, which is held.
        m.d.comb += [
            affine.eq(~(self.maximum | self.product)), compares.eq(self.maximum & ~self.step.first),
            offset_x.eq(self.x - c), grows.eq(self.maximum & ~(compares & (offset_x < 0))),
            c.eq((self.constants.c & affine.replicate(16)) | (last_x & compares.replicate(16))),
            scale.eq(
                (self.constants.m & (affine & ~self.step.blank).replicate(16)) | (last_x & self.product.replicate(16))
                | grows),
        ]
        with m.If(self.enable & (self.step.hold | (grows & self.live))):
            m.d.sync += last_x.eq(self.x)
        return offset_x, scale

    def _late_d(self, m: Module) -> Value:
        """The ``d`` of the sum that was shifted."""
        values = [Signal(signed(_D), name=f"d_{k}", reset_less=True) for k in range(4)]
        with m.If(self.enable & self.step.first):
            m.d.sync += values[0].eq(Mux(self.maximum | self.product, 0, self.constants.d))
        with m.If(self.enable):
            m.d.sync += [after.eq(before) for before, after in pairwise(values)]
        return values[-1]

    def _pass_tag(self, m: Module) -> None:
        tags = [Signal(TagLayout(), name=f"tag_{k}", reset_less=True) for k in range(STAGES - 1)]
        with m.If(self.enable & self.step.first):
            m.d.sync += [tags[0][name].eq(self.constants[name]) for name in ("target", "valid", "start")]
        m.d.comb += self.tag_next.eq(tags[-1])
        with m.If(self.enable):
            m.d.sync += [after.eq(before) for before, after in zip(tags, [*tags[1:], self.tag], strict=True)]
