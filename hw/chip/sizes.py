"""Tiles of a chip in words: what ``mho check`` prints of their memories."""

from hw.chip.map import address_width
from hw.config import TILE_FLITS, Chip
from hw.noc.config import MeshConfig
from hw.tile.config import TileConfig
from hw.tile.isa import ACCUMULATORS, DESCRIPTOR_WORDS, TABLE_ENTRIES, TABLES

__all__ = ["tile_sizes"]


def tile_sizes(chip: Chip) -> list[tuple[str, str]]:
    """Pairs of a name and a value with its unit; none for a chip that has no tiles."""
    if chip.cores == 1 or chip.mesh.payload_bits not in TILE_FLITS:
        return []
    cfg, mesh = TileConfig.from_chip(chip), MeshConfig.from_chip(chip)
    memories = {
        "buffer": (8 * cfg.buffer_bytes, f"{cfg.buffer_kib} KiB"),
        "program": (32 * cfg.instructions, f"{cfg.instructions} instructions of 32 bits"),
        "descriptors": (32 * DESCRIPTOR_WORDS, f"{DESCRIPTOR_WORDS} words of 32 bits"),
        "parameters": (64 * cfg.parameters, f"{cfg.parameters} of 64 bits"),
        "tables": (16 * TABLES * TABLE_ENTRIES, f"{TABLES} of {TABLE_ENTRIES} entries of 16 bits"),
        "accumulators": (32 * ACCUMULATORS, f"{ACCUMULATORS} of 32 bits"),
    }
    total = sum(bits for bits, _ in memories.values()) / 8192
    return [
        ("tiles", f"{chip.cores}, all alike: {cfg.lines} lines, {cfg.lanes} lanes, flits of {cfg.payload_bits} bits"),
        *((f"{name} of a tile", text) for name, (_, text) in memories.items()),
        ("memory", f"{total:g} KiB a tile, {total * chip.cores:g} KiB in all, without queues"),
        ("addresses", f"{1 << address_width(mesh):#x} bytes, {address_width(mesh)} bits"),
    ]
