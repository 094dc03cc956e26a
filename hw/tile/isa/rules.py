"""What is legal between fields: rules as data, each with its cause of a trap, for numbers and for signals.

Decoder, engines and scoreboard (:mod:`mho.hw.tile.rtl`) are made from the rules that :mod:`mho.hw.tile.isa.legality`
asks, so values may be numbers or signals: rules combine them by ``&``, ``|`` and :func:`no`, and what they give is true
or false of either. Only where a ring ends the hardware finds in its own way, by adding blocks.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import (
    ACCUMULATORS,
    DESCRIPTOR_WORDS,
    DESCRIPTORS,
    TABLE_ENTRIES,
    TABLES,
    Cause,
    Command,
    Format,
    Kind,
    Op,
    Operand,
)

Values = Mapping[str, Any]

SLOTS = 14
"""Slots of a node: a remote stream has one of them."""
WALKS = DESCRIPTORS["walk"].count
RESULTS = 4


def no(bit: Any) -> Any:
    """The opposite of a bit, or of a truth."""
    return not bit if isinstance(bit, int) else ~bit


def is_stream(operand: Any) -> Any:
    """Whether a source or target is a stream."""
    return operand < Operand.WALK


def is_walk(operand: Any) -> Any:
    """Whether a source is a walk."""
    return (operand >= Operand.WALK) & (operand < Operand.WALK + WALKS)


def is_result(operand: Any) -> Any:
    """Whether a source is a result of a reduction."""
    return (operand >= Operand.RESULT) & (operand < Operand.RESULT + RESULTS)


def is_draw(vec: Any) -> Any:
    """Whether a vector operation takes random numbers: of a table ``b`` is no source, but never so large."""
    return (vec["a"] == Operand.DRAW) | (vec["b"] == Operand.DRAW)


def width_of(form: int) -> int:
    """Bytes of an element."""
    return 2 if form == Format.LANE else 1


def has_second(vec: Any) -> Any:
    """Whether a vector operation has a source b: that of a table is its number."""
    return (vec["kind"] != Kind.TABLE) & (vec["b"] != Operand.NONE)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source of a vector operation; what is not asked may be left out."""

    exists: Any
    operand: Any
    """Whether it is one, which ``b`` of a table is not; what it is."""
    lane: Any = 0
    offset: Any = 0
    elements: Any = 0
    advance: Any = 0
    free: Any = 0
    """Of the descriptor: whether its elements are lanes, the first one, how many; of the instruction: its flags."""
    repeat: Any = 1
    tail: Any = 0
    terms: Any = 1
    """Those of its walk, if it is one."""
    within: Any = 0
    """Bytes of the run of its walk, or of a block of its stream."""
    number: Any = 0
    """Its stream, 0 if it has none."""
    draws: bool = False
    """Whether it may be a draw."""

    @cached_property
    def walk(self) -> Any:
        """Whether it is a walk."""
        return self._is(is_walk(self.operand))

    @cached_property
    def stream(self) -> Any:
        """Whether it is a stream."""
        return self._is(is_stream(self.operand))

    @cached_property
    def sums(self) -> Any:
        """Whether it is the accumulators."""
        return self._is(self.operand == Operand.ACCUMULATORS)

    @cached_property
    def inner(self) -> Any:
        """Whether it is of the core, the accumulators or the reduction."""
        return self._is((self.operand >= Operand.DRAIN) & (self.operand < Operand.RESULT + RESULTS))

    @cached_property
    def begins(self) -> Any:
        """Whether it gives elements from its first one on: of the core, the reduction, or a draw."""
        if not self.draws:
            return self.inner & no(self.sums)
        return self._is((self.operand >= Operand.DRAIN) & (self.operand != Operand.NONE)) & no(self.sums)

    def _is(self, bit: Any) -> Any:
        return bit if self.exists is True else self.exists & bit


@dataclass(frozen=True)
class Use:
    """An instruction with the descriptors that it names, as values of their fields."""

    op: Op
    fields: Values
    cfg: TileConfig
    """The instruction and the tile."""
    mvm: Any = field(default_factory=dict)
    vec: Any = field(default_factory=dict)
    """Descriptors of that kind, empty where it names none."""
    streams: Mapping[str, Any] = field(default_factory=dict)
    walks: Mapping[str, Any] = field(default_factory=dict)
    """Those that it names, by what they are to it: ``stream``, ``source``, ``a``, ``b``, ``target``. The stream of a
    walk has the walk's name."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """Numbers of these streams, and of walks as ``walk a``."""
    codes: Any = 0
    """Codes that the walk of a product gives."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Sources of a vector operation, ``a`` and ``b``."""


