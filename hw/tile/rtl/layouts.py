"""Bits of instructions, descriptors and parameters as the hardware sees them."""

from collections.abc import Sequence

from amaranth.hdl import Const, Mux, Value, signed, unsigned
from amaranth.lib import data

from mho.hw.tile.isa import DESCRIPTORS, PARAMETER
from mho.hw.tile.isa.descriptors import Layout


def rotated(values: Sequence[Value], by: Value) -> list[Value]:
    """Values in the order ``values[by]``, ``values[by + 1]`` and so on, round and round."""
    turned, count = list(values), len(values)
    # The largest step first: where the last values are not wanted, what is before them is less than all.
    for k, bit in reversed(list(enumerate(by))):
        turned = [Mux(bit, turned[(place + (1 << k)) % count], value) for place, value in enumerate(turned)]
    return turned


def rows(index: Value, banks: int) -> list[Value]:
    """Rows of the banks that hold the words ``index``, ``index + 1`` and so on, in the order of the banks."""
    low = (banks - 1).bit_length()
    later = [index[:low] > bank if bank < banks - 1 else 0 for bank in range(banks)]
    return [(index[low:] + carry)[: len(index) - low] for carry in later]


_WORD = 32
PC_BITS = 9
"""Bits of the address of an instruction."""

class IssueLayout(data.StructLayout):
    """An instruction that goes to an engine: its ``word`` and its address ``pc``."""

    def __init__(self) -> None:
        super().__init__({"word": _WORD, "pc": PC_BITS})


class TrapLayout(data.StructLayout):
    """Why and where a tile stopped: ``cause`` (not 0 if it did), ``engine``, ``pc``, ``stream``."""

    def __init__(self) -> None:
        super().__init__({"cause": 4, "engine": 2, "pc": PC_BITS, "stream": 4})


class DescriptorWrite(data.StructLayout):
    """A ``word`` for descriptor memory, at ``index``."""

    def __init__(self) -> None:
        super().__init__({"index": 8, "word": _WORD})


class WordsLayout(data.FlexibleLayout):
    """Some words of 32 bits, the first one lowest, with the fields that ``layout`` puts there."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(_WORD * layout.words, {
            f.name: data.Field(
                signed(f.width) if f.signed else unsigned(f.width), _WORD * f.word + layout.low[f.name]
            )
            for f in layout.fields
        })


class DescriptorLayout(WordsLayout):
    """A descriptor of one of the kinds in :data:`mho.hw.tile.isa.DESCRIPTORS`."""

    def __init__(self, kind: str) -> None:
        super().__init__(DESCRIPTORS[kind].layout)


class ParameterLayout(WordsLayout):
    """A word of the parameter memory."""

    def __init__(self) -> None:
        super().__init__(PARAMETER)


def beyond(value: Value, low: int, high: int) -> Value:
    """Whether an unsigned number is out of a range. To be 0 takes no carry chain, which to be less than 1 does."""
    wrong: Value = Const(0)
    if low > 0:
        wrong = ~value.any() if low == 1 else value < low
    if high < (1 << len(value)) - 1:
        wrong |= value > high
    return wrong


def own_wrongs(kind: str, value: data.View) -> tuple[Value, Value]:
    """Whether a bit of a descriptor that belongs to no field is 1, and a field is out of its range."""
    layout, raw = DESCRIPTORS[kind].layout, value.as_value()
    spare: Value = Const(0)
    for word in range(layout.words):
        bits = sum(f.width for f in layout.fields if f.word == word)
        if bits < _WORD:
            spare |= raw[_WORD * word + bits : _WORD * (word + 1)].any()
    wrong: Value = Const(0)
    for field in layout.fields:
        if not field.signed:
            wrong |= beyond(value[field.name], *field.range)
    return spare, wrong
