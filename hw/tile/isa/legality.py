"""Which instructions are legal with the descriptors that they name.

Fields have ranges of their own (:mod:`mho.hw.tile.isa`, cause ``FIELD``), and bits that belong to no field are 0
(``RESERVED``). What holds between fields is in :mod:`mho.hw.tile.isa.rules`. All rules are asked when an instruction is
issued. One that is wrong by its own bits is judged by these alone. Of several causes the one with the least number is
reported, and of several findings with that cause the first one in the order of :func:`broken`. What depends on tokens
is not here: that a window does not reach back to what was freed, or beyond its ring, is asked when its walk is carried
out (:mod:`mho.hw.tile.isa.window`).
"""

from collections.abc import Iterator, Mapping, Sequence

from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import DESCRIPTORS, INSTRUCTIONS, Cause, Format, Kind, Op, Operand
from mho.hw.tile.isa.descriptors import Field
from mho.hw.tile.isa.program import LIMITS, Program
from mho.hw.tile.isa.rules import RULES, STREAM_RULES, Rule, Source, Use, is_stream, is_walk
from mho.hw.tile.isa.window import sliding_window

Values = Mapping[str, int]
Finding = tuple[Cause, int, str]


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
    yield from _rules([rule for rule in RULES if rule.by_itself], Use(op, fields, cfg))


def _by_descriptors(op: Op, fields: Values, memory: Sequence[int], cfg: TileConfig) -> Iterator[Finding]:
    names = named(op, fields, memory)
    values = {name: DESCRIPTORS[kind].values(memory, number) for name, (kind, number) in names.items()}
    numbers = {name: number for name, (_, number) in names.items()}
    streams = {name: v for name, v in values.items() if names[name][0] == "stream"}
    walks = {name.removeprefix("walk "): v for name, v in values.items() if names[name][0] == "walk"}
    vec = values.get("vec", {})
    use = Use(
        op, fields, cfg, values.get("mvm", {}), vec, streams, walks, numbers,
        sliding_window(walks["source"]).codes if op is Op.MVM else 0,
        {name: _source(name, fields, vec, streams, walks, numbers, cfg.draws) for name in "ab" if vec},
    )
    for name, (kind, number) in names.items():
        layout, words = DESCRIPTORS[kind].layout, memory[DESCRIPTORS[kind].at(number)]
        about = number if kind == "stream" else 0
        if layout.spare(words):
            yield Cause.RESERVED, about, f"bits of {kind} {number} that belong to no field are 0"
        wrong = layout.illegal(values[name])
        if wrong is not None:
            yield Cause.FIELD, about, f"{_range(wrong)} in {kind} {number}"
        yield from _rules([rule for rule in STREAM_RULES if rule.about == name], use)
    yield from _rules([rule for rule in RULES if not rule.by_itself and rule not in STREAM_RULES], use)


def _source(
    name: str, fields: Values, vec: Values, streams: Mapping[str, Values], walks: Mapping[str, Values],
    numbers: Values, draws: bool,
) -> Source:
    """What rules ask of a source of a vector operation."""
    walk = walks.get(name)
    return Source(
        exists=name == "a" or vec["kind"] != Kind.TABLE, operand=vec[name], lane=vec[f"{name}_format"] == Format.LANE,
        offset=vec[f"{name}_offset"], elements=vec["elements"], advance=fields[f"advance_{name}"],
        free=fields[f"free_{name}"], repeat=walk["repeat"] if walk else 1, tail=walk["tail"] if walk else 0,
        terms=walk["kernel_x"] * walk["kernel_y"] if walk else 1,
        within=walk["run"] if walk else streams[name]["block"] if name in streams else 0,
        number=numbers.get(name, 0), draws=draws,
    )


def _rules(rules: Sequence[Rule], use: Use) -> Iterator[Finding]:
    for rule in rules:
        if use.op in rule.ops and rule.breaks(use):
            yield rule.cause, use.numbers.get(rule.about, 0), rule.text.replace("`", "")


def _range(field: Field) -> str:
    return f"{field.name} is {field.range[0]} to {field.range[1]}"


def would_trap(program: Program, name: str, lines: Sequence[int] = (), cfg: TileConfig = LIMITS) -> Iterator[str]:
    """What is wrong with instructions, with the descriptors as they are at the start.

    Parameters
    ----------
    name
        File of the program, for the sentences.
    lines
        Line of the text that each word comes from; without them instructions are named by their addresses.
    cfg
        The tile; the largest memories by default.
    """
    for at, op, fields, cause in program.instructions():
        called = "" if op is None else f" ({op.name.lower()})"
        where = f"{name}:{lines[at]}: instruction {at}{called}" if lines else f"{name}: instruction {at}{called}"
        if op is None or cause:
            yield f"{where} would trap ({cause.name.lower()})"
        if op is not None:
            for why, _, rule in broken(op, fields, program.descriptors, cfg):
                yield f"{where} would trap ({why.name.lower()}): it must be that {rule}"
