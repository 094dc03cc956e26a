"""Trees of sections as dotted keys, and which of them two descriptions do not have alike."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


def dotted(tree: Mapping[str, object], under: str = "") -> Iterator[tuple[str, object]]:
    """Each key of a tree with those of the sections above it, as in ``adc.bits``, and its value.

    A key that itself has dots, written in quotes, comes as it is; so a name may come twice.
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{under}{key}.")
        else:
            yield f"{under}{key}", value


_PLAIN = ("name", "description", "schema")
_QUIET = ("fit", "confidence", "pulse_fit")
"""Sections of a device that say where the numbers come from."""

_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class KeyDifference:
    """A key that two descriptions do not have alike; None of the one that has it not."""

    key: str
    first: object
    second: object

    @property
    def ratio(self) -> float | None:
        """The second by the first, where both are numbers of one sign."""
        both = (self.first, self.second)
        numbers = [value for value in both if isinstance(value, (int, float)) and not isinstance(value, bool)]
        if len(numbers) < 2 or not numbers[0] * numbers[1] > 0.0:
            return None
        return float(numbers[1] / numbers[0])

    @property
    def texts(self) -> tuple[str, str, str]:
        """Key and both values, not too long for a table."""
        return self.key, _text(self.first), _text(self.second)

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"key": self.key, "first": self.first, "second": self.second, "ratio": self.ratio}


def key_differences(first: Mapping[str, object], second: Mapping[str, object]) -> list[KeyDifference]:
    """Dotted keys that are not the same, in the order of the first; sources and descriptions are left out."""
    left, right = dict(dotted(first)), dict(dotted(second))
    return [
        KeyDifference(key=key, first=left.get(key), second=right.get(key)) for key in dict.fromkeys([*left, *right])
        if left.get(key) != right.get(key) and key.rpartition(".")[2] not in ("source", "description")
    ]


def description_differences(first: Mapping[str, object], second: Mapping[str, object]) -> list[KeyDifference]:
    """Keys of two chips or of two devices, without what they are called and where numbers come from."""
    return [
        difference for difference in key_differences(first, second)
        if difference.key not in _PLAIN and difference.key.partition(".")[0] not in _QUIET
    ]


def _text(value: object) -> str:
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
