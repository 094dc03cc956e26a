"""A tile's program as text, for people: what the assembler would make the same program of."""

from collections.abc import Iterable
from enum import IntEnum

from mho.compiler.tile.code.ir import Code, Data, Descriptor, Instruction, Repeat, SetDescriptor, TileSource
from mho.hw.tile.asm.fields import unpack_core
from mho.hw.tile.isa import DESCRIPTORS, Op, Operand

__all__ = ["listing"]

_PARAMETER = ("m", "c", "d", "target")
_SPECIAL = {Operand.DRAIN: "drain", Operand.ACCUMULATORS: "accumulators", Operand.NONE: "none"} | {
    Operand.RESULT + k: f"result{k}" for k in range(4)}


def listing(source: TileSource) -> str:
    """The text, in the language of ``docs/explanation/tile.md``."""
    lines = [f"; Tile {source.tile}: the assembler of docs/explanation/tile.md, written by the compiler.", ""]
    for kind in ("stream", "bytes", "walk", "mvm", "parameters", "table", "vec"):
        declared = [
            *(f"{kind} {one.name}: {_fields(one)}" for one in source.descriptors.get(kind, ())),
            *(f"{kind} {one.name} {{{_content(one)}}}" for one in source.data.get(kind, ()))]
        lines += [*declared, ""] if declared else []
    lines += [f"first_image: {source.image}", ""] if source.image else []
    return "\n".join([*lines, *_code(source.code)]) + "\n"


def _content(data: Data) -> str:
    if data.kind == "bytes":
        return " " + " ".join(map(str, data.content.tolist())) + " "
    rows = data.content.reshape(-1, 16) if data.kind == "table" else data.content
    show = _parameter if data.kind == "parameters" else _entries
    return "\n" + "\n".join(f"    {show(row)}" for row in rows.tolist()) + "\n"


def _entries(row: list[int]) -> str:
    return " ".join(map(str, row))


def _parameter(row: list[int]) -> str:
    values = [f"{name} {value}" for name, value in zip(_PARAMETER, row, strict=False) if value or name == "m"]
    return ", ".join([*values, *(["valid"] if row[4] else []), *(["start"] if row[5] else [])])


def _fields(one: Descriptor | SetDescriptor) -> str:
    fields: dict[str, int | str] = dict(one.fields)
    if one.kind == "mvm":
        core = unpack_core({name: int(fields.pop(name)) for name in ("op", "op_high")})
        fields |= {name: value for name, value in (core or {}).items() if value}
    return ", ".join(_field(one.kind, name, value) for name, value in fields.items())


def _field(kind: str, name: str, value: int | str) -> str:
    layout = DESCRIPTORS[kind].layout
    if name not in layout.low or isinstance(value, str):
        return f"{name} {value}"
    if layout[name].width == 1:
        return name
    names = layout[name].names
    if names is Operand:
        return f"{name} {_SPECIAL.get(value, value)}"
    return f"{name} {_name(names, value)}"


def _name(names: type[IntEnum] | None, value: int) -> str:
    return str(value) if names is None else names(value).name.lower()


def _code(code: Iterable[Code]) -> list[str]:
    lines: list[str] = []
    for one in code:
        if isinstance(one, Repeat):
            times = str(one.times) if one.times else f"register {one.register}" if one.register else "forever"
            lines += [f"loop {times} {{", *(f"    {line}" for line in _code(one.body)), "}"]
        elif isinstance(one, SetDescriptor):
            lines.append(f"set {one.kind} {one.name}: {_fields(one)}")
        else:
            lines.append(_instruction(one))
    return lines


def _instruction(one: Instruction) -> str:
    fields, name = dict(one.fields), one.op.name.lower()
    if one.op in (Op.WAIT, Op.ROOM, Op.FREE, Op.PUSH):
        return f"{name} {one.names[0]} {fields['n']}"
    items = list(one.names)
    if one.op is Op.SEND:
        items.append(f"{'context' if fields.pop('reduce', 0) else 'flow'} {fields.pop('flow')}")
        items += [f"blocks {count}"] if (count := fields.pop("n")) > 1 else []
    return f"{name} {', '.join([*items, *fields])}".rstrip()
