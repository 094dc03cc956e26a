"""The ports of a module in somebody's Verilog: enough of the language to read a header, no more."""

import ast
import operator
import re
from dataclasses import dataclass

__all__ = ["Port", "module_ports"]


@dataclass(frozen=True)
class Port:
    """A port. ``width`` is None where it cannot be computed from literals and parameters' defaults."""

    name: str
    direction: str
    width: int | None


_COMMENTS = re.compile(
    r"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)|\(\*(?!\s*\))(?:[^*]++|\*(?!\)))*+(?:\*\)|\Z)|^[ \t]*+`\w++[^\n]*+",
    re.MULTILINE,
)
"""Comments, attributes and lines of compiler directives; each is passed over once, even where it is not closed."""
_TOKEN = re.compile(r"`?\\?[A-Za-z_$][\w$]*+|\d*+'[sS]?[A-Za-z][\w?]++|\d[\d_]*+|<<|>>|\S")
_DIRECTIONS = ("input", "output", "inout")
_TYPES = ("wire", "reg", "logic", "tri", "var", "signed")
_OPEN, _CLOSE = {"(": 1, "[": 1, "{": 1}, {")": 1, "]": 1, "}": 1}
_LONGEST = 64
"""Words of an expression that is computed."""


def module_ports(text: str, module: str) -> dict[str, Port] | None:
    """Ports of ``module`` by name, or None if the text has no such module.

    Headers of both styles are read; what stands under compiler directives counts as being there. The time is
    proportional to the text, whatever it is.
    """
    text = _COMMENTS.sub(" ", text)
    start = re.search(rf"\bmodule\s+{re.escape(module)}\b", text)
    end = None if start is None else re.compile(r"\bendmodule\b").search(text, start.end())
    if start is None or end is None:
        return None
    header, *body = text[start.end() : end.start()].split(";")
    words, parameters = _TOKEN.findall(header), {}
    if words[:1] == ["#"]:
        inside, words = _parenthesised(words[1:])
        _read_parameters(inside, parameters)
    listed, _ = _parenthesised(words)
    statements = [w for item in body if re.match(r"\s*(?:input|output|inout|parameter|localparam)\b", item)
                  for w in [_TOKEN.findall(item)]]
    for statement in statements:
        if statement[0] not in _DIRECTIONS:
            _read_parameters(statement, parameters)
    ports = _declarations(listed, parameters)
    if not ports:
        names = {word for word in listed if word != ","}
        for statement in statements:
            if statement[0] in _DIRECTIONS:
                found = _declarations(statement, parameters)
                ports |= {name: port for name, port in found.items() if name in names}
    return ports


def _parenthesised(words: list[str]) -> tuple[list[str], list[str]]:
    """The words in the parentheses that come first, and what follows them; none if nothing does."""
    depth = 0
    for k, word in enumerate(words if words[:1] == ["("] else []):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return words[1:k], words[k + 1 :]
    return [], words


def _split(words: list[str], at: str) -> list[list[str]]:
    """Parts between ``at`` that stand in no bracket."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += _OPEN.get(word, 0) - _CLOSE.get(word, 0)
        if word == at and depth == 0:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def _read_parameters(words: list[str], parameters: dict[str, int]) -> None:
    for part in _split(words, ","):
        sides = _split(part, "=")
        value = _evaluate(sides[1], parameters) if len(sides) == 2 else None
        if value is not None:
            parameters.setdefault(sides[0][-1], value)


def _declarations(words: list[str], parameters: dict[str, int]) -> dict[str, Port]:
    """Ports of a list in which a direction and a range hold until the next direction."""
    ports: dict[str, Port] = {}
    direction, width = "", 1
    for part in _split(words, ","):
        if part[0] in _DIRECTIONS:
            direction, width, part = part[0], 1, part[1:]
        while part and part[0] in _TYPES:
            part = part[1:]
        if part[:1] == ["["] and "]" in part:
            close = part.index("]")
            limits = [_evaluate(side, parameters) for side in _split(part[1:close], ":")]
            known, part = [n for n in limits if n is not None], part[close + 1 :]
            width = abs(known[0] - known[1]) + 1 if len(known) == len(limits) == 2 else None
        if direction and len(part) == 1 and re.fullmatch(r"[A-Za-z_][\w$]*", part[0]):
            ports[part[0]] = Port(part[0], direction, width)
    return ports


_OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.floordiv,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}


def _evaluate(words: list[str], parameters: dict[str, int]) -> int | None:
    """Value of an expression of literals and parameters, None if it is something else or not of 32 bits."""
    plain = " ".join(re.sub(r"^\d*'[sS]?[dD](\d+)$", r"\1", word) for word in words[: _LONGEST + 1])
    try:
        return _value(ast.parse(plain, mode="eval").body, parameters) if len(words) <= _LONGEST else None
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def _value(node: ast.expr, parameters: dict[str, int]) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return _bounded(node.value)
    if isinstance(node, ast.Name) and node.id in parameters:
        return parameters[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, parameters), _value(node.right, parameters)
        shift = isinstance(node.op, (ast.LShift, ast.RShift))
        return _bounded(_OPERATORS[type(node.op)](left, _bounded(right, 32) if shift else right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, parameters)
    raise ValueError("not a constant")


def _bounded(value: int, most: int = 2**31) -> int:
    if abs(value) > most:
        raise ValueError("too large")
    return value