@dataclass(frozen=True)
class Rule:
    """What must hold for an instruction of ``ops``."""

    ops: tuple[Op, ...]
    cause: Cause
    text: str
    """Where it is asked, what it is a cause of, and the rule in words."""
    breaks: Callable[[Use], Any]
    """Whether it is broken, by values or by signals."""
    about: str = ""
    """Which of the streams it is about, for the status."""
    by_itself: bool = False
    """Whether it is about the instruction's own bits."""


_COUNTS = (Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH)
_VEC, _MVM, _SEND, _CORE = (Op.VEC,), (Op.MVM,), (Op.SEND,), (Op.CORE,)


def walk_beyond_block(walk: Any, ring: Any) -> Any:
    """Whether a walk takes bytes behind a block of its stream."""
    return walk["channel"] + walk["run"] > ring["block"]


def walk_beyond_buffer(walk: Any, cfg: TileConfig) -> Any:
    """Whether what stands for pixels outside of the image ends behind the buffer."""
    return walk["pad"] + walk["run"] + walk["tail"] > cfg.buffer_bytes


RING_RULES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("`first` is at most `blocks`; two blocks less if it is remote", lambda ring: (
        ring["first"] + (ring["remote"] << 1) > ring["blocks"])),
    (f"a remote stream's `slot` is below {SLOTS}", lambda ring: ring["remote"] & (ring["slot"] >= SLOTS)),
)
"""Rules of a ring with cause ``FIELD``, each with whether it breaks it."""


def _of_streams() -> Iterator[Rule]:
    """Rules of every stream that an instruction names."""
    for name, ops in {
        "stream": (*_COUNTS, Op.SEND), "source": (Op.MVM, Op.CORE), "a": _VEC, "b": _VEC, "target": _VEC
    }.items():

        def rule(cause: Cause, text: str, breaks: Callable[[Values, TileConfig], bool], name: str = name,
                 ops: tuple[Op, ...] = ops) -> Rule:
            return Rule(ops, cause, text, lambda u: name in u.streams and breaks(u.streams[name], u.cfg), name)

        for text, broken_by in RING_RULES:
            yield rule(Cause.FIELD, text, lambda ring, _, broken_by=broken_by: bool(broken_by(ring)))
        yield rule(Cause.ADDRESS, "a ring ends within the buffer", lambda ring, cfg: (
            ring["base"] + ring["block"] * ring["blocks"] > cfg.buffer_bytes))


def _of_walks() -> Iterator[Rule]:
    """Rules of every walk that an instruction names."""
    for name, ops in {"source": _MVM, "a": _VEC, "b": _VEC}.items():
        yield Rule(ops, Cause.ADDRESS, "`channel` + `run` of a walk are within a block of its stream", (
            lambda u, name=name: name in u.walks and walk_beyond_block(u.walks[name], u.streams[name])), name)
        yield Rule(ops, Cause.ADDRESS, "`pad` and what stands there end within the buffer", (
            lambda u, name=name: name in u.walks and walk_beyond_buffer(u.walks[name], u.cfg)), name)


_BY_ITSELF = (
    Rule((Op.LOOP,), Cause.FIELD, "`reg` is 0 where `n` is not", lambda u: (
        (u.fields["n"] != 0) & (u.fields["reg"] != 0)), by_itself=True),
    Rule((Op.SET,), Cause.ADDRESS, "words behind the streams, within descriptor memory", lambda u: (
        (u.fields["first"] < DESCRIPTORS["walk"].first) | (u.fields["first"] + u.fields["words"] > DESCRIPTOR_WORDS)),
        by_itself=True),
    Rule(_MVM, Cause.FIELD, "`free` only with `advance`", lambda u: u.fields["free"] & no(u.fields["advance"]),
         by_itself=True),
    Rule(_CORE, Cause.RESERVED, "`command` is `masks`", lambda u: u.fields["command"] != Command.MASKS, by_itself=True),
)

