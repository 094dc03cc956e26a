"""Documents of the instruction set, from its definition: ``docs/reference/isa.md`` and the C header ``isa.h``."""

import inspect
from collections.abc import Iterator
from enum import IntEnum

from mho.hw.tile import isa
from mho.hw.tile.isa import DESCRIPTORS, INSTRUCTIONS, OPCODE_LOW, PARAMETER, STATUS, Op
from mho.hw.tile.isa.descriptors import Field, Layout
from mho.hw.tile.isa.rules import RULES

__all__ = ["c_header", "reference_page"]

_HEAD = f"""\
<!-- Written by `python -m tests.hw.tile.documents`; a test compares it with the code. -->
# The instructions of a tile

What a program looks like and how a tile runs it is in [programming a tile](../explanation/tile.md); what an
instruction means beside other tiles, in [the contracts](../design/tile.md). The same tables as C:
[`isa.h`](../../hw/tile/isa.h).

An instruction is a word of 32 bits: the opcode in [31:{OPCODE_LOW}], fields from bit 0 on, in the order of their rows.
Bits that belong to no field are 0. Descriptors are in a memory of their own of {isa.DESCRIPTOR_WORDS} words, parameters
in one of 64-bit words. Numbers are unsigned unless it says signed.

## Instructions

"""

_ENUMS: dict[type[IntEnum], str] = {
    isa.Kind: "Kinds of vector operations", isa.Format: "Formats of sources",
    isa.Operand: "Sources and targets of vector operations", isa.Command: "Commands to the core",
}


def reference_page() -> str:
    """Markdown of ``docs/reference/isa.md``."""
    return _HEAD + "\n".join([*_instructions(), *_descriptors(), *_memories(), *_numbers(), *_rules()]) + "\n"


def _instructions() -> Iterator[str]:
    yield "| opcode | | engine | cycles | does |\n|---|---|---|---|---|"
    for op, entry in INSTRUCTIONS.items():
        yield f"| {int(op)} | `{op.name}` | {entry.engine.name.lower()} | {entry.duration} | {entry.doc} |"
    yield ("| 12 to 15 | | | | free; trap |\n"
           "| 16 to 31 | | | | illegal; trap |\n\n"
           "Cycles are those of an instruction that is alone and waits for nothing: in the sequencer, beside the one "
           "in which each instruction is decoded (IMAGE too); of MVM, VEC, SEND and CORE in their engine. MVM is the "
           "first product of a walk of one pixel, with `advance` and `free`; groups of VEC are of two where "
           "accumulators are concerned. Instructions in a row overlap: `mho run --backend cosim` tells the cycles of a "
           "program.\n")
    tables: dict[str, list[str]] = {}
    for op, entry in INSTRUCTIONS.items():
        if entry.layout.fields:
            tables.setdefault(_table(entry.layout, words=False), []).append(op.name)
    for table, names in tables.items():
        yield f"### {', '.join(names)}\n"
        yield table


def _descriptors() -> Iterator[str]:
    yield "## Descriptors\n\n| | from word | how many | words each | is |\n|---|---|---|---|---|"
    for name, entry in DESCRIPTORS.items():
        yield f"| [{name}](#{name}-descriptor) | {entry.first} | {entry.count} | {entry.layout.words} | {entry.doc} |"
    yield ""
    for name, entry in DESCRIPTORS.items():
        yield f"### {name} descriptor\n"
        yield _table(entry.layout)


def _memories() -> Iterator[str]:
    yield "## Parameters\n"
    yield ("An operation takes, for element i, word `parameters + i mod period`, for its source b the word `period` "
           "behind that. 64 bits, low word first; bits that belong to no field are ignored.\n")
    yield _table(PARAMETER)
    yield "## Status\n\nWhat the host reads of a tile that trapped.\n"
    yield _table(STATUS)


