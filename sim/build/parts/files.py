"""The files of a model's edge: in parts, or as Verilator has it, with a header of the same functions.

Models are those of a group: ``some`` by number, ``which`` with the bit of each that is meant. ``marks`` has a word
for each part, with the bits of the models for which it must be run, and behind them one with those that reached the
outside where a condition said so. Parts before ``FIRST`` are run for inputs alone. ``begin`` is called once for each
model behind its first evaluation, ``look`` where its inputs may have changed, ``settle`` for what follows from that
without a clock edge, and ``edge`` for a rising edge of ``clk``, ``fresh`` being the models whose inputs may have
changed. ``NAME__Kind`` has all of it under names that do not have the model's, for templates.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mho.rtl_gen.templates import fill
from mho.sim.build.parts.code import Part, Writer, members_of, part_of
from mho.sim.build.parts.grouping import Clusters, group
from mho.sim.build.parts.nodes import copies_of, filtered, graph_of, nodes_of, units_of
from mho.sim.build.parts.statements import Function, UnknownFormError, leaves, parse_function, signatures

_EXTERN = re.compile(r"^extern const .*__ConstPool__.*;$", re.MULTILINE)
_PROTOTYPE = re.compile(r"^(?:VL_INLINE_OPT )?(void \w+__Vdpiimwrap_\w+\([^{;]*\)) \{", re.MULTILINE)
_PORT = re.compile(r"^ +VL_IN(?:8|16|64|W)?\((\w+),", re.MULTILINE)
_FILE_BYTES = 60_000
"""Bytes of C++ of one file."""


def edge_files(
    code: str, header: str, name: str, phases_found: Sequence[Mapping[str, str]], constant: Collection[str]
) -> dict[str, str]:
    """C++ files by name, the header ``NAME__Edge.h`` among them.

    Raises UnknownFormError if anything in the model's code is not known.
    """
    outside, members = signatures(code), members_of(header)
    phases = [[parse_function(*function, outside) for function in phase.items()] for phase in phases_found]
    local = {key: text for phase in phases for function in phase for key, text in function.locals.items()}
    _check(phases, members, local)
    parts, copies = list[Part](), list[str]()
    first = 0
    for phase in phases:
        first = len(parts)
        more, copied = _phase(phase, members, set(local))
        parts += more
        copies += copied
    root = f"{name}___024root"
    writer = Writer(parts, members, local, root)
    head = _head(code, name)
    files = _run_files(writer, head, name, first, len(parts))
    ports = [port for port in _PORT.findall(header) if port not in ("clk", *constant)]
    files[f"{name}__mark.cpp"] = head + _mark(writer, name, ports, copies)
    seen = "".join(f"    decltype({name}___024root::{port}) {port};\n" for port in ports)
    text = _text("edge_parts").replace("@MEMBERS@", seen)
    files[f"{name}__Edge.h"] = _header(name, text, first, len(parts))
    return files


def whole_header(name: str) -> str:
    """The header ``NAME__Edge.h`` where a model is evaluated whole: there are no parts."""
    return _header(name, _text("edge_whole"))


def _header(name: str, text: str, first: int = 0, count: int = 0) -> str:
    return fill(_text("edge"), {"TEXT": text, "FIRST": first, "PARTS": count, "UPPER": name.upper(), "NAME": name})


def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.h.txt").read_text(encoding="utf-8")


def _check(phases: Sequence[Sequence[Function]], members: Mapping[str, int], local: Mapping[str, str]) -> None:
    for function in (item for phase in phases for item in phase):
        for statement in function.statements:
            for leaf in leaves(statement):
                for name_used in leaf.reads | leaf.writes:
                    if name_used not in members and name_used not in local:
                        raise UnknownFormError(f"{name_used} is not declared")


def _phase(functions: Sequence[Function], members: dict[str, int], local: set[str]) -> tuple[list[Part], list[str]]:
    """Parts of functions that are called one behind the other, and copies that are made once alone."""
    units = units_of(functions)
    nodes = nodes_of(units)
    copied = copies_of(units, nodes)
    copies = [
        leaf.text for k in copied for statement in filtered(units[nodes[k].unit], nodes[k].kept)
        for leaf in leaves(statement)
    ]
    dropped = set(copied)
    nodes = [node for k, node in enumerate(nodes) if k not in dropped]
    clusters = Clusters(graph_of(nodes))
    group(clusters, nodes, local)
    return [part_of(units, nodes, cluster, members) for cluster in clusters.order()], copies


def _head(code: str, name: str) -> str:
    lines = [
        "// Parts of a clock edge. Generated.",
        *(f'#include "{name}{suffix}.h"' for suffix in ("__pch", "__Syms", "___024root", "__Edge")),
        *sorted(set(_EXTERN.findall(code))), *(f"{line};" for line in sorted(set(_PROTOTYPE.findall(code)))), "",
    ]
    return "\n".join(lines)


def _run_files(writer: Writer, head: str, name: str, first: int, count: int) -> dict[str, str]:
    """The parts in files, each with a function that runs its own, and one that runs all."""
    arguments = f"({name}__Model* const* some, uint64_t which, uint64_t* marks)"
    files, calls = dict[str, str](), (list[str](), list[str]())
    group, size = list[int](), 0
    texts = [writer.function(k) for k in range(count)]
    for k in range(count):
        group.append(k)
        size += len(texts[k])
        if size > _FILE_BYTES or k + 1 in (first, count):
            run = f"{name}__run_{len(files)}"
            calls[k >= first].append(run)
            lines = [*(texts[part] for part in group), f"void {run}{arguments} {{",
                     *(f"    MHO_RUN({part}, part_{part})" for part in group), "}"]
            files[f"{run}.cpp"] = head + "\n".join(lines) + "\n"
            group, size = [], 0
    edge = f"({name}__Model* const* some, uint64_t which, uint64_t fresh, uint64_t* marks)"
    lines = [
        head, *(f"void {run}{arguments};" for runs in calls for run in runs),
        f"void {name}__settle{arguments} {{", *(f"    {run}(some, which, marks);" for run in calls[0]),
        "    (void)some; (void)which; (void)marks;", "}",
        f"void {name}__edge{edge} {{", f"    if (fresh) {name}__settle(some, fresh, marks);",
        *(f"    {run}(some, which, marks);" for run in calls[1]), "}", "",
    ]
    files[f"{name}__all.cpp"] = "\n".join(lines)
    return files


def _mark(writer: Writer, name: str, ports: Sequence[str], copies: Sequence[str]) -> str:
    """What makes a model ready, and what looks at its inputs."""
    lines = [f"void {name}__begin({name}& model, {name}__Seen& seen, uint64_t* marks, uint64_t bit) {{",
             "    auto& vlSelfRef = *model.rootp; (void)vlSelfRef;"]
    lines += [f"    {text}" for text in copies]
    lines += [f"    seen.{port} = vlSelfRef.{port};" for port in ports]
    lines += [f"    for (int k = 0; k < {len(writer.parts)}; k++) marks[k] |= bit;", "}"]
    lines += [f"void {name}__look({name}& model, {name}__Seen& seen, uint64_t* marks, uint64_t bit) {{",
              "    const auto& vlSelfRef = *model.rootp;"]
    for port in ports:
        marks = " ".join(f"marks[{reader}] |= bit;" for reader in writer.readers(port))
        now = f"vlSelfRef.{port}"
        lines.append(f"    if (mho_differ(seen.{port}, {now})) {{ seen.{port} = {now}; {marks} }}")
    return "\n".join([*lines, "}", ""])
