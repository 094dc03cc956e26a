"""Bits of instructions, descriptors and parameters as the hardware sees them."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hw.tile.fields import Layout
from hw.tile.isa import DESCRIPTORS, PARAMETER

__all__ = ["DescriptorLayout", "ParameterLayout", "WordsLayout"]

_WORD = 32


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
    """A descriptor of one of the kinds in :data:`hw.tile.isa.DESCRIPTORS`."""

    def __init__(self, kind: str) -> None:
        super().__init__(DESCRIPTORS[kind].layout)


class ParameterLayout(WordsLayout):
    """A word of the parameter memory."""

    def __init__(self) -> None:
        super().__init__(PARAMETER)
