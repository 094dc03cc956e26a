"""The two kinds of failure that reach a user as one sentence, and what such a sentence proposes.

They live at the bottom of the import order so that every layer can raise them and the command can tell
them from a defect of its own.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping

LONGEST = 600
"""Characters of a sentence; of what is longer the begin stays, and a third is the end."""

_LONGEST_WORD = 200
_MARKS = "\ufdd0\ufdd1"
_ARGUMENT = re.compile(rf"{_MARKS[0]}(\w+)/(\w+){_MARKS[1]}")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was probably meant: the same in another case, else the closest spelling in any case."""
    spelt = {candidate.lower(): candidate for candidate in candidates}
    # What is longer than any name takes long to compare.
    close = difflib.get_close_matches(name[:60].lower(), spelt, n=1)
    return spelt[close[0]] if close else None


def printable(text: str) -> str:
    """``text`` without what steers a terminal: control characters as escapes, lines and tabs as they are."""
    return _CONTROL.sub(lambda match: _escape(ord(match[0])), text)


def _escape(code: int) -> str:
    # A byte that is no UTF-8 in an argument or the name of a file is a surrogate in Python.
    return f"\\x{code & 0xFF:02x}" if code < 0x100 or 0xDC80 <= code < 0xDD00 else f"\\u{code:04x}"


def one_sentence(text: object, options: Mapping[str, str] = {}) -> str:
    """A message on one line, printable, its long words and itself cut inside; arguments take ``options``."""
    text = _ARGUMENT.sub(lambda match: options.get(match[2], match[1]), str(text))
    words = (_cut(printable(word), _LONGEST_WORD) for word in re.findall(r"[^ \t\r\n]+", text))
    return _cut(" ".join(words), LONGEST)


def _cut(text: str, longest: int) -> str:
    end = (longest - 5) // 3
    return text if len(text) <= longest else f"{text[: longest - 5 - end]} ... {text[-end:]}"


def argument(name: str, parameter: str = "") -> str:
    """The name of an argument of the Python interface, for a sentence: in a command it becomes the option's.

    ``parameter`` is what the command calls it, if that is another name.
    """
    return f"{_MARKS[0]}{name}/{parameter or name}{_MARKS[1]}"


class MhoError(Exception):
    """Base of every failure that is reported as one sentence, without a traceback.

    Members
    -------
    options
        Options of a command by the names of arguments (:func:`argument`); without one the argument keeps its name.
    """

    exit_code = 1
    options: Mapping[str, str] = {}

    def __str__(self) -> str:
        return one_sentence(super().__str__(), self.options)


class InputError(MhoError, ValueError):
    """The input is wrong. The sentence names the file, the field, the bad value and what would be right.

    The command exits with 2.
    """

    exit_code = 2


class ToolError(MhoError, RuntimeError):
    """The input is right, but the work failed: a tool is missing or crashed, a result did not match.

    The command exits with 1.
    """

    exit_code = 1


def check_whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is no whole number from ``low`` to ``high``.

    Raises InputError with the name and the limits.
    """
    if not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be between {low} and {high}, not {value!r}")


def check_numbers(config: object, names: Iterable[str], *, positive: bool = False) -> None:
    """Refuse attributes that are no finite numbers of at least 0, or above 0.

    Raises InputError with the name and the limit.
    """
    for name in names:
        value = getattr(config, name)
        if not (0.0 < value < math.inf or (value == 0.0 and not positive)):
            limit = "above 0" if positive else "of at least 0"
            raise InputError(f"{name} must be a finite number {limit}, not {value!r}")
