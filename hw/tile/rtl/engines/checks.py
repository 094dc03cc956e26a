"""Which descriptors are legal: the rules of :mod:`mho.hw.tile.isa.legality`."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, cast

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.ports import Component, In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import ACCUMULATORS, TABLE_ENTRIES, TABLES, Cause, Format, Kind, Op, Operand
from mho.hw.tile.isa.legality import MVM_RULES, Use
from mho.hw.tile.rtl.layouts import DescriptorLayout, own_wrongs
from mho.hw.tile.rtl.rings import WRONGS
from mho.hw.tile.rtl.sequencer.decoder import field
from mho.hw.tile.rtl.windows import LookLayout, WalkFaults

__all__ = ["MvmCheck", "SourceLayout", "VecCheck", "walk_wrongs"]


class Finding(NamedTuple):
    """Whether something is wrong, the cause that it is, and the stream that it is about, by its place in a list."""

    bad: Value
    cause: Cause
    stream: int


_NOBODY, _A, _B, _TARGET = range(4)
"""Places of streams; an MVM has one."""


class SourceLayout(data.StructLayout):
    """A source of a VEC, and what is wrong with it.

    ``walk``: with that walk alone, if it is one. ``field``, ``address``: broken rules with that cause. ``number``: its
    stream. ``wrong``: what is wrong with that (:data:`mho.hw.tile.rtl.rings.WRONGS`). ``terms``: those of its window.
    """

    def __init__(self) -> None:
        super().__init__({"walk": WalkFaults(), "field": 1, "address": 1, "number": 4, "wrong": 2, "terms": 10})


class _Check(Component[TileConfig]):
    """Tells the least cause, and the stream of the first finding of that."""

    cause: Signal
    stream: Signal

    def _tell(self, m: Module, findings: Sequence[Finding], *streams: Value) -> None:
        # Each cause by itself, then the least of them: one after the other would be three times as many muxes.
        cause: Value = Const(0, 4)
        about: Value = Const(0, range(1 + len(streams)))
        for kind in sorted({finding.cause for finding in findings}, reverse=True):
            bad, first = _first([finding for finding in findings if finding.cause is kind])
            cause, about = Mux(bad, kind, cause), Mux(bad, first, about)
        m.d.comb += [self.cause.eq(cause), self.stream.eq(Array([Const(0, 4), *streams])[about])]


def _first(findings: Sequence[Finding]) -> tuple[Value, Value]:
    """Whether there is a finding among those of one cause, and the stream of the first."""
    groups = groupby(findings, attrgetter("stream"))
    runs = [(stream, Cat(finding.bad for finding in group).any()) for stream, group in groups]
    first: Value = Const(runs[-1][0], 2)
    for stream, bad in runs[-2::-1]:
        first = Mux(bad, stream, first)
    return Cat(bad for _, bad in runs).any(), first


def own_findings(kind: str, value: data.View) -> list[Finding]:
    """What is wrong with a descriptor alone."""
    return [Finding(bad, cause, _NOBODY) for bad, cause in zip(
        own_wrongs(kind, value), (Cause.RESERVED, Cause.FIELD), strict=True)]


def walk_findings(walk: data.View) -> list[Finding]:
    """What is wrong with a walk alone, as it was found."""
    return [Finding(walk.reserved, Cause.RESERVED, _NOBODY), Finding(walk.field, Cause.FIELD, _NOBODY)]


def stream_findings(wrong: Value, stream: int) -> list[Finding]:
    """What is wrong with a stream alone, as it was found."""
    return [Finding(wrong == k, cause, stream) for k, cause in enumerate(WRONGS) if k]


def walk_wrongs(cfg: TileConfig, walk: data.View) -> Value:
    """What is wrong with a walk alone, as :class:`WalkFaults`."""
    # What stands for pixels outside of the image is within the buffer.
    return Cat(*own_wrongs("walk", walk), walk.pad + walk.run + walk.tail > cfg.buffer_bytes)


class MvmCheck(_Check):
    """Whether an MVM is legal with its descriptors.

    Members
    -------
    mvm, walk, codes : In(DescriptorLayout("mvm")), In(WalkFaults()), In(14)
        The product, what is wrong with the walk, and how many codes that gives.
    number, wrong : In(4), In(2)
        Its stream, and what is wrong with that (:data:`mho.hw.tile.rtl.rings.WRONGS`).
    cause, stream : Out(4), Out(4)
        The least cause of a trap, 0 if there is none; the stream concerned.
    """

    mvm = In(DescriptorLayout("mvm"))
    walk = In(WalkFaults())
    codes = In(14)
    number = In(4)
    wrong = In(2)
    cause = Out(4)
    stream = Out(4)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mvm, walk, words = self.mvm, self.walk, Signal(7)
        use = Use(Op.MVM, {}, self.cfg, mvm=cast(Any, mvm))
        m.d.comb += words.eq(mvm.i_last - mvm.i_first + 1)
        self._tell(m, [
            *own_findings("mvm", mvm), *walk_findings(walk), *stream_findings(self.wrong, _A),
            *(Finding(rule.breaks(use), rule.cause, _NOBODY) for rule in MVM_RULES),
            Finding(self.codes > words << 2, Cause.ADDRESS, _NOBODY),
            Finding(walk.address, Cause.ADDRESS, _A),
        ], self.number)
        return m


class VecCheck(_Check):
    """Whether a VEC is legal with its descriptors, from the cycle behind that in which it and its own one came.

    Members
    -------
    word : In(32)
        The instruction.
    vec : In(DescriptorLayout("vec"))
        Its descriptor.
    second, walk, wrongs, look : In(1), In(DescriptorLayout("walk")), In(WalkFaults()), In(LookLayout())
        A source; if it is a walk that, what is wrong with it and what was seen of it.
    block, wrong : In(12), In(2)
        If it is a stream: bytes of a block, and what is wrong with it.
    found : Out(SourceLayout())
        What was found.
    a, b : In(SourceLayout()), In(SourceLayout())
        What was found of both.
    outside, remote, target_wrong : In(1), In(1), In(2)
        The target is a stream: what is written is not within a block of it, others fill it, what is wrong with it.
    cause, stream : Out(4), Out(4)
        As at :class:`MvmCheck`.
    """

    word = In(32)
    vec = In(DescriptorLayout("vec"))
    second = In(1)
    walk = In(DescriptorLayout("walk"))
    wrongs = In(WalkFaults())
    look = In(LookLayout())
    block = In(12)
    wrong = In(2)
    found = Out(SourceLayout())
    a = In(SourceLayout())
    b = In(SourceLayout())
    outside = In(1)
    remote = In(1)
    target_wrong = In(2)
    cause = Out(4)
    stream = Out(4)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vec, table = self.vec, self.vec.kind == Kind.TABLE
        self._source(m, table)
        sources = ((self.a, _A), (self.b, _B))
        self._tell(m, [
            *_late(m, own_findings("vec", vec)),
            *(finding for source, stream in sources for finding in (
                *walk_findings(source.walk), *stream_findings(source.wrong, stream))),
            *stream_findings(self.target_wrong, _TARGET),
            *(Finding(source.walk.address, Cause.ADDRESS, stream) for source, stream in sources),
            *(finding for source, stream in sources for finding in (
                Finding(source.field, Cause.FIELD, stream), Finding(source.address, Cause.ADDRESS, stream))),
            *self._operation(m),
        ], self.a.number, self.b.number, vec.target[:4])
        return m

    def _flag(self, name: str) -> Value:
        return field(self.word, Op.VEC, name)

    def _source(self, m: Module, table: Value) -> None:
        """Rules of a source; of a table the second one is none."""
        vec, walk_fields, second = self.vec, self.walk, self.second
        # One set of gates for both sources, which are asked in turn.
        is_source = ~(second & table)
        operand, lane, offset, advance, free = Signal(5), Signal(), Signal(10), Signal(), Signal()
        forms = [vec[f"{name}_format"] == Format.LANE for name in "ab"]
        m.d.comb += [
            operand.eq(Mux(second, vec.b, vec.a)), lane.eq(Mux(second, forms[1], forms[0])),
            offset.eq(Mux(second, vec.b_offset, vec.a_offset)),
            advance.eq(Mux(second, self._flag("advance_b"), self._flag("advance_a"))),
            free.eq(Mux(second, self._flag("free_b"), self._flag("free_a"))),
        ]
        walk, stream = operand[4] & ~operand[3] & is_source, ~operand[4] & is_source
        sums, inner = operand == Operand.ACCUMULATORS, operand[4] & operand[3] & (operand < Operand.RESULT + 4)
        # Offset and elements together are below 2,048; twice that, as bytes of lanes, below 4,096.
        end = Signal(12)
        m.d.comb += end.eq(offset + vec.elements)
        within = Mux(walk, walk_fields.run, self.block)
        beyond = Mux(sums, end > ACCUMULATORS, (walk | stream) & (Mux(lane, end << 1, end) > within))
        m.d.comb += [
            self.found.walk.eq(Mux(walk, self.wrongs, 0)),
            self.found.field.eq(
                (is_source & inner & (~lane | (~sums & (offset != 0))))
                | (walk & ((walk_fields.repeat != 1) | (walk_fields.tail != 0)))
                | (advance & ~walk) | (free & ~Mux(walk, advance, stream))),
            self.found.address.eq(is_source & beyond),
            self.found.number.eq(Mux(walk, walk_fields.stream, Mux(stream, operand[:4], 0))),
            self.found.wrong.eq(Mux(walk, self.look.wrong, Mux(stream, self.wrong, 0))),
            self.found.terms.eq(Mux(walk, self.look.terms, 1)),
        ]

    def _operation(self, m: Module) -> list[Finding]:
        """Rules of the operation: what the descriptor breaks by itself, and what with its sources and its target."""
        vec, kind, a, b = self.vec, self.vec.kind, self.vec.a, self.vec.b
        affine, table = kind == Kind.AFFINE, kind == Kind.TABLE
        none = {"a": a == Operand.NONE, "b": b == Operand.NONE}
        sums = {name: vec[name] == Operand.ACCUMULATORS for name in ("a", "b", "target")}
        second = ~table & ~none["b"]
        walk = {"a": a[4] & ~a[3], "b": b[4] & ~b[3] & ~table}
        stream = {"a": ~a[4] | walk["a"], "b": ~table & (~b[4] | walk["b"])}
        result = (a >= Operand.RESULT) & (a < Operand.RESULT + 4)
        legal_b = Mux(table, b < TABLES, Mux(none["b"], kind != Kind.PRODUCT, ~b[4] | walk["b"] | sums["b"]))
        entries = (vec.lo >= 0) & (vec.hi < TABLE_ENTRIES)
        # Two frees of one block, or a walk that goes on twice.
        both = second & stream["a"] & stream["b"] & (
            (walk["a"] & (a == b)) | ((self.a.number == self.b.number) & self._flag("free_a") & self._flag("free_b")))
        last = vec.parameters + vec.period + Mux(second, vec.period, 0)
        alone = (
            Mux(none["a"], ~vec.add, (a > Operand.ACCUMULATORS) & ~result), ~legal_b,
            vec.target[4] & ~(sums["target"] & affine), vec.add & ~(affine | table),
            result & (a - Operand.RESULT >= self.cfg.contexts),
            ~sums["target"] & ((vec.lo > vec.hi) | (table & ~entries)),
            sums["target"] & (vec.add | sums["a"] | (second & sums["b"])), self._flag("push") & sums["target"],
        )
        beyond = (vec.add & (vec.elements > ACCUMULATORS)) | ((affine | table) & (last > self.cfg.parameters))
        return [
            # Rules of the descriptor alone are known a cycle before those of its sources: so they are registered.
            *_late(m, [
                Finding(kind >= len(Kind), Cause.RESERVED, _NOBODY), Finding(Cat(alone).any(), Cause.FIELD, _NOBODY),
            ]),
            *(Finding(bad, Cause.FIELD, _NOBODY) for bad in (
                second & ~none["a"] & (self.a.terms != self.b.terms), both)),
            Finding(self.outside, Cause.ADDRESS, _TARGET), Finding(self.remote, Cause.OWNER, _TARGET),
            *_late(m, [Finding(beyond, Cause.ADDRESS, _NOBODY)]),
        ]


def _late(m: Module, findings: Sequence[Finding]) -> list[Finding]:
    """What is known a cycle later."""
    late = []
    for finding in findings:
        bad = Signal(name=f"of_{finding.cause.name.lower()}", reset_less=True)
        m.d.sync += bad.eq(finding.bad)
        late.append(finding._replace(bad=bad))
    return late
