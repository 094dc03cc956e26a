"""The converter of one line after the other: a charge becomes a sign and a count."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from mho.hw.block import Resettable
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import ContextLayout
from mho.hw.emulator.vector.lanes import add_with_carry
from mho.hw.ports import In, Out

__all__ = ["LineConverter", "LineLayout"]


class LineLayout(data.StructLayout):
    """A line on its way through the converter.

    ``rest`` is half of what is left of its charge, rounded down, moved up so that a half step meets its upper part;
    ``up`` and ``down`` are half steps; ``cap`` has a 1 for each bit that is searched, the next one on top; ``count``
    are the bits found so far.
    """

    def __init__(self, cfg: EmulatorConfig) -> None:
        super().__init__({
            "rest": signed(_upper_bits(cfg) + cfg.search_bits - 1), "up": cfg.step_bits, "down": cfg.step_bits,
            "negative": 1, "cap": cfg.search_bits, "count": cfg.search_bits, "live": 1, "of": ContextLayout(cfg),
        })


def _upper_bits(cfg: EmulatorConfig) -> int:
    """Bits of the part of a rest that a half step meets: it is below two of them, or is the charge itself."""
    return cfg.step_bits + 2


class LineConverter(Resettable[EmulatorConfig]):
    """Searches the count of a line, most significant bit first, in a chain of ``cfg.divider_stages`` stages.

    In halves of the charge ``A = 2 r + 1`` and of the even step ``s = 2 t`` all is integer: the sign of A is that of
    r, and a decrement takes t from r. A binary search that always steps towards zero finds ``floor(|A| / s)``, limited
    to the bits that it searches, if the steps of both signs are equal: so counting is the search with the step of the
    sign, and a binary search is the one with both steps. Reference: :func:`mho.macro_models.integer.converter.convert`.

    Lines may come every ``cfg.divider_cycles`` cycles.

    Members
    -------
    valid : In(1)
        A line is there.
    charge, offset, pos, neg, live, of : In
        Sum of the line, half its offset, half steps from positive and negative charges, whether it is enabled, and its
        context.
    done : Out(1)
        A line is converted.
    line : Out(LineLayout(cfg))
        That line.
    """

    valid = In(1)
    charge = In(lambda self: signed(self.cfg.charge_bits))
    offset = In(lambda self: signed(self.cfg.step_bits))
    pos = In(lambda self: self.cfg.step_bits)
    neg = In(lambda self: self.cfg.step_bits)
    live = In(1)
    of = In(lambda self: ContextLayout(self.cfg))
    done = Out(1)
    line = Out(lambda self: LineLayout(self.cfg))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        rest = Signal(signed(cfg.charge_bits))
        pos, neg = Signal.like(self.pos), Signal.like(self.neg)
        live, of = Signal(), Signal(ContextLayout(cfg))
        valid = Signal()
        m.d.sync += [
            valid.eq(self.valid), rest.eq(self.charge + self.offset), pos.eq(self.pos), neg.eq(self.neg),
            live.eq(self.live), of.eq(self.of),
        ]
        entry = Signal(LineLayout(cfg), name="given")
        negative = rest < 0
        m.d.comb += [
            entry.rest.eq(rest), entry.negative.eq(negative), entry.live.eq(live), entry.of.eq(of),
            entry.cap.eq(of.cap), entry.count.eq(0),
            entry.down.eq(Mux(negative & ~of.binary, neg, pos)), entry.up.eq(Mux(negative | of.binary, neg, pos)),
        ]
        for stage in range(cfg.divider_stages):
            entry, valid = self._stage(m, stage, entry, valid)
        m.d.comb += [self.line.eq(entry), self.done.eq(valid)]
        return self.resets(m)

    def _stage(self, m: Module, stage: int, entry: data.View, valid: Value) -> tuple[data.View, Value]:
        """Search ``divider_cycles * search_width`` bits of a line; the first of them as it comes in."""
        cfg, cycles = self.cfg, self.cfg.divider_cycles
        stage_line = Signal(LineLayout(cfg), name=f"line_{stage}", reset_less=True)
        done = Signal(name=f"done_{stage}")
        if cycles == 1:
            source, running = entry, valid
            m.d.sync += done.eq(valid)
        else:
            left = Signal(range(cycles), name=f"left_{stage}")
            source = Signal(LineLayout(cfg), name=f"source_{stage}")
            running = valid | (left != 0)
            m.d.comb += source.eq(Mux(valid, entry, stage_line))
            m.d.sync += done.eq((left == 1) & ~valid)
            with m.If(running):
                m.d.sync += left.eq(Mux(valid, cycles, left) - 1)
        for k in range(cfg.search_width):
            source = self._search(m, source, f"{stage}_{k}")
        with m.If(running):
            m.d.sync += stage_line.eq(source)
        return stage_line, done

    def _search(self, m: Module, line: data.View, name: str) -> data.View:
        """One bit of the count."""
        upper = line.rest[self.cfg.search_bits - 1 :].as_signed()
        below, searched = upper < 0, line.cap[-1]
        step = Signal.like(upper, name=f"step_{name}")
        after = Signal.like(upper, name=f"after_{name}")
        # The carry completes the two's complement of a step down.
        carry = searched & ~below
        m.d.comb += [
            step.eq(Mux(below, Cat(line.up, C(0, 2)), ~Cat(line.down, C(0, 2))) & searched.replicate(len(step))),
            after.eq(add_with_carry(upper, step, carry)),
        ]
        hit = searched & ((after < 0) == line.negative)
        to = Signal(LineLayout(self.cfg), name=f"searched_{name}")
        m.d.comb += [
            to.eq(line), to.rest.eq(Cat(C(0, 1), line.rest[: self.cfg.search_bits - 1], after)),
            to.cap.eq(line.cap << 1), to.count.eq(Cat(hit, line.count)),
        ]
        return to
