"""Names that the source of a block gives to what it computes, and to the fields of structures.

Amaranth finds the variable of a signal where a line assigns one, and none of an operator.
"""

import ast
import linecache
import re
from collections import defaultdict
from functools import cache
from typing import Any

from amaranth.hdl._ast import Format

from mho.rtl_gen.verilog.lowering import fields_of

_ASSIGNED = re.compile(r"\s*(?:self\.)?_?(\w+)(?:: [^=]+)? (?:[-+&|^*]|<<|>>)?= ")
_SEVERAL = re.compile(r"\s*[\w.]+(?:, [\w.]+)+ = ")
_OPENED = re.compile(r"\s*(?:self\.)?_?(\w+)(?:: [^=]+)? = \($")
_DEFINED = re.compile(r"(\s*)def _*(\w+)\(")
_NAMELESS = frozenset({"elaborate", "value", "result", "m"})
"""Functions and variables whose names say nothing of what they hold."""
_OPERATORS = {
    ast.Add: "$add", ast.Sub: "$sub", ast.Mult: "$mul", ast.BitAnd: "$and", ast.BitOr: "$or", ast.BitXor: "$xor",
    ast.Eq: "$eq", ast.NotEq: "$ne", ast.Lt: "$lt", ast.LtE: "$le", ast.Gt: "$gt", ast.GtE: "$ge", ast.Invert: "$not",
    ast.LShift: "$shl", ast.RShift: "$shr",
}
_CALLS = {"Mux": "$mux", "any": "$reduce_or", "all": "$reduce_and", "bool": "$reduce_bool", "xor": "$reduce_xor"}
_UNNAMED = "$signal"
"""What Amaranth calls a signal whose variable it does not find."""


@cache
def name_at(file: str, line: int, operator: str = "") -> str:
    """What the value of an expression on a line is called there; empty where it has no name.

    ``operator`` is that of the value, by which it is told apart where a line assigns several.
    """
    text = linecache.getline(file, line)
    if _SEVERAL.match(text):
        names = [name for name, value in _assigned(text) if _operator(value) == operator]
        name = names[0] if len(names) == 1 else ""
    elif match := _ASSIGNED.match(text) or _OPENED.match(linecache.getline(file, line - 1)):
        name = match[1]
    elif text.lstrip().startswith("return "):
        name = _function(file, line)
    else:
        return ""
    return "" if name in _NAMELESS or len(name) < 2 else name


def name_signals(signal_names: Any, reserved: set[str]) -> None:
    """Name signals that Amaranth found no variable of, where a line assigns several, or a list of them.

    Signals are numbered as they are made. Of a line that assigns two or three, Amaranth names the last one.

    Parameters
    ----------
    signal_names, reserved
        Names by signals, which are changed, and all names of the block.
    """
    lines: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for signal in signal_names:
        if signal.src_loc is not None:
            lines[signal.src_loc].append(signal)
    for (file, line), of_line in lines.items():
        unnamed = sorted((s for s in of_line if s.name == _UNNAMED), key=lambda signal: signal.duid)
        names = _signals_of(linecache.getline(file, line)) if unnamed else ()
        starts = [s.duid - names.index(s.name) for s in of_line if s.name in names]
        for k, signal in enumerate(unnamed if names else ()):
            start = next((start for start in starts if 0 <= signal.duid - start < len(names)), None)
            if start is not None:
                name = names[signal.duid - start]
            elif not starts and len(unnamed) % len(names) == 0:
                # A line that ran several times, as in a loop, made as many signals each time.
                name = names[k % len(names)]
            else:
                continue
            signal_names[signal] = name if name not in reserved else f"{name}${len(reserved)}"
            reserved.add(signal_names[signal])


def layout_of(signal: Any) -> str:
    """Fields of a signal that is a structure, the highest first: ``[15:8] row, [7:0] column``; empty for others."""
    if not isinstance(getattr(signal, "_format", None), Format.Struct):
        return ""
    # Elements of arrays, whose paths have numbers, are not listed.
    fields = [(low, size, path) for path, _, low, size in fields_of(signal)
              if path and size and all(isinstance(name, str) for name in path)]
    inner = {path[:-1] for _, _, path in fields}
    leaves = [field for field in fields if field[2] not in inner]
    places = ((f"{low + size - 1}:{low}" if size > 1 else f"{low}", path) for low, size, path in sorted(leaves)[::-1])
    return "" if len(leaves) < 2 else ", ".join(f"[{place}] {'.'.join(path)}" for place, path in places)


@cache
def _signals_of(text: str) -> tuple[str, ...]:
    """Variables that a line gives signals to, in their order."""
    if _SEVERAL.match(text):
        return tuple(name for name, value in _assigned(text) if _called(value) == "Signal")
    match = _ASSIGNED.match(text)
    return () if match is None or "Signal(" not in text else (match[1],)


def _assigned(text: str) -> list[tuple[str, ast.expr]]:
    """Variables and values of a line that assigns several; none if it goes on below."""
    try:
        (statement,) = ast.parse(text.strip()).body
    except (SyntaxError, ValueError):
        return []
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Tuple):
        return []
    targets = getattr(statement.targets[0], "elts", ())
    names = [getattr(target, "id", getattr(target, "attr", "")).lstrip("_") for target in targets]
    return list(zip(names, statement.value.elts, strict=False))


def _called(node: ast.expr) -> str:
    """Name of the function that an expression calls; empty if it is no call."""
    function = node.func if isinstance(node, ast.Call) else None
    if isinstance(function, ast.Attribute) and function.attr == "like":
        function = function.value
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _operator(node: ast.expr) -> str:
    """Cell that an expression becomes; empty for others."""
    if isinstance(node, ast.Compare):
        return _OPERATORS.get(type(node.ops[0]), "")
    if isinstance(node, (ast.BinOp, ast.UnaryOp)):
        return _OPERATORS.get(type(node.op), "")
    return _CALLS.get(_called(node), "")


def _function(file: str, line: int) -> str:
    """Name of the function that a line is in."""
    indent = re.match(r"\s*", linecache.getline(file, line))
    for above in range(line - 1, 0, -1):
        match = _DEFINED.match(linecache.getline(file, above))
        if match is not None and indent is not None and len(match[1]) < len(indent[0]):
            return match[2]
    return ""
