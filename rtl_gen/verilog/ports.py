"""The ports of a module in somebody's Verilog: enough of the language to read a header, no more."""

import ast
import operator
import re
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Port:
    """A port of a module, as it is declared."""

    name: str
    direction: str
    """Its name; ``input``, ``output`` or ``inout``."""
    limits: tuple[int, int] | None = None
    """The numbers of its leftmost and rightmost bit, ``(7, 0)`` or ``(0, 63)``; None for a port without a range."""
    known: bool = True
    """Whether the range could be computed from literals and parameters' defaults."""
    guarded: bool = field(default=False, compare=False)
    """Whether it is there only where ``USE_POWER_PINS`` is defined."""

    @property
    def width(self) -> int | None:
        """Bits, or None if the range is not known."""
        return len(self.numbers) if self.known else None

    @property
    def numbers(self) -> range:
        """Numbers of the bits from the leftmost to the rightmost."""
        left, right = self.limits or (0, 0)
        return range(left, right - 1, -1) if left >= right else range(left, right + 1)

    @property
    def bits(self) -> str:
        """The range as Verilog writes it, with a space behind it; empty for a port without one."""
        return "" if self.limits is None else f"[{self.limits[0]}:{self.limits[1]}] "


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
_WIDEST = 1 << 16
"""Bits of a port."""


def module_ports(text: str, module: str) -> dict[str, Port] | None:
    """Ports of ``module`` by name, or None if the text has no such module.

    Headers of both styles are read; what stands under compiler directives counts as being there. The time is
    proportional to the text, whatever it is.
    """
    ports = _ports(text, module)
    if ports is None or _GUARD not in text:
        return ports
    unguarded = _ports(_without_supplies(text), module) or {}
    return {name: replace(port, guarded=name not in unguarded) for name, port in ports.items()}


def has_body(text: str, module: str) -> bool:
    """Whether a module holds anything beside declarations of its ports: whether it is more than a black box."""
    inside = _module(text, module)
    if inside is None:
        return False
    _, *body = inside.split(";")
    words = [re.match(r"\s*(\w*)", item) for item in body]
    return any(word and word[1] not in ("", *_DIRECTIONS, *_TYPES, "parameter", "localparam") for word in words)


_GUARD = "USE_POWER_PINS"
_DIRECTIVE = re.compile(r"^[ \t]*+`(ifdef|ifndef|else|elsif|endif)\b[ \t]*+(\w*+)[^\n]*+", re.MULTILINE)


def _without_supplies(text: str) -> str:
    """The text without what stands under a condition that needs ``USE_POWER_PINS``."""
    texts, position, off = [], 0, 0
    conditions: list[bool | None] = []
    for match in _DIRECTIVE.finditer(text):
        if not off:
            texts.append(text[position : match.start()])
        position = match.end()
        word, name = match[1], match[2]
        if word in ("ifdef", "ifndef"):
            conditions.append(None if name != _GUARD else word == "ifndef")
            off += conditions[-1] is False
        elif conditions and word in ("else", "endif"):
            last = conditions.pop()
            off -= last is False
            if word == "else":
                conditions.append(None if last is None else not last)
                off += conditions[-1] is False
    if not off:
        texts.append(text[position:])
    return "\n".join(texts)


def _module(text: str, module: str) -> str | None:
    """What stands between the name of a module and its end, without comments; None if there is no such module."""
    text = _COMMENTS.sub(" ", text)
    start = re.search(rf"\bmodule\s+{re.escape(module)}\b", text)
    end = None if start is None else re.compile(r"\bendmodule\b").search(text, start.end())
    return None if start is None or end is None else text[start.end() : end.start()]


def _ports(text: str, module: str) -> dict[str, Port] | None:
    inside = _module(text, module)
    if inside is None:
        return None
    header, *body = inside.split(";")
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
                declared = _declarations(statement, parameters)
                ports |= {name: port for name, port in declared.items() if name in names}
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
    direction, limits, computed = "", None, True
    for part in _split(words, ","):
        if part[0] in _DIRECTIONS:
            direction, limits, computed, part = part[0], None, True, part[1:]
        while part and part[0] in _TYPES:
            part = part[1:]
        if part[:1] == ["["]:
            limits, computed, part = _range(part, parameters)
        # A second range behind the name makes an array of it, and what is that is not known.
        if direction and part and re.fullmatch(r"[A-Za-z_][\w$]*", part[0]) and part[1:2] in ([], ["["], ["="]):
            whole = computed and part[1:2] != ["["]
            ports[part[0]] = Port(part[0], direction, limits if whole else None, whole)
    return ports


def _range(words: list[str], parameters: dict[str, int]) -> tuple[tuple[int, int] | None, bool, list[str]]:
    """The range that comes first, whether it is known, and what follows; two ranges are none that is known."""
    ranges = 0
    limits: list[int | None] = []
    while words[:1] == ["["] and "]" in words:
        close = words.index("]")
        limits, words = [_evaluate(side, parameters) for side in _split(words[1:close], ":")], words[close + 1 :]
        ranges += 1
    left, right = limits if len(limits) == 2 else (None, None)
    if ranges != 1 or left is None or right is None or abs(left - right) >= _WIDEST or min(left, right) < 0:
        return None, False, words
    return (left, right), True, words


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


def _bounded(value: int, limit: int = 2**31) -> int:
    if abs(value) > limit:
        raise ValueError("too large")
    return value
