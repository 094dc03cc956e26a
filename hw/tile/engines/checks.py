"""Which descriptors are legal: the rules of :mod:`hw.tile.legality` that need no stream."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.tile.config import TileConfig
from hw.tile.isa import ACCUMULATORS, DESCRIPTORS, TABLE_ENTRIES, TABLES, Cause, Format, Kind, Op, Operand
from hw.tile.layouts import DescriptorLayout
from hw.tile.sequencer.decoder import field

__all__ = ["MvmCheck", "VecCheck"]


class Finding(NamedTuple):
    """Whether something is wrong, the cause that it is, and the stream that it is about."""

    bad: Value
    cause: Cause
    stream: Value


_NOBODY = Const(0, 4)


class _Check(wiring.Component):
    """Tells the least cause, and the stream of the first finding of that."""

    cause: Value
    stream: Value

    def _tell(self, m: Module, findings: Sequence[Finding]) -> None:
        # The last assignment stands: causes from the largest on, of each the first finding last.
        backwards = findings[::-1]
        for one in sorted(backwards, key=lambda one: -one.cause):
            with m.If(one.bad):
                m.d.comb += [self.cause.eq(one.cause), self.stream.eq(one.stream)]


def own_findings(kind: str, value: Any, used: Value) -> list[Finding]:
    """Bits of a descriptor that belong to no field, and fields out of their range."""
    layout, raw = DESCRIPTORS[kind].layout, value.as_value()
    spare: Value = Const(0)
    for word in range(layout.words):
        bits = sum(f.width for f in layout.fields if f.word == word)
        if bits < 32:
            spare |= raw[32 * word + bits : 32 * word + 32].any()
    wrong: Value = Const(0)
    for one in layout.fields:
        low, high = one.range
        if not one.signed and low > 0:
            wrong |= value[one.name] < low
        if not one.signed and high < (1 << one.width) - 1:
            wrong |= value[one.name] > high
    return [Finding(used & spare, Cause.RESERVED, _NOBODY), Finding(used & wrong, Cause.FIELD, _NOBODY)]


def pad_finding(cfg: TileConfig, walk: Any, used: Value) -> Finding:
    """What stands for pixels outside of the image is within the buffer."""
    beyond = used & (walk.pad + walk.run + walk.tail > cfg.buffer_bytes)
    return Finding(beyond, Cause.ADDRESS, _NOBODY)


class MvmCheck(_Check):
    """Whether an MVM is legal with its descriptors, but for its stream and the number of its codes.

    Members
    -------
    mvm, walk : In(DescriptorLayout("mvm")), In(DescriptorLayout("walk"))
        They.
    cause, stream : Out(4), Out(4)
        The least cause of a trap, 0 if there is none; the stream concerned.
    """

    mvm: Any
    walk: Any

    def __init__(self, cfg: TileConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "mvm": In(DescriptorLayout("mvm")), "walk": In(DescriptorLayout("walk")), "cause": Out(4), "stream": Out(4),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mvm, walk, yes = self.mvm, self.walk, Const(1)
        self._tell(m, [
            *own_findings("mvm", mvm, yes), *own_findings("walk", walk, yes),
            Finding((mvm.i_first > mvm.i_last) | (mvm.o_first > mvm.o_last), Cause.FIELD, _NOBODY),
            Finding(
                (mvm.i_last >= self.cfg.input_words) | (mvm.o_last >= self.cfg.output_words), Cause.ADDRESS, _NOBODY),
            pad_finding(self.cfg, walk, yes),
        ])
        return m


class VecCheck(_Check):
    """Whether a VEC is legal with its descriptors, but for its streams.

    Members
    -------
    word : In(32)
        The instruction.
    vec, walk_a, walk_b : In(DescriptorLayout("vec")), In(DescriptorLayout("walk")), In(DescriptorLayout("walk"))
        Its descriptors; walks only where they are sources.
    cause, stream : Out(4), Out(4)
        As at :class:`MvmCheck`.
    """

    word: Value
    vec: Any
    walk_a: Any
    walk_b: Any

    def __init__(self, cfg: TileConfig) -> None:
        self.cfg = cfg
        walk = In(DescriptorLayout("walk"))
        super().__init__({
            "word": In(32), "vec": In(DescriptorLayout("vec")), "walk_a": walk, "walk_b": walk, "cause": Out(4),
            "stream": Out(4),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vec, table = self.vec, self.vec.kind == Kind.TABLE
        walk = {"a": vec.a[4] & ~vec.a[3], "b": vec.b[4] & ~vec.b[3] & ~table}
        number = {
            name: Mux(walk[name], given.stream, Mux(vec[name][4], 0, vec[name][:4]))
            for name, given in (("a", self.walk_a), ("b", self.walk_b))
        }
        number["b"] = Mux(table, 0, number["b"])
        self._tell(m, [
            *own_findings("vec", vec, Const(1)), *own_findings("walk", self.walk_a, walk["a"]),
            *own_findings("walk", self.walk_b, walk["b"]),
            pad_finding(self.cfg, self.walk_a, walk["a"]), pad_finding(self.cfg, self.walk_b, walk["b"]),
            *self._source("a", self.walk_a, walk["a"], Const(1), number["a"]),
            *self._source("b", self.walk_b, walk["b"], ~table, number["b"]),
            *self._operation(walk, number),
        ])
        return m

    def _flag(self, name: str) -> Value:
        return field(self.word, Op.VEC, name)

    def _source(self, name: str, given: Any, walk: Value, asked: Value, number: Value) -> list[Finding]:
        """Rules of a source; of a table the second one is none."""
        vec = self.vec
        operand, form, offset = vec[name], vec[f"{name}_format"], vec[f"{name}_offset"]
        sums, inner = operand == Operand.ACCUMULATORS, operand[4] & operand[3] & (operand < Operand.RESULT + 4)
        end = offset + vec.elements
        beyond = Mux(sums, end > ACCUMULATORS, walk & (Mux(form == Format.LANE, end << 1, end) > given.run))
        advance, free, stream = self._flag(f"advance_{name}"), self._flag(f"free_{name}"), ~operand[4] & asked
        return [
            Finding(asked & inner & (form != Format.LANE), Cause.FIELD, _NOBODY),
            Finding(asked & inner & ~sums & (offset != 0), Cause.FIELD, _NOBODY),
            Finding(walk & ((given.repeat != 1) | (given.tail != 0)), Cause.FIELD, number),
            Finding(asked & beyond, Cause.ADDRESS, number),
            Finding((advance & ~walk) | (free & ~Mux(walk, advance, stream)), Cause.FIELD, number),
        ]

    def _operation(self, walk: dict[str, Value], number: dict[str, Value]) -> list[Finding]:
        """Rules of the operation."""
        vec, kind, a, b = self.vec, self.vec.kind, self.vec.a, self.vec.b
        affine, table = kind == Kind.AFFINE, kind == Kind.TABLE
        none = {"a": a == Operand.NONE, "b": b == Operand.NONE}
        sums = {name: vec[name] == Operand.ACCUMULATORS for name in ("a", "b", "target")}
        second = ~table & ~none["b"]
        stream = {"a": ~a[4] | walk["a"], "b": ~table & (~b[4] | walk["b"])}
        terms = {
            name: Mux(walk[name], scaled(given.kernel_x, given.kernel_y), 1)
            for name, given in (("a", self.walk_a), ("b", self.walk_b))
        }
        result = (a >= Operand.RESULT) & (a < Operand.RESULT + 4)
        legal_b = Mux(table, b < TABLES, Mux(none["b"], kind != Kind.PRODUCT, ~b[4] | walk["b"] | sums["b"]))
        entries = (vec.lo >= 0) & (vec.hi < TABLE_ENTRIES)
        both = second & stream["a"] & stream["b"] & (
            (walk["a"] & (a == b)) | ((number["a"] == number["b"]) & self._flag("free_a") & self._flag("free_b")))
        last = vec.parameters + vec.period + Mux(second, vec.period, 0)
        return [
            Finding(kind >= Kind.SAMPLE, Cause.RESERVED, _NOBODY),
            *(Finding(bad, Cause.FIELD, _NOBODY) for bad in (
                Mux(none["a"], ~vec.add, (a > Operand.ACCUMULATORS) & ~result), ~legal_b,
                vec.target[4] & ~(sums["target"] & affine), vec.add & ~(affine | table),
                result & (a - Operand.RESULT >= self.cfg.contexts),
                ~sums["target"] & ((vec.lo > vec.hi) | (table & ~entries)),
                second & ~none["a"] & (terms["a"] != terms["b"]), both,
                sums["target"] & (vec.add | sums["a"] | (second & sums["b"])), self._flag("push") & sums["target"],
            )),
            Finding(vec.add & (vec.elements > ACCUMULATORS), Cause.ADDRESS, _NOBODY),
            Finding((affine | table) & (last > self.cfg.parameters), Cause.ADDRESS, _NOBODY),
        ]


def scaled(value: Value, by: Value) -> Value:
    """A product by a short number, without a multiplier."""
    found: Value = Const(0)
    for k, bit in enumerate(by):
        found += Mux(bit, value << k, 0)
    return found