COUNT_RULES = (
    Rule(_COUNTS, Cause.RING, "`n` is at most the blocks of the ring", lambda u: (
        u.fields["n"] > u.streams["stream"]["blocks"]), "stream"),
    Rule((Op.ROOM, Op.PUSH), Cause.OWNER, "the stream is not remote", lambda u: (
        u.streams["stream"]["remote"]), "stream"),
)
"""Rules of instructions that count blocks."""

MVM_RULES = (
    Rule(_MVM, Cause.FIELD, "first words are not behind last ones", lambda u: (
        (u.mvm["i_first"] > u.mvm["i_last"]) | (u.mvm["o_first"] > u.mvm["o_last"]))),
    Rule(_MVM, Cause.ADDRESS, "words are among those of the core", lambda u: (
        (u.mvm["i_last"] >= u.cfg.input_words) | (u.mvm["o_last"] >= u.cfg.output_words))),
    Rule(_MVM, Cause.ADDRESS, "the codes of the walk fit in the words that the core takes", lambda u: (
        u.codes > (u.mvm["i_last"] - u.mvm["i_first"] + 1) << 2)),
)
"""Rules of a product."""

SEND_RULES = (
    Rule(_SEND, Cause.RING, "without `free`, `n` is at most the blocks of the ring", lambda u: (
        no(u.fields["free"]) & (u.fields["n"] > u.streams["stream"]["blocks"])), "stream"),
    # Without reductions no context is there to be compared with.
    Rule(_SEND, Cause.FIELD, "with `reduce`, the tile has the context, and blocks are whole lanes", lambda u: (
        u.fields["reduce"] & ((u.fields["flow"] >= u.cfg.contexts if u.cfg.contexts else 1)
                              | (u.streams["stream"]["block"] & 1 != 0))), "stream"),
)
"""Rules of a SEND with its stream."""

SOURCE_RULES: tuple[tuple[Cause, str, Callable[[Source], Any]], ...] = (
    (Cause.FIELD, "drain, accumulators and results are lanes", lambda s: s.inner & no(s.lane)),
    (Cause.FIELD, "drain, results and draws have no offset", lambda s: s.begins & (s.offset != 0)),
    (Cause.FIELD, "a walk that is a source has `repeat` 1 and no `tail`", lambda s: (
        s.walk & ((s.repeat != 1) | (s.tail != 0)))),
    (Cause.ADDRESS, "what is read is within its block, its run or the accumulators", lambda s: (
        (s.sums & (s.offset + s.elements > ACCUMULATORS))
        | ((s.walk | s.stream) & (s.offset + s.elements << s.lane > s.within)))),
    (Cause.FIELD, "walks advance; streams, and walks that advance, free", lambda s: (
        (s.advance & no(s.walk)) | (s.free & no((s.walk & s.advance) | s.stream)))),
)
"""Rules of a source of a vector operation: the cause, the rule, whether it breaks it."""

TARGET_RULES = (
    Rule(_VEC, Cause.ADDRESS, "what is written is within a block", lambda u: (
        "target" in u.streams
        and (u.vec["target_offset"] + u.vec["elements"] << u.vec["wide"] > u.streams["target"]["block"])), "target"),
    Rule(_VEC, Cause.OWNER, "the target is not remote", lambda u: (
        "target" in u.streams and u.streams["target"]["remote"]), "target"),
)
"""Rules of a vector operation whose target is a stream."""


def _reads_parameters(u: Use) -> Any:
    return (u.vec["kind"] == Kind.AFFINE) | (u.vec["kind"] == Kind.TABLE)


def _wrong_a(u: Use) -> Any:
    a = u.vec["a"]
    none = a == Operand.NONE
    alone = none & no(u.vec["add"])
    # Of a tile that draws all others are sources.
    return alone if u.cfg.draws else alone | (no(none) & (a > Operand.ACCUMULATORS) & no(is_result(a)))


def _wrong_b(u: Use) -> Any:
    b, table = u.vec["b"], u.vec["kind"] == Kind.TABLE
    none, source = b == Operand.NONE, is_stream(b) | is_walk(b) | (b == Operand.ACCUMULATORS)
    if u.cfg.draws:
        source |= b == Operand.DRAW
    return (table & (b >= TABLES)) | (
        no(table) & ((none & (u.vec["kind"] == Kind.PRODUCT)) | no(none | source)))


def _wrong_draw(u: Use) -> Any:
    """Of tiles that do not draw the operand is refused as one that there is not."""
    return u.cfg.draws and (u.vec["a"] == Operand.DRAW) & (u.vec["b"] == Operand.DRAW)


