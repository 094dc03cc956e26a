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


def module_ports(text: str, module: str) -> dict[str, Port] | None:
    """Ports of ``module`` by name, or None if the text has no such module.

    Headers of both styles are read; what stands under compiler directives counts as being there.
    """
    text = re.sub(r"//[^\n]*|/\*.*?\*/|\(\*.*?\*\)", " ", text, flags=re.DOTALL)
    text = re.sub(r"^\s*`\w+[^\n]*$", " ", text, flags=re.MULTILINE)
    match = re.search(rf"\bmodule\s+{re.escape(module)}\b(.*?)\bendmodule\b", text, re.DOTALL)
    if match is None:
        return None
    rest = match[1].strip()
    parameters: dict[str, int] = {}
    if rest.startswith("#"):
        inside, rest = _parenthesised(rest[1:])
        parameters = _parameters(inside)
    listed, body = _parenthesised(rest) if rest.startswith("(") else ("", rest)
    parameters |= _parameters(body)
    ports = _declarations(_split(listed), parameters)
    if not ports:
        names = {name.strip() for name in listed.split(",")}
        statements = [item for item in body.split(";") if re.match(r"\s*(input|output|inout)\b", item)]
        found = (_declarations(_split(item), parameters) for item in statements)
        ports = {name: port for declared in found for name, port in declared.items() if name in names}
    return ports


def _parenthesised(text: str) -> tuple[str, str]:
    """What stands in the first parentheses, and what follows them."""
    start = text.index("(")
    depth = 0
    for k in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[k], 0)
        if depth == 0:
            return text[start + 1 : k], text[k + 1 :].lstrip()
    return text[start + 1 :], ""


def _split(text: str) -> list[str]:
    """Parts between commas that stand in no bracket."""
    parts, depth = [""], 0
    for char in text:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(char, 0)
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def _parameters(text: str) -> dict[str, int]:
    values: dict[str, int] = {}
    for name, expression in re.findall(r"(?:parameter|localparam|,)?[^;,()]*?\b(\w+)\s*=\s*([^;,]+)", text):
        value = _evaluate(expression, values)
        if value is not None:
            values.setdefault(name, value)
    return values


_DECLARATION = re.compile(
    r"(?P<direction>input|output|inout)?\s*(?:wire|reg|logic|tri|var)?\s*(?:signed)?\s*"
    r"(?:\[(?P<high>[^\]]*?):(?P<low>[^\]]*)\])?\s*(?P<name>[A-Za-z_][\w$]*)"
)


def _declarations(items: list[str], parameters: dict[str, int]) -> dict[str, Port]:
    """Ports of a list in which a direction and a range hold until the next direction."""
    ports: dict[str, Port] = {}
    direction, width = "", 1
    for item in items:
        match = _DECLARATION.fullmatch(item)
        if match is None:
            continue
        if match["direction"]:
            direction, width = match["direction"], 1
        if match["high"] is not None:
            high, low = _evaluate(match["high"], parameters), _evaluate(match["low"], parameters)
            width = None if high is None or low is None else abs(high - low) + 1
        if direction:
            ports[match["name"]] = Port(match["name"], direction, width)
    return ports


_OPERATORS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.floordiv,
    ast.LShift: operator.lshift, ast.RShift: operator.rshift,
}


def _evaluate(expression: str, parameters: dict[str, int]) -> int | None:
    plain = re.sub(r"\d*'[sS]?[dD](\d+)", r"\1", expression).strip()
    try:
        return _value(ast.parse(plain, mode="eval").body, parameters)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def _value(node: ast.expr, parameters: dict[str, int]) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name) and node.id in parameters:
        return parameters[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, parameters), _value(node.right, parameters))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, parameters)
    raise ValueError("not a constant")
