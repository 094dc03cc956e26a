"""Text of C: constant tables, arrays that steps write, and loops over them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORDS = 8
"""In a line."""


class NoFormError(ValueError):
    """Something has no form in C: what, by its name."""


def number(value: float) -> str:
    """A constant of type double."""
    value = float(value)
    if math.isnan(value):
        raise NoFormError("a constant that is no number")
    if math.isinf(value):
        return "HUGE_VAL" if value > 0 else "(-HUGE_VAL)"
    return repr(value) if value >= 0 else f"({value!r})"


def array(kind: str, name: str, items: Iterable[str], per_line: int = _WORDS) -> str:
    """A constant array; one that would be empty has an element that nobody reads, since C has no empty ones."""
    entries = list(items) or ["{0}" if kind.startswith("mho") else "0"]
    lines = ",\n".join("  " + ", ".join(entries[k : k + per_line]) for k in range(0, len(entries), per_line))
    return f"static const {kind} {name}[] = {{\n{lines}\n}};"


class Code:
    """What functions of a file have in common, and the statements of the one that is being written.

    Attributes
    ----------
    tables
        Definitions of constants and of arrays that are written.
    """

    def __init__(self) -> None:
        self.tables: list[str] = []
        self._names: dict[str, str] = {}
        self._lines: list[str] = []
        self._arrays = 0

    def taken(self) -> list[str]:
        """The statements since it was last asked."""
        lines, self._lines = self._lines, []
        return lines

    def table(self, kind: str, values: Sequence[str]) -> str:
        """Name of a constant table; the same values have one name."""
        text = array(kind, "@", values)
        if text not in self._names:
            self._names[text] = name = f"table_{len(self._names)}"
            self.tables.append(text.replace("@", name, 1))
        return self._names[text]

    def numbers(self, values: NDArray[Any]) -> str:
        """Name of a table of doubles."""
        return self.table("double", [number(value) for value in np.asarray(values, np.float64).reshape(-1).tolist()])

    def whole(self, values: NDArray[np.integer], at: str = "k") -> str:
        """Entry ``at`` of a table of whole numbers, or the number that all of them are."""
        flat = np.asarray(values).reshape(-1).tolist()
        if len(set(flat)) == 1:
            return f"({flat[0]})" if flat[0] < 0 else str(flat[0])
        return f"{self.table('int32_t', [str(value) for value in flat])}[{at}]"

    def place(self, places: NDArray[np.integer], at: str = "k") -> str:
        """The place with the number ``at``: by a formula where they follow each other."""
        flat = np.asarray(places, np.int64).reshape(-1)
        if flat.size and flat[0] >= 0 and np.array_equal(flat, flat[0] + np.arange(len(flat))):
            return f"({flat[0]}u + {at})" if flat[0] else at
        return self.whole(flat, at)

    def doubles(self, count: int) -> str:
        """Name of a new array that is written."""
        return self._array("double", count)

    def lanes(self, count: int) -> str:
        """The same of lanes."""
        return self._array("int16_t", count)

    def _array(self, kind: str, count: int) -> str:
        name = f"value_{self._arrays}"
        self._arrays += 1
        self.tables.append(f"static {kind} {name}[{max(count, 1)}];")
        return name

    def loop(self, count: int, body: str) -> None:
        """``body`` for each ``k``."""
        self._lines.append(f"for (k = 0; k < {count}u; k++) {body}")

    def each(self, count: int, body: str) -> str:
        """A new array whose element ``to[k]`` the body writes; returns its name."""
        name = self.doubles(count)
        self.loop(count, body.replace("to[k]", f"{name}[k]"))
        return name
