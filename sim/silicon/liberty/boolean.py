"""Boolean expressions of Liberty files as truth tables."""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\]]*|[01]|[!'&*|+^()])")

_LONGEST, _MOST_NAMES = 2000, 12
"""Characters and names of an expression; cells of open libraries have 10 names at most."""


@dataclass(frozen=True)
class Truth:
    """Where an expression of some names is true: bit k of the index is the value of name k."""

    names: tuple[str, ...]
    table: tuple[bool, ...]

    def given(self, values: dict[str, bool]) -> bool:
        """Its value, where all names have one."""
        return self.table[sum(values[name] << k for k, name in enumerate(self.names))]

    def replaced(self, functions: dict[str, "Truth"]) -> "Truth":
        """With other expressions in the place of some names."""
        inner = [functions.get(name, Truth((name,), (False, True))) for name in self.names]
        names = tuple(dict.fromkeys(name for function in inner for name in function.names))
        _few(names)

        def value(index: int) -> bool:
            values = {name: bool(index >> k & 1) for k, name in enumerate(names)}
            return self.given({name: function.given(values) for name, function in zip(self.names, inner, strict=True)})

        return Truth(names, tuple(value(index) for index in range(1 << len(names))))

    def by(self, name: str) -> "Truth":
        """Where it changes with a name."""
        if name not in self.names:
            return Truth((), (False,))
        k = self.names.index(name)
        names = self.names[:k] + self.names[k + 1:]
        low = (1 << k) - 1

        def differs(index: int) -> bool:
            at = (index & low) | (index & ~low) << 1
            return self.table[at] != self.table[at | 1 << k]

        return Truth(names, tuple(differs(index) for index in range(1 << len(names))))

    def both(self, right: "Truth") -> "Truth":
        """Where both are true."""
        pair = Truth(("0", "1"), (False, False, False, True))
        return pair.replaced({"0": self, "1": right})

    def probability(self, duty: dict[str, NDArray[np.float64]], count: int) -> NDArray[np.float64]:
        """How often it is true, if each name is 1 in a part ``duty`` of the time and knows nothing of the others."""
        inverted = sum(self.table) * 2 <= len(self.table)
        total = np.zeros(count)
        for index, value in enumerate(self.table):
            if value == inverted:
                term = np.ones(count)
                for k, name in enumerate(self.names):
                    term = term * (duty[name] if index >> k & 1 else 1.0 - duty[name])
                total += term
        return total if inverted else 1.0 - total


_WRITTEN = {"!": "~", "'": ".inverted", "^": "*", "*": "&", "+": "|", "0": "(0)", "1": "(1)"}
"""Operators as Python writes those that bind alike: by them it takes an expression apart, and nothing of it runs."""
_OPERATORS = {ast.Mult: np.logical_xor, ast.BitAnd: np.logical_and, ast.BitOr: np.logical_or}


@cache
def truth(text: str) -> Truth:
    """The table of an expression: ``!`` or ``'`` binds most, then ``^``, ``*`` or ``&`` or nothing, ``+`` or ``|``.

    Raises ValueError if it is none, or larger than any is.
    """
    tokens = _TOKEN.findall(text[: _LONGEST + 1])
    names = tuple(dict.fromkeys(token for token in tokens if token[:1].isalpha() or token[:1] == "_"))
    index, written = np.arange(1 << _few(names)), list[str]()
    for before, token in pairwise(["(", *tokens]):
        both = before not in "!&*|+^(" and token not in "'&*|+^)"
        written += ["&" if both else "", f"n{names.index(token)}" if token in names else _WRITTEN.get(token, token)]
    try:
        if len(text) > _LONGEST or _TOKEN.sub("", text).strip():
            raise SyntaxError
        return Truth(names, tuple(_table(ast.parse("".join(written), mode="eval").body, index).tolist()))
    except (SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"{text[:60]!r} is no Boolean expression") from None


def _table(node: ast.expr, index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Values of a part of an expression, for all values of its names."""
    match node:
        case ast.Name(id=name):
            return (index >> int(name[1:]) & 1).astype(np.bool_)
        case ast.Constant(value=value):
            return np.full(len(index), value == 1)
        case ast.UnaryOp(operand=inner) | ast.Attribute(value=inner):
            return ~_table(inner, index)
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return _OPERATORS[type(operator)](_table(left, index), _table(right, index))
        case _:
            raise SyntaxError


def _few(names: Sequence[str]) -> int:
    """How many names; raises ValueError at more than an expression can have: its table doubles with each."""
    if len(names) > _MOST_NAMES:
        raise ValueError(f"an expression must have at most {_MOST_NAMES} names, not {len(names)}")
    return len(names)
