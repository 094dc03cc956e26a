"""Which instructions are legal with the descriptors that they name: rules as data, each with its cause of a trap.

Fields have ranges of their own (:mod:`mho.hw.tile.isa`, cause ``FIELD``), and bits that belong to no field are 0
(``RESERVED``). What holds between fields is here. All rules are asked when an instruction is issued. One that is wrong
by its own bits is judged by these alone. Of several causes the one with the least number is reported, and of several
findings with that cause the first one in the order of :func:`broken`. What depends on tokens is not here: that a window
does not reach back to what was freed, or beyond its ring, is asked when its walk is carried out
(:mod:`mho.hw.tile.isa.window`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import (
    ACCUMULATORS,
    DESCRIPTOR_WORDS,
    DESCRIPTORS,
    INSTRUCTIONS,
    TABLE_ENTRIES,
    TABLES,
    Cause,
    Command,
    Format,
    Kind,
    Op,
    Operand,
)
from mho.hw.tile.isa.fields import Field

__all__ = ["MVM_RULES", "RING_RULES", "RULES", "Rule", "Use", "broken", "named", "refusal", "width_of"]

Values = Mapping[str, int]
Finding = tuple[Cause, int, str]

SLOTS = 14
"""Slots of a node: a remote stream has one of them."""
WALKS = DESCRIPTORS["walk"].count
RESULTS = 4


@dataclass(frozen=True)
class Use:
    """An instruction with the descriptors that it names, as values of their fields.

    Parameters
    ----------
    op, fields, cfg
        The instruction and the tile.
    mvm, vec
        Descriptors of that kind, empty where it names none.
    streams, walks
        Those that it names, by what they are to it: ``stream``, ``source``, ``a``, ``b``, ``target``. The stream of a
        walk has the walk's name.
    numbers
        Numbers of these streams, and of walks as ``walk a``.
    """

    op: Op
    fields: Values
    cfg: TileConfig
    mvm: Values = field(default_factory=dict)
    vec: Values = field(default_factory=dict)
    streams: Mapping[str, Values] = field(default_factory=dict)
    walks: Mapping[str, Values] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """What must hold for an instruction of ``ops``.

    Parameters
    ----------
    ops, cause, text
        Where it is asked, what it is a cause of, and the rule in words.
    breaks
        Whether it is broken. Of rules ``by_itself``, of those in :data:`MVM_RULES` and of rings the values may be those
        of hardware: decoder, engines and scoreboard are made from them.
    about
        Which of the streams it is about, for the status.
    by_itself
        Whether it is about the instruction's own bits.
    """

    ops: tuple[Op, ...]
    cause: Cause
    text: str
    breaks: Callable[[Use], Any]
    about: str = ""
    by_itself: bool = False


def _must(holds: Callable[[Use], bool]) -> Callable[[Use], bool]:
    """Broken where something does not hold."""
    return lambda use: not holds(use)


def is_stream(operand: int) -> bool:
    """Whether a source or target is a stream."""
    return operand < Operand.WALK


def is_walk(operand: int) -> bool:
    """Whether a source is a walk."""
    return Operand.WALK <= operand < Operand.WALK + WALKS


def is_result(operand: int) -> bool:
    """Whether a source is a result of a reduction."""
    return Operand.RESULT <= operand < Operand.RESULT + RESULTS


def width_of(form: int) -> int:
    """Bytes of an element."""
    return 2 if form == Format.LANE else 1


def named(op: Op, fields: Values, memory: Sequence[int]) -> dict[str, tuple[str, int]]:
    """Descriptors that an instruction names: kind and number by what they are to it, in the order of their use."""
    if op in (Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH, Op.SEND):
        return {"stream": ("stream", fields["stream"])}
    if op is Op.MVM:
        return {"mvm": ("mvm", fields["mvm"])} | _walk("source", fields["walk"], memory)
    if op is Op.CORE:
        return {"source": ("stream", fields["source"])}
    if op is not Op.VEC:
        return {}
    names = {"vec": ("vec", fields["vec"])}
    vec = DESCRIPTORS["vec"].values(memory, fields["vec"])
    for name in ("a", "b", "target"):
        if name == "b" and vec["kind"] == Kind.TABLE:
            continue
        if is_stream(vec[name]):
            names[name] = ("stream", vec[name])
        elif is_walk(vec[name]) and name != "target":
            names |= _walk(name, vec[name] - Operand.WALK, memory)
    return names


def _walk(name: str, number: int, memory: Sequence[int]) -> dict[str, tuple[str, int]]:
    return {f"walk {name}": ("walk", number), name: ("stream", DESCRIPTORS["walk"].values(memory, number)["stream"])}


def refusal(op: Op, fields: Values, memory: Sequence[int], cfg: TileConfig) -> tuple[Cause, int]:
    """The cause for which an instruction is refused, NONE if it is legal, and the number of the stream concerned.

    ``memory`` holds the words of descriptor memory. Bits of the instruction itself that belong to no field are not
    looked at.
    """
    for findings in (_by_itself(op, fields, cfg), _by_descriptors(op, fields, memory, cfg)):
        finding = min(findings, key=lambda each_finding: each_finding[0], default=None)
        if finding is not None:
            return finding[:2]
    return Cause.NONE, 0


def broken(op: Op, fields: Values, memory: Sequence[int], cfg: TileConfig) -> Iterator[tuple[Cause, int, str]]:
    """All that is wrong with an instruction: the cause, the number of the stream concerned, and what would be right.

    Each descriptor comes with what is wrong with it alone, in the order in which the instruction names them.
    """
    yield from _by_itself(op, fields, cfg)
    yield from _by_descriptors(op, fields, memory, cfg)


def _by_itself(op: Op, fields: Values, cfg: TileConfig) -> Iterator[Finding]:
    wrong = INSTRUCTIONS[op].layout.illegal(fields)
    if wrong is not None:
        yield Cause.FIELD, 0, _range(wrong)
    yield from _rules(RULES, Use(op, fields, cfg), by_itself=True)


def _by_descriptors(op: Op, fields: Values, memory: Sequence[int], cfg: TileConfig) -> Iterator[Finding]:
    names = named(op, fields, memory)
    values = {name: DESCRIPTORS[kind].values(memory, number) for name, (kind, number) in names.items()}
    use = Use(
        op, fields, cfg, values.get("mvm", {}), values.get("vec", {}),
        {n: v for n, v in values.items() if names[n][0] == "stream"},
        {n[5:]: v for n, v in values.items() if names[n][0] == "walk"},
        {n: number for n, (_, number) in names.items()},
    )
    for name, (kind, number) in names.items():
        layout, words = DESCRIPTORS[kind].layout, memory[DESCRIPTORS[kind].at(number)]
        about = number if kind == "stream" else 0
        if layout.spare(words):
            yield Cause.RESERVED, about, f"bits of {kind} {number} that belong to no field are 0"
        wrong = layout.illegal(values[name])
        if wrong is not None:
            yield Cause.FIELD, about, f"{_range(wrong)} in {kind} {number}"
        if kind == "stream":
            yield from _rules([rule for rule in _STREAM_RULES if rule.about == name], use)
    yield from _rules(_REST, use)


def _rules(rules: Sequence[Rule], use: Use, by_itself: bool = False) -> Iterator[Finding]:
    for rule in rules:
        if use.op in rule.ops and rule.by_itself is by_itself and rule.breaks(use):
            yield rule.cause, use.numbers.get(rule.about, 0), rule.text.replace("`", "")


def _range(field: Field) -> str:
    return f"{field.name} is {field.range[0]} to {field.range[1]}"


_COUNTS = (Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH)
_VEC, _MVM, _SEND, _CORE = (Op.VEC,), (Op.MVM,), (Op.SEND,), (Op.CORE,)


RING_RULES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("`first` is at most `blocks`; two blocks less if it is remote", lambda ring: (
        ring["first"] + (ring["remote"] << 1) > ring["blocks"])),
    (f"a remote stream's `slot` is below {SLOTS}", lambda ring: ring["remote"] & (ring["slot"] >= SLOTS)),
)
"""Rules of a ring with cause ``FIELD``, each with whether values of it, or signals, break it."""


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

        def rule(text: str, breaks: Callable[[Use, Values], bool], name: str = name,
                 ops: tuple[Op, ...] = ops) -> Rule:
            return Rule(ops, Cause.ADDRESS, text, lambda u: name in u.walks and breaks(u, u.walks[name]), name)

        def beyond(u: Use, walk: Values, name: str = name) -> bool:
            return walk["channel"] + walk["run"] > u.streams[name]["block"]

        yield rule("`channel` + `run` of a walk are within a block of its stream", beyond)
        yield rule("`pad` and what stands there end within the buffer", lambda u, walk: (
            walk["pad"] + walk["run"] + walk["tail"] > u.cfg.buffer_bytes))


def _codes(walk: Values) -> int:
    return walk["kernel_x"] * walk["kernel_y"] * walk["run"] * walk["repeat"] + walk["tail"]


MVM_RULES = (
    Rule(_MVM, Cause.FIELD, "first words are not behind last ones", lambda u: (
        (u.mvm["i_first"] > u.mvm["i_last"]) | (u.mvm["o_first"] > u.mvm["o_last"]))),
    Rule(_MVM, Cause.ADDRESS, "words are among those of the core", lambda u: (
        (u.mvm["i_last"] >= u.cfg.input_words) | (u.mvm["o_last"] >= u.cfg.output_words))),
)
"""Rules of a product by its descriptor alone."""

_OTHERS = (
    Rule((Op.LOOP,), Cause.FIELD, "`reg` is 0 where `n` is not", lambda u: (
        (u.fields["n"] != 0) & (u.fields["reg"] != 0)), by_itself=True),
    Rule((Op.SET,), Cause.ADDRESS, "words behind the streams, within descriptor memory", lambda u: (
        (u.fields["first"] < DESCRIPTORS["walk"].first) | (u.fields["first"] + u.fields["words"] > DESCRIPTOR_WORDS)),
        by_itself=True),
    Rule(_COUNTS, Cause.RING, "`n` is at most the blocks of the ring", _must(lambda u: (
        u.fields["n"] <= u.streams["stream"]["blocks"])), "stream"),
    Rule((Op.ROOM, Op.PUSH), Cause.OWNER, "the stream is not remote", _must(lambda u: (
        not u.streams["stream"]["remote"])), "stream"),
    Rule(_MVM, Cause.FIELD, "`free` only with `advance`", lambda u: (
        u.fields["free"] & ~u.fields["advance"]), by_itself=True),
    *MVM_RULES,
    Rule(_MVM, Cause.ADDRESS, "the codes of the walk fit in the words that the core takes", _must(lambda u: (
        _codes(u.walks["source"]) <= 4 * (u.mvm["i_last"] - u.mvm["i_first"] + 1)))),
    Rule(_SEND, Cause.RING, "without `free`, `n` is at most the blocks of the ring", _must(lambda u: (
        bool(u.fields["free"]) or u.fields["n"] <= u.streams["stream"]["blocks"])), "stream"),
    Rule(_SEND, Cause.FIELD, "with `reduce`, the tile has the context, and blocks are whole lanes", _must(lambda u: (
        not u.fields["reduce"]
        or (u.fields["flow"] < u.cfg.contexts and u.streams["stream"]["block"] % 2 == 0))), "stream"),
    Rule(_CORE, Cause.RESERVED, "`command` is `masks`", lambda u: u.fields["command"] != Command.MASKS, by_itself=True),
)


def _source_rules(name: str) -> Iterator[Rule]:
    """Rules of a source of a vector operation."""
    form, offset, advance, free = f"{name}_format", f"{name}_offset", f"advance_{name}", f"free_{name}"

    def inner(u: Use) -> bool:
        """Of the core, the accumulators or the reduction."""
        operand = u.vec[name]
        return operand in (Operand.DRAIN, Operand.ACCUMULATORS) or is_result(operand)

    def fits(u: Use) -> bool:
        operand, end = u.vec[name], u.vec[offset] + u.vec["elements"]
        if operand == Operand.ACCUMULATORS:
            return end <= ACCUMULATORS
        if name in u.walks:
            return end * width_of(u.vec[form]) <= u.walks[name]["run"]
        return name not in u.streams or end * width_of(u.vec[form]) <= u.streams[name]["block"]

    def flags(u: Use) -> bool:
        walk = name in u.walks
        return (walk or not u.fields[advance]) and (not u.fields[free] or (
            bool(u.fields[advance]) if walk else name in u.streams))

    table = name == "b"

    def asked(test: Callable[[Use], bool]) -> Callable[[Use], bool]:
        """The b of a table is a number, and no source."""
        return lambda u: (table and u.vec["kind"] == Kind.TABLE) or test(u)

    yield Rule(_VEC, Cause.FIELD, "drain, accumulators and results are lanes", _must(asked(lambda u: (
        not inner(u) or u.vec[form] == Format.LANE))))
    yield Rule(_VEC, Cause.FIELD, "drain and results have no offset", _must(asked(lambda u: (
        u.vec[name] == Operand.ACCUMULATORS or not inner(u) or u.vec[offset] == 0))))
    yield Rule(_VEC, Cause.FIELD, "a walk that is a source has `repeat` 1 and no `tail`", _must(asked(lambda u: (
        name not in u.walks or (u.walks[name]["repeat"] == 1 and u.walks[name]["tail"] == 0)))), name)
    yield Rule(_VEC, Cause.ADDRESS, "what is read is within its block, its run or the accumulators",
               _must(asked(fits)), name)
    yield Rule(_VEC, Cause.FIELD, "walks advance; streams, and walks that advance, free", _must(flags), name)


def _terms(u: Use, name: str) -> int:
    walk = u.walks.get(name)
    return walk["kernel_x"] * walk["kernel_y"] if walk else 1


def _second(u: Use) -> bool:
    """Whether a vector operation has a source b."""
    return u.vec["kind"] != Kind.TABLE and u.vec["b"] != Operand.NONE


def _legal_a(u: Use) -> bool:
    a = u.vec["a"]
    if a == Operand.NONE:
        return bool(u.vec["add"])
    return a <= Operand.ACCUMULATORS or is_result(a)


def _legal_b(u: Use) -> bool:
    b, kind = u.vec["b"], u.vec["kind"]
    if kind == Kind.TABLE:
        return b < TABLES
    if b == Operand.NONE:
        return kind != Kind.PRODUCT
    return is_stream(b) or is_walk(b) or b == Operand.ACCUMULATORS


def _parameters(u: Use) -> bool:
    reads = u.vec["kind"] in (Kind.AFFINE, Kind.TABLE)
    return not reads or u.vec["parameters"] + u.vec["period"] * (1 + _second(u)) <= u.cfg.parameters


def _sums(u: Use) -> bool:
    return u.vec["target"] == Operand.ACCUMULATORS


_VECTOR = (
    Rule(_VEC, Cause.RESERVED, "`kind` is `affine`, `max`, `product` or `table`", _must(lambda u: (
        u.vec["kind"] < len(Kind)))),
    Rule(_VEC, Cause.FIELD, "`a` is a stream, a walk, the drain, the accumulators, a result; `none` with `add`", (
        _must(_legal_a))),
    Rule(_VEC, Cause.FIELD, "`b` is a stream, a walk, the accumulators or `none`; for `table` 0 or 1", _must(_legal_b)),
    Rule(_VEC, Cause.FIELD, "`target` is a stream or, of `affine`, the accumulators", _must(lambda u: (
        is_stream(u.vec["target"]) or (_sums(u) and u.vec["kind"] == Kind.AFFINE)))),
    Rule(_VEC, Cause.FIELD, "`add` is for `affine` and `table`", _must(lambda u: (
        not u.vec["add"] or u.vec["kind"] in (Kind.AFFINE, Kind.TABLE)))),
    Rule(_VEC, Cause.FIELD, "a result has a context of the tile", _must(lambda u: (
        not is_result(u.vec["a"]) or u.vec["a"] - Operand.RESULT < u.cfg.contexts))),
    Rule(_VEC, Cause.FIELD, "`lo` is not above `hi`; of `table` both are entries", _must(lambda u: (
        _sums(u) or (u.vec["lo"] <= u.vec["hi"] and (
            u.vec["kind"] != Kind.TABLE or (u.vec["lo"] >= 0 and u.vec["hi"] < TABLE_ENTRIES)))))),
    Rule(_VEC, Cause.FIELD, "both sources have equally many terms", _must(lambda u: (
        not _second(u) or u.vec["a"] == Operand.NONE or _terms(u, "a") == _terms(u, "b")))),
    Rule(_VEC, Cause.FIELD, "no walk is both sources, and one frees where both have one stream", _must(lambda u: (
        not _second(u) or "a" not in u.streams or "b" not in u.streams
        or ((u.vec["a"] != u.vec["b"] or not is_walk(u.vec["a"]))
            and not (u.numbers["a"] == u.numbers["b"] and u.fields["free_a"] and u.fields["free_b"]))))),
    # Hardware adds to some while it still reads others.
    Rule(_VEC, Cause.FIELD, "accumulators that are the target are no source, and there is no `add`", _must(lambda u: (
        not _sums(u) or not (u.vec["add"] or u.vec["a"] == Operand.ACCUMULATORS or (
            _second(u) and u.vec["b"] == Operand.ACCUMULATORS))))),
    Rule(_VEC, Cause.FIELD, "`push` only into a stream", _must(lambda u: not (u.fields["push"] and _sums(u)))),
    Rule(_VEC, Cause.ADDRESS, "what is written is within a block", _must(lambda u: (
        "target" not in u.streams or (u.vec["target_offset"] + u.vec["elements"]) * (1 + u.vec["wide"])
        <= u.streams["target"]["block"])), "target"),
    Rule(_VEC, Cause.ADDRESS, "with `add`, elements are at most accumulators", _must(lambda u: (
        not u.vec["add"] or u.vec["elements"] <= ACCUMULATORS))),
    Rule(_VEC, Cause.ADDRESS, "parameters are within their memory", _must(_parameters)),
    Rule(_VEC, Cause.OWNER, "the target is not remote", _must(lambda u: (
        "target" not in u.streams or not u.streams["target"]["remote"])), "target"),
)

_STREAM_RULES = tuple(_of_streams())
_REST = (*_OTHERS, *_of_walks(), *_source_rules("a"), *_source_rules("b"), *_VECTOR)
RULES: tuple[Rule, ...] = (*_OTHERS, *_STREAM_RULES, *_REST[len(_OTHERS):])
"""All rules between fields."""
