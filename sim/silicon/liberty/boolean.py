"""Boolean expressions of Liberty files as truth tables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

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


@cache
def truth(text: str) -> Truth:
    """The table of an expression: ``!`` or ``'`` binds most, then ``^``, ``*`` or ``&`` or nothing, ``+`` or ``|``.

    Raises ValueError if it is none, or larger than any is.
    """
    if len(text) > _LONGEST or _TOKEN.sub("", text).strip():
        raise ValueError(f"{text[:60]!r} is no Boolean expression")
    parser = _Parser([*_TOKEN.findall(text), ""])
    table = parser.some()
    if parser.token or parser.at == 0:
        raise ValueError(f"{text!r} is no Boolean expression")
    return Truth(parser.names, tuple(table.tolist()))


Table = NDArray[np.bool_]


class _Parser:
    """Takes an expression apart, what binds least first, into a table of all names of the expression."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens, self.at = tokens, 0
        self.names = tuple(dict.fromkeys(token for token in tokens if token[:1].isalpha() or token[:1] == "_"))
        self._index = np.arange(1 << _few(self.names))

    @property
    def token(self) -> str:
        return self.tokens[self.at]

    def some(self) -> Table:
        result = self._each()
        while self.token in ("+", "|"):
            self.at += 1
            result = result | self._each()
        return result

    def _each(self) -> Table:
        result = self._unlike()
        while self.token in ("*", "&", "!", "(", "0", "1") or self.token in self.names:
            self.at += self.token in ("*", "&")
            result = result & self._unlike()
        return result

    def _unlike(self) -> Table:
        result = self._term()
        while self.token == "^":
            self.at += 1
            result = result ^ self._term()
        return result

    def _term(self) -> Table:
        token = self.token
        self.at += 1
        if token == "!":
            return ~self._term()
        if token == "(":
            result = self.some()
            self._closes()
        elif token in ("0", "1"):
            result = np.full(len(self._index), token == "1")
        elif token in self.names:
            result = (self._index >> self.names.index(token) & 1).astype(bool)
        else:
            raise ValueError(f"{token!r} is no name in a Boolean expression")
        while self.token == "'":
            self.at += 1
            result = ~result
        return result

    def _closes(self) -> None:
        if self.token != ")":
            raise ValueError("a bracket of a Boolean expression does not close")
        self.at += 1


def _few(names: Sequence[str]) -> int:
    """How many names; raises ValueError at more than an expression can have: its table doubles with each."""
    if len(names) > _MOST_NAMES:
        raise ValueError(f"an expression must have at most {_MOST_NAMES} names, not {len(names)}")
    return len(names)
