"""Which descriptors are legal: circuits of the rules of :mod:`mho.hw.tile.isa.rules`."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.ports import Component, In, Out
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import Cause, Format, Kind, Op
from mho.hw.tile.isa.rules import (
    MVM_RULES,
    PAIR_RULES,
    SOURCE_RULES,
    TARGET_RULES,
    VEC_RULES,
    Rule,
    Source,
    Use,
    walk_beyond_buffer,
)
from mho.hw.tile.rtl.layouts import DescriptorLayout, own_wrongs
from mho.hw.tile.rtl.rings import WRONGS
from mho.hw.tile.rtl.sequencer.loops import field, fields_of
from mho.hw.tile.rtl.windows.addresses import LookLayout, WalkFaults


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


def rule_findings(rules: Sequence[Rule], use: Use) -> list[Finding]:
    """What breaks some rules that are about no stream, all with one cause together."""
    causes = {rule.cause: [each.breaks(use) for each in rules if each.cause is rule.cause] for rule in rules}
    # A rule that no operation of this tile can break has no gates.
    return [Finding(Cat(bit for bit in broken if bit is not False).any(), cause, _NOBODY)
            for cause, broken in causes.items()]


def walk_wrongs(cfg: TileConfig, walk: data.View) -> Value:
    """What is wrong with a walk alone, as :class:`WalkFaults`."""
    return Cat(*own_wrongs("walk", walk), walk_beyond_buffer(walk, cfg))


class MvmCheck(_Check):
    """Whether an MVM is legal with its descriptors."""

    mvm = In(DescriptorLayout("mvm"))
    walk = In(WalkFaults())
    codes = In(14)
    """The product, what is wrong with the walk, and how many codes that gives."""
    number = In(4)
    wrong = In(2)
    """Its stream, and what is wrong with that (:data:`mho.hw.tile.rtl.rings.WRONGS`)."""
    cause = Out(4)
    stream = Out(4)
    """The least cause of a trap, 0 if there is none; the stream concerned."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        use = Use(Op.MVM, {}, self.cfg, mvm=self.mvm, codes=self.codes)
        self._tell(m, [
            *own_findings("mvm", self.mvm), *walk_findings(self.walk), *stream_findings(self.wrong, _A),
            *rule_findings(MVM_RULES, use), Finding(self.walk.address, Cause.ADDRESS, _A),
        ], self.number)
        return m


class VecCheck(_Check):
    """Whether a VEC is legal with its descriptors, from the cycle behind that in which it and its own one came."""

    word = In(32)
    """The instruction."""
    vec = In(DescriptorLayout("vec"))
    """Its descriptor."""
    second = In(1)
    walk = In(DescriptorLayout("walk"))
    wrongs = In(WalkFaults())
    look = In(LookLayout())
    """A source; if it is a walk that, what is wrong with it and what was seen of it."""
    block = In(12)
    wrong = In(2)
    """If it is a stream: bytes of a block, and what is wrong with it."""
    found = Out(SourceLayout())
    """What was found."""
    a = In(SourceLayout())
    b = In(SourceLayout())
    """What was found of both."""
    target_breaks = In(len(TARGET_RULES))
    target_wrong = In(2)
    """The target is a stream: which of :data:`mho.hw.tile.isa.rules.TARGET_RULES` it breaks, what is wrong with it."""
    cause = Out(4)
    stream = Out(4)
    """As at :class:`MvmCheck`."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._source(m)
        vec, sources = self.vec, ((self.a, _A), (self.b, _B))
        use = Use(Op.VEC, fields_of(self.word, Op.VEC), self.cfg, vec=vec, sources={
            "a": Source(exists=True, operand=vec.a, number=self.a.number, terms=self.a.terms),
            "b": Source(exists=vec.kind != Kind.TABLE, operand=vec.b, number=self.b.number, terms=self.b.terms),
        })
        self._tell(m, [
            *_late(m, own_findings("vec", vec)),
            *(finding for source, stream in sources for finding in (
                *walk_findings(source.walk), *stream_findings(source.wrong, stream))),
            *stream_findings(self.target_wrong, _TARGET),
            *(Finding(source.walk.address, Cause.ADDRESS, stream) for source, stream in sources),
            *(finding for source, stream in sources for finding in (
                Finding(source.field, Cause.FIELD, stream), Finding(source.address, Cause.ADDRESS, stream))),
            *(Finding(bad, rule.cause, _TARGET) for rule, bad in zip(TARGET_RULES, self.target_breaks, strict=True)),
            # Rules of the descriptor alone are known a cycle before those of its sources: so they are registered.
            *_late(m, rule_findings(VEC_RULES, use)), *rule_findings(PAIR_RULES, use),
        ], self.a.number, self.b.number, vec.target[:4])
        return m

    def _source(self, m: Module) -> None:
        """Rules of a source: one set of gates for both, which are asked in turn."""
        vec, walk, second = self.vec, self.walk, self.second
        operand = Signal(5)
        lane = Signal()
        offset = Signal(10)
        advance = Signal()
        free = Signal()
        forms = [vec[f"{name}_format"] == Format.LANE for name in "ab"]
        m.d.comb += [
            operand.eq(Mux(second, vec.b, vec.a)), lane.eq(Mux(second, forms[1], forms[0])),
            offset.eq(Mux(second, vec.b_offset, vec.a_offset)),
            *(flag.eq(Mux(second, *(field(self.word, Op.VEC, f"{name}_{of}") for of in "ba")))
              for name, flag in (("advance", advance), ("free", free))),
        ]
        within = Signal(12)
        source = Source(
            exists=~(second & (vec.kind == Kind.TABLE)), operand=operand, lane=lane, offset=offset,
            elements=vec.elements, advance=advance, free=free, repeat=walk.repeat, tail=walk.tail, within=within,
            draws=self.cfg.draws,
        )
        broken = {cause: Cat(breaks(source) for of, _, breaks in SOURCE_RULES if of is cause).any()
                  for cause in (Cause.FIELD, Cause.ADDRESS)}
        found = self.found
        m.d.comb += [
            within.eq(Mux(source.walk, walk.run, self.block)),
            found.walk.eq(Mux(source.walk, self.wrongs, 0)),
            found.field.eq(broken[Cause.FIELD]), found.address.eq(broken[Cause.ADDRESS]),
            found.number.eq(Mux(source.walk, walk.stream, Mux(source.stream, operand[:4], 0))),
            found.wrong.eq(Mux(source.walk, self.look.wrong, Mux(source.stream, self.wrong, 0))),
            found.terms.eq(Mux(source.walk, self.look.terms, 1)),
        ]


def _late(m: Module, findings: Sequence[Finding]) -> list[Finding]:
    """What is known a cycle later."""
    late = []
    for finding in findings:
        bad = Signal(name=f"of_{finding.cause.name.lower()}", reset_less=True)
        m.d.sync += bad.eq(finding.bad)
        late.append(finding._replace(bad=bad))
    return late
