"""The words of the load port of an emulator."""

from dataclasses import dataclass
from typing import Protocol

from amaranth.lib import data

CELLS, TABLES, TAGS, EXTRA = range(4)
"""Regions of the load port. The last is the kind's own."""


class LoadShape(Protocol):
    """What the load port needs of the configuration of an emulator."""

    @property
    def load_words(self) -> int:
        """Words of its largest region."""
        ...


def index_width(cfg: LoadShape) -> int:
    """Bits of the index of a word within a region of the load port."""
    return (cfg.load_words - 1).bit_length()


class LoadLayout(data.StructLayout):
    """A word of the load port: ``index`` of a word in a ``region``, and the word.

    Region 0: cells, :attr:`EmulatorConfig.chunk_cells` a word, the lowest column lowest, each in ``32 / chunk_cells``
    bits. Region 1: tables, that of slot 0 first. Region 2: tags of the slots, what a table is for and above it a 1.
    """

    def __init__(self, cfg: LoadShape) -> None:
        super().__init__({"index": index_width(cfg), "region": 2, "data": 32})


@dataclass(frozen=True)
class LoadWord:
    """A word of the load port, see :class:`LoadLayout`."""

    region: int
    index: int
    data: int

    def payload(self) -> dict[str, int]:
        """As the payload of the stream."""
        return {"region": self.region, "index": self.index, "data": self.data}