def _sums(u: Use) -> Any:
    return u.vec["target"] == Operand.ACCUMULATORS


VEC_RULES = (
    Rule(_VEC, Cause.RESERVED, "`kind` is `affine`, `max`, `product` or `table`", lambda u: u.vec["kind"] >= len(Kind)),
    Rule(_VEC, Cause.FIELD, "`a` is a stream, a walk, the drain, the accumulators, a result, a draw; `none` with `add`",
         _wrong_a),
    Rule(_VEC, Cause.FIELD, "`b` is a stream, a walk, the accumulators, a draw or `none`; for `table` 0 or 1",
         _wrong_b),
    Rule(_VEC, Cause.FIELD, "one source draws at most", _wrong_draw),
    Rule(_VEC, Cause.FIELD, "`target` is a stream or, of `affine`, the accumulators", lambda u: (
        no(is_stream(u.vec["target"])) & no(_sums(u) & (u.vec["kind"] == Kind.AFFINE)))),
    Rule(_VEC, Cause.FIELD, "`add` is for `affine` and `table`", lambda u: u.vec["add"] & no(_reads_parameters(u))),
    Rule(_VEC, Cause.FIELD, "a result has a context of the tile", lambda u: (
        is_result(u.vec["a"]) & (u.vec["a"] >= Operand.RESULT + u.cfg.contexts))),
    Rule(_VEC, Cause.FIELD, "`lo` is not above `hi`; of `table` both are entries", lambda u: (
        no(_sums(u)) & ((u.vec["lo"] > u.vec["hi"]) | (
            (u.vec["kind"] == Kind.TABLE) & ((u.vec["lo"] < 0) | (u.vec["hi"] >= TABLE_ENTRIES)))))),
    # Hardware adds to some while it still reads others.
    Rule(_VEC, Cause.FIELD, "accumulators that are the target are no source, and there is no `add`", lambda u: (
        _sums(u) & (u.vec["add"] | (u.vec["a"] == Operand.ACCUMULATORS) | (
            has_second(u.vec) & (u.vec["b"] == Operand.ACCUMULATORS))))),
    Rule(_VEC, Cause.FIELD, "`push` only into a stream", lambda u: u.fields["push"] & _sums(u)),
    Rule(_VEC, Cause.ADDRESS, "with `add`, elements are at most accumulators", lambda u: (
        u.vec["add"] & (u.vec["elements"] > ACCUMULATORS))),
    Rule(_VEC, Cause.ADDRESS, "parameters are within their memory", lambda u: _reads_parameters(u) & (
        u.vec["parameters"] + (u.vec["period"] << has_second(u.vec)) > u.cfg.parameters)),
)
"""Rules of a vector operation by its descriptor and its flags."""


def _one_window(u: Use) -> Any:
    """Whether two frees are of one block, or a walk goes on twice."""
    a, b = u.sources["a"], u.sources["b"]
    return (a.walk | a.stream) & (b.walk | b.stream) & (
        (a.walk & (a.operand == b.operand))
        | ((a.number == b.number) & u.fields["free_a"] & u.fields["free_b"]))


PAIR_RULES = (
    Rule(_VEC, Cause.FIELD, "both sources have equally many terms", lambda u: (
        has_second(u.vec) & (u.vec["a"] != Operand.NONE) & (u.sources["a"].terms != u.sources["b"].terms))),
    Rule(_VEC, Cause.FIELD, "no walk is both sources, and one frees where both have one stream", lambda u: (
        has_second(u.vec) & _one_window(u))),
)
"""Rules between the sources of a vector operation."""

_SOURCES = tuple(
    Rule(_VEC, cause, text, lambda u, name=name, breaks=breaks: breaks(u.sources[name]), name)
    for name in ("a", "b") for cause, text, breaks in SOURCE_RULES
)

STREAM_RULES = tuple(_of_streams())
"""Rules of a stream, which are asked with its own bits."""

RULES: tuple[Rule, ...] = (
    *_BY_ITSELF, *COUNT_RULES, *MVM_RULES, *SEND_RULES, *STREAM_RULES, *_of_walks(), *_SOURCES, *TARGET_RULES,
    *VEC_RULES, *PAIR_RULES,
)
"""All rules between fields, findings with one cause in the order in which they are told."""