def _numbers() -> Iterator[str]:
    for kind, title in _ENUMS.items():
        yield f"## {title}\n\n| | | |\n|---|---|---|"
        docs = _docs_of(kind)
        yield from (f"| {int(code)} | `{code.name.lower()}` | {docs.get(code.name, '')} |" for code in kind)
        yield ""
    yield "## Traps\n"
    yield "Of several causes the one with the least number is reported.\n"
    yield "| | | |\n|---|---|---|"
    docs = _docs_of(isa.Cause)
    yield from (f"| {int(code)} | `{code.name.lower()}` | {docs.get(code.name, '')} |" for code in isa.Cause if code)
    yield ""


def _rules() -> Iterator[str]:
    yield ("## What is legal\n\nEach field has its range; beyond that the following is asked when an instruction is "
           "issued.\n\n| of | rule | else |\n|---|---|---|")
    ops_of: dict[tuple[str, str], set[Op]] = {}
    for rule in RULES:
        ops_of.setdefault((rule.text, rule.cause.name.lower()), set()).update(rule.ops)
    for (text, cause), ops in ops_of.items():
        yield f"| {', '.join(f'`{op.name}`' for op in sorted(ops))} | {text} | `{cause}` |"


def _docs_of(kind: type[IntEnum]) -> dict[str, str]:
    """Strings behind the members of an enumeration, from its source."""
    lines, docs, name = inspect.getsource(kind).splitlines(), {}, ""
    for line in lines[2:]:
        text = line.strip()
        if text.startswith('"""') and name:
            docs[name] = text.strip('"')
        name = text.split(" = ")[0] if " = " in text else ""
    return docs


def _table(layout: Layout, *, words: bool = True) -> str:
    rows = []
    for field in layout.fields:
        low = layout.low[field.name]
        bits = f"[{low + field.width - 1}:{low}]" if field.width > 1 else f"[{low}]"
        word = f"word {field.word}" if words else ""
        head = f"* {word}{bits} `{field.name}` {_legal(field)}".rstrip()
        rows.append(f"{head}: {field.doc}" if field.doc else head)
    return "\n".join(rows) + "\n"


def _legal(field: Field) -> str:
    low, high = field.range
    if (low, high) == (0, 1):
        return ""
    return f"{low}..{high}" + (" signed" if field.signed else "")


def c_header() -> str:
    """The C header: numbers, and for each field its word, lowest bit and mask."""
    lines = ["/* Written by `python -m tests.hw.tile.documents`; a test compares it with the code. */",
             "#ifndef MHO_TILE_ISA_H",
             "#define MHO_TILE_ISA_H", "", f"#define MHO_OPCODE_LOW {OPCODE_LOW}",
             f"#define MHO_LOOP_DEPTH {isa.LOOP_DEPTH}", f"#define MHO_PRODUCTS {isa.PRODUCTS}", ""]
    for op in Op:
        lines.append(f"#define MHO_OP_{op.name} {int(op)}u")
    for kind in (isa.Engine, isa.Kind, isa.Format, isa.Operand, isa.Command, isa.Cause):
        lines += ["", *(f"#define MHO_{kind.__name__.upper()}_{entry.name} {int(entry)}u" for entry in kind)]
    layouts = {op.name: entry.layout for op, entry in INSTRUCTIONS.items()}
    for name, entry in DESCRIPTORS.items():
        where = f"MHO_{name.upper()}"
        lines += ["", f"#define {where}_FIRST {entry.first}u", f"#define {where}_COUNT {entry.count}u",
                  f"#define {where}_WORDS {entry.layout.words}u"]
    layouts |= {f"{name.upper()}_DESCRIPTOR": entry.layout for name, entry in DESCRIPTORS.items()}
    layouts |= {"PARAMETER": PARAMETER, "STATUS": STATUS}
    for name, layout in layouts.items():
        lines.append("")
        for field in layout.fields:
            at = f"MHO_{name}_{field.name.upper()}"
            lines += [f"#define {at}_WORD {field.word}u", f"#define {at}_LOW {layout.low[field.name]}u",
                      f"#define {at}_MASK {(1 << field.width) - 1:#x}u"]
    return "\n".join([*lines, "", "#endif", ""])
