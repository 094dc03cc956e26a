"""What the parts of an emulated core say to each other, and the words of its load port."""

from typing import Protocol

from amaranth.lib import data

from mho.hw.emulator.config import EmulatorConfig
from mho.hw.kinds.tnsa.results.counters import COUNT_BITS
from mho.macro_models.integer.operation import STEP_WIDTH

__all__ = ["ENABLE_BANKS", "LINES", "ContextLayout", "LoadLayout", "LoadShape", "TagLayout", "index_width"]

ENABLE_BANKS = 4
"""Operations whose enabled lines are held: one that loads, one that accumulates, one that converts."""

CELLS, TABLES, TAGS, PULSES, NOISE = 0, 1, 2, 3, 3
"""Regions of the load port. The last is that of pulses at the level of the pins, and of noise at the vector level."""

NOISE_KEY, NOISE_STEP = 0, 1
"""Indices in the region of noise, from :attr:`EmulatorConfig.noise_base` on."""


LINES = 4096
"""Index of the first word of word lines in the region of pulses."""


class LoadShape(Protocol):
    """What the load port needs of the configuration of an emulator."""

    @property
    def load_words(self) -> int:
        """Words of its largest region."""
        ...


def index_width(cfg: LoadShape) -> int:
    """Bits of the index of a word within a region of the load port."""
    return (cfg.load_words - 1).bit_length()


class TagLayout(data.StructLayout):
    """What a slot's table is for. ``valid`` is 0 from power-on until it is written."""

    def __init__(self) -> None:
        super().__init__({"step_code": STEP_WIDTH, "wl_select": 3, "backward": 1, "valid": 1})


class LoadLayout(data.StructLayout):
    """A word of the load port: ``index`` of a word in a ``region``, and the word.

    Region 0: cells, row by row, :attr:`EmulatorConfig.chunk_cells` a word, lowest source line first, each in
    ``32 / chunk_cells`` bits. Region 1: tables, four words a line (half offset, half steps from positive and from
    negative charges, nothing), lines of slot 0 first. Region 2: tags of the slots, :class:`TagLayout`. Region 3, at the
    vector level: key and step of :class:`mho.macro_models.integer.shift_register.ShiftRegister`; at the level of the
    pins: these, word lines of the slots and answer to pulses, see :mod:`mho.hw.emulator.pins.config`.
    """

    def __init__(self, cfg: LoadShape) -> None:
        super().__init__({"index": index_width(cfg), "region": 2, "data": 32})


class ContextLayout(data.StructLayout):
    """What the converter needs to know of the operation to which a line belongs.

    ``cap`` is the largest count, ``number`` tells operations under way apart, ``known``: there is a table for it;
    ``planes`` (less one) are those of the conversion.
    """

    def __init__(self, cfg: EmulatorConfig) -> None:
        super().__init__({
            "two": 1, "high": 1, "relu": 1, "binary": 1, "early_stop": 1, "cap": COUNT_BITS,
            "slot": range(cfg.slots), "known": 1, "number": range(ENABLE_BANKS), "planes": 2,
        })
