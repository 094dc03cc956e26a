"""What is known of the digital part in a library of standard cells, key by key (:mod:`mho.sim.silicon`)."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

__all__ = ["BlockArea", "BlockEnergy", "MemoryArea", "MemoryEnergy", "Silicon", "SiliconEnergy", "TileEnergy"]


class BlockArea(TypedDict):
    """A module and its instances: areas in µm², alone and buffered."""

    module: str
    instances: int
    flip_flops: int
    area: float
    buffered: float


class MemoryArea(TypedDict):
    """A memory: how often it is there, what it is made of, and the area of all its instances in µm²."""

    memory: str
    instances: int
    made_of: str
    area: float


class BlockEnergy(TypedDict):
    """Energy of a block for an input, by switching and by an average activity."""

    block: str
    image_pJ: float
    average_pJ: float


class TileEnergy(TypedDict):
    """Energy of a tile for an input, and what is there anyway; of what is around the tiles, ``tile`` is None."""

    tile: str | None
    image_pJ: float
    still_pJ: float
    memory_pJ: NotRequired[float]


class MemoryEnergy(TypedDict):
    """Accesses to a memory for an input, and their energy."""

    memory: str
    writes: float
    reads: float
    both: float
    """Cycles in which it writes and reads."""
    two_ports: bool
    image_pJ: float


class SiliconEnergy(TypedDict):
    """Energy of the digital part for an input."""

    image_pJ: float
    average_pJ: float
    still_pJ: float
    memory_pJ: NotRequired[float]
    average_activity: float
    cycles: float
    what: str
    left_out: str
    blocks: Sequence[BlockEnergy]
    tiles: Sequence[TileEnergy]
    unseen_tiles: Sequence[str]
    clock_gates: int
    named_nets: float
    named_flip_flops: float
    memories: NotRequired[Sequence[MemoryEnergy]]


class Silicon(TypedDict):
    """Area of the digital part, and its energy where waveforms are given."""

    library: str
    what: str
    tiles: int
    blocks: Sequence[BlockArea]
    area_mm2: float
    buffered_mm2: float
    flip_flops: int
    memory_bits: Mapping[str, int]
    memory_mm2: NotRequired[float]
    memories: NotRequired[Sequence[MemoryArea]]
    macros: NotRequired[Sequence[str]]
    energy: NotRequired[SiliconEnergy]
