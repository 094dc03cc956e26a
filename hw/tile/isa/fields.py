"""Fields in words: where the bits of instructions and descriptors are, and which values are legal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True)
class Field:
    """Bits of a word."""

    name: str
    width: int
    doc: str = ""
    """What it is; ``doc`` may be empty where the name says all."""
    low: int | None = None
    high: int | None = None
    """What is legal; by default all that the bits hold."""
    signed: bool = False
    """Whether it is in two's complement."""
    word: int = 0
    """Word of a descriptor that it is in."""
    names: type[IntEnum] | None = None
    """Enumeration whose members may stand for numbers in text."""

    @property
    def range(self) -> tuple[int, int]:
        """Least and largest legal value."""
        low = -(1 << self.width - 1) if self.signed else 0
        high = (1 << self.width - self.signed) - 1
        return low if self.low is None else self.low, high if self.high is None else self.high

    def holds(self, value: int) -> bool:
        """Whether a value is legal."""
        low, high = self.range
        return low <= value <= high


class Layout:
    """Fields in words, each at the next free bit of its word.

    Parameters
    ----------
    name
        What the words are.
    words
        How many.
    fields
        In the order of their bits.
    limit
        Bits of a word that fields may take.
    """

    def __init__(self, name: str, words: int, fields: Sequence[Field], limit: int = 32) -> None:
        self.name, self.words, self.fields = name, words, tuple(fields)
        self.low: dict[str, int] = {}
        used = [0] * words
        for field in self.fields:
            self.low[field.name] = used[field.word]
            used[field.word] += field.width
        if max(used) > limit:
            raise ValueError(f"Fields of {name} must fit in {limit} bits, not {used}")
        self._places = [(f, f.word, self.low[f.name], (1 << f.width) - 1) for f in self.fields]
        self._unused = [((1 << limit) - 1) ^ ((1 << bits) - 1) for bits in used]

    def __getitem__(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    def pack(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """Words of some values, legal or not; fields that are not given are 0."""
        words = [0] * self.words
        for field, word, low, mask in self._places:
            value = values.get(field.name, 0)
            if not -(mask // 2) - 1 <= value <= mask:
                raise ValueError(f"{field.name} of {self.name} must fit in {field.width} bits, not {value!r}")
            words[word] |= (value & mask) << low
        return tuple(words)

    def unpack(self, words: Sequence[int]) -> dict[str, int]:
        """Values of all fields, legal or not."""
        values = {}
        for field, word, low, mask in self._places:
            value = words[word] >> low & mask
            values[field.name] = value - mask - 1 if field.signed and value > mask >> 1 else value
        return values

    def spare(self, words: Sequence[int]) -> bool:
        """Whether a bit that belongs to no field is 1."""
        return any(word & unused for word, unused in zip(words, self._unused, strict=True))

    def illegal(self, values: Mapping[str, int]) -> Field | None:
        """The first field whose value is out of its range."""
        return next((f for f in self.fields if not f.holds(values[f.name])), None)
