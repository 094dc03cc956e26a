"""From the text of a program to its statements: lines, names, items, blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from mho.macro_models.errors import InputError, nearest

_WORD = re.compile(r"[A-Za-z_]\w*")
_NUMBER = re.compile(r"[+-]?(0x[0-9a-fA-F]+|[0-9]+)")
_DIGITS = 18
"""Characters of a number at most: more than any that is legal has, and it fits in 64 bits."""
_HEAD = re.compile(
    r"(?P<key>\w+)(\s+(?P<name>[A-Za-z_]\w*|\d+))?(\s*@\s*(?P<at>-?\w+))?\s*(?P<end>[:{])\s*(?P<rest>.*)")


@dataclass(frozen=True)
class Item:
    """A name with its value, empty for a flag."""

    line: int
    name: str
    value: str = ""


@dataclass
class Statement:
    """What stands on a line, with the lines of its block.

    ``key`` is its first word, ``name`` and ``at`` what a declaration gives, ``rest`` the text behind, ``declares``
    whether it is a declaration, ``braces`` whether one with a block.
    """

    line: int
    key: str
    name: str = ""
    at: str = ""
    rest: str = ""
    declares: bool = False
    braces: bool = False
    block: list[tuple[int, str]] = field(default_factory=list)


class Source:
    """A text and its name, for messages.

    Parameters
    ----------
    name, text
        The file.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name, self._lines = name, text.splitlines()

    def fail(self, line: int, sentence: str) -> NoReturn:
        """Refuse a line.

        Raises InputError, naming the line.
        """
        raise InputError(f"{self.name}:{line}: {sentence}")

    def number(self, line: int, text: str, what: str) -> int:
        """A whole number in decimal or, behind 0x, hexadecimal."""
        if not _NUMBER.fullmatch(text):
            self.fail(line, f"{what} must be a whole number, not {text!r}")
        if len(text) > _DIGITS:
            self.fail(line, f"{what} must be a whole number of at most {_DIGITS} characters, not of {len(text)}")
        return int(text, 0 if "x" in text else 10)

    def bounded(self, line: int, text: str, what: str, top: int) -> int:
        """A whole number from 0 to ``top`` - 1."""
        number = self.number(line, text, what)
        if not 0 <= number < top:
            self.fail(line, f"{what} must be 0 to {top - 1}, not {number}")
        return number

    def unknown(self, line: int, what: str, name: str, among: list[str]) -> NoReturn:
        """Refuse a name, with the nearest one that would do."""
        near = nearest(name, among)
        hint = f"did you mean {near!r}?" if near else f"it must be {_listed(among)}"
        self.fail(line, f"{what} {name!r} is unknown: {hint}")

    def statements(self) -> Iterator[Statement]:
        """All statements in order. Blocks of data are read whole; the braces of loops are statements."""
        lines = iter(enumerate(self._lines, 1))
        for number, raw in lines:
            text = _stripped(raw)
            if not text:
                continue
            if text == "}":
                yield Statement(number, "}")
                continue
            match = _HEAD.fullmatch(text)
            if match is None or match["key"] == "loop":
                key, *rest = text.split(maxsplit=1)
                yield Statement(number, key, rest="".join(rest))
                continue
            statement = Statement(
                number, match["key"], match["name"] or "", match["at"] or "", match["rest"], True, match["end"] == "{",
            )
            if statement.braces:
                statement.block = self._block(number, statement, lines)
            yield statement

    def _block(self, start: int, statement: Statement, lines: Iterator[tuple[int, str]]) -> list[tuple[int, str]]:
        text, number, block = statement.rest, start, []
        while True:
            inner, brace, behind = text.partition("}")
            if inner.strip():
                block.append((number, inner.strip()))
            if brace:
                if behind.strip():
                    self.fail(number, f"nothing may stand behind '}}', not {behind.strip()!r}")
                return block
            number, raw = next(lines, (0, ""))
            if not number:
                self.fail(start, f"the block of {statement.key} is not closed: '}}' is missing")
            text = _stripped(raw)

    def items(self, line: int, text: str) -> list[Item]:
        """Items that commas part: a name and perhaps a value each."""
        items = []
        for part in text.split(",") if text.strip() else []:
            words = part.split()
            if not words or len(words) > 2 or not _WORD.fullmatch(words[0]):
                self.fail(line, f"items must be 'name value' or 'name', parted by commas, not {part.strip()!r}")
            items.append(Item(line, words[0], words[1] if len(words) == 2 else ""))
        names: set[str] = set()
        for item in items:
            if item.name in names:
                self.fail(line, f"{item.name} is there twice")
            names.add(item.name)
        return items


def _stripped(raw: str) -> str:
    return re.split(r"[;#]", raw, maxsplit=1)[0].strip()


def _listed(names: list[str]) -> str:
    shown = names[:8]
    return f"one of {', '.join(shown)}{', ...' if len(names) > 8 else ''}" if shown else "declared first"
