"""Fields in words: descriptors, parameters and the status, where their bits are and which values are legal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from mho.hw.tile.isa.codes import STREAMS, Cause, Engine, Format, Kind, Operand


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


def _flag(name: str, doc: str) -> Field:
    return Field(name, 1, doc)


def _word(word: int, *fields: Field) -> list[Field]:
    """Fields of one word of a descriptor."""
    return [replace(field, word=word) for field in fields]


@dataclass(frozen=True)
class Descriptor:
    """A kind of descriptor: how many there are, at which words of descriptor memory, their bits."""

    first: int
    count: int
    doc: str
    layout: Layout

    def at(self, number: int) -> slice:
        """Words of one of them."""
        start = self.first + number * self.layout.words
        return slice(start, start + self.layout.words)

    def values(self, memory: Sequence[int], number: int) -> dict[str, int]:
        """Values of the fields of one of them in descriptor memory, legal or not."""
        return self.layout.unpack(memory[self.at(number)])

    def written(self, first: int, count: int) -> list[int]:
        """Numbers of those that have a word among ``count`` of descriptor memory from word ``first`` on."""
        return [n for n in range(self.count) if first < self.at(n).stop and self.at(n).start < first + count]


_STREAM_FIELDS = [
    *_word(
        0, Field("base", 16, "Byte of the buffer at which the ring begins."),
        Field("block", 12, "Bytes of a block.", low=1), Field("slot", 4, "Slot of the node that fills it, if remote."),
    ),
    *_word(
        1, Field("blocks", 8, "Blocks of the ring; two are free at least when it is remote.", low=1),
        Field("first", 8, "Blocks that are there at the start."), _flag("remote", "Others fill it."),
    ),
]

_WALK_FIELDS = [
    *_word(
        0, Field("stream", 4, "Stream of pixels, a block each, row by row."),
        Field("run", 12, "Bytes that are taken of a pixel.", low=1), Field("channel", 12, "First of these bytes."),
        Field("repeat", 4, "How often the whole window is given.", low=1),
    ),
    *_word(
        1, Field("kernel_x", 5, low=1), Field("kernel_y", 5, low=1), Field("dilation_x", 4, low=1),
        Field("dilation_y", 4, low=1), Field("stride_x", 3, low=1), Field("stride_y", 3, low=1),
        Field("pad_x", 4, "Columns before the image."), Field("pad_y", 4, "Rows before the image."),
    ),
    *_word(
        2, Field("width", 10, "Pixels of a row.", low=1), Field("height", 10, "Rows.", low=1),
        Field("positions_x", 10, "Positions in a row.", low=1),
    ),
    *_word(
        3, Field("positions_y", 10, "Rows of positions.", low=1),
        Field("pad", 16, "Byte of the buffer at which what stands for a pixel outside of the image begins."),
        Field("tail", 6, "Bytes behind it that follow the window: rows that take a constant."),
    ),
]

_MVM_FIELDS = [
    *_word(0, Field("operation", 32, "Number of the first conversion at position 0.")),
    *_word(1, Field("op", 32, "Descriptor of the core without its number, low bits.")),
    *_word(
        2, Field("op_high", 16, "Its high bits."),
        Field("conversions", 16, "Numbers from one position to the next.", low=1),
    ),
    *_word(
        3, Field("i_first", 6, "First word that the core takes."), Field("i_last", 6, "Last one."),
        Field("o_first", 7, "First word that it gives."), Field("o_last", 7, "Last one."),
    ),
]

_VEC_FIELDS = [
    *_word(
        0, Field("kind", 3, names=Kind), Field("a", 5, "Source.", names=Operand),
        Field("b", 5, "Second source, or number of the table.", names=Operand),
        Field("target", 5, "Stream, or accumulators.", names=Operand),
        Field("a_format", 2, high=2, names=Format), Field("b_format", 2, high=2, names=Format),
        _flag("wide", "Results are lanes, else bytes."), _flag("add", "Sums begin at the accumulators, all 32 bits."),
        Field("shift", 5),
    ),
    *_word(
        1, Field("elements", 11, "Elements of the result.", low=1, high=1024),
        Field("parameters", 10, "Its first parameter."),
        Field("period", 10, "Elements after which parameters begin anew; those of b follow those of a.", low=1),
    ),
    *_word(
        2, Field("lo", 16, "Least result.", signed=True), Field("hi", 16, "Largest result.", signed=True),
    ),
    *_word(
        3, Field("a_offset", 10, "First element of a block that is taken."), Field("b_offset", 10),
        Field("target_offset", 10, "First element of a block that is written."),
    ),
]

DESCRIPTORS: dict[str, Descriptor] = {
    "stream": Descriptor(0, STREAMS, "A ring of blocks in the buffer.", Layout("stream", 2, _STREAM_FIELDS)),
    "walk": Descriptor(32, 8, "A window that moves over an image in a ring.", Layout("walk", 4, _WALK_FIELDS)),
    "mvm": Descriptor(64, 8, "A product.", Layout("mvm", 4, _MVM_FIELDS)),
    "vec": Descriptor(96, 16, "A vector operation.", Layout("vec", 4, _VEC_FIELDS)),
}
"""Kinds of descriptors by name."""

DESCRIPTOR_WORDS = 160
"""Words of descriptor memory."""

PARAMETER = Layout("parameter", 2, [
    *_word(0, Field("m", 16, "Multiplier.", signed=True), Field("c", 16, "Taken off the source.", signed=True)),
    *_word(
        1, Field("d", 17, "Added after the shift.", signed=True), Field("target", 8, "Accumulator of the element."),
        _flag("valid", "The element goes there; without it, nowhere."),
        _flag("start", "The accumulator begins at 0 here."),
    ),
])
"""A word of 64 bits of the parameter memory, low half first. Bits that belong to no field are ignored."""

STATUS = Layout("status", 2, [
    *_word(0, Field("cause", 4, names=Cause), Field("engine", 2, names=Engine), Field("pc", 9), Field("stream", 4)),
    *_word(1, Field("image", 32)),
])
"""What the host reads of a tile that trapped. ``stream`` is 0 where none is concerned."""
