"""Tiles of a chip in words: what ``mho check`` prints of their memories."""

from mho.hw.chip.map import address_width
from mho.hw.config import TILE_FLITS, Chip
from mho.hw.noc.config import MeshConfig
from mho.hw.tile.config import TileConfig
from mho.hw.tile.isa import ACCUMULATORS, DESCRIPTOR_WORDS, TABLE_ENTRIES, TABLES

_NAMED = 3
"""Tiles of a kind that are all named."""


def tile_sizes(chip: Chip) -> list[tuple[str, str]]:
    """Pairs of a name and a value with its unit; none for a chip that has no tiles."""
    if not chip.tiled or chip.mesh.payload_bits not in TILE_FLITS:
        return []
    mesh, kinds = MeshConfig.from_chip(chip), dict[TileConfig, list[str]]()
    for name, cfg in TileConfig.of_tiles(chip).items():
        kinds.setdefault(cfg, []).append(name)
    total = sum(_kib(cfg) * len(names) for cfg, names in kinds.items())
    memories = ", ".join(dict.fromkeys(f"{_kib(cfg):g}" for cfg in kinds))
    first = next(iter(kinds))
    alike = "all alike" if len(kinds) == 1 else f"of {len(kinds)} kinds"
    lanes = " or ".join(dict.fromkeys(str(cfg.lanes) for cfg in kinds))
    common = f"{first.lines} lines, {lanes} lanes, flits of {first.payload_bits} bits"
    rows = [("tiles", f"{chip.cores}, {alike}: {common}")]
    for cfg, names in kinds.items():
        places = " ".join(names) if len(names) <= _NAMED else f"{names[0]} and {len(names) - 1} more"
        where = "a tile" if len(kinds) == 1 else f"tile {places}"
        if len(kinds) > 1:
            rows.append((f"lanes of {where}", str(cfg.lanes)))
        rows += [(f"{name} of {where}", text) for name, (_, text) in _memories(cfg).items()
                  if cfg is first or text != _memories(first)[name][1]]
    return [
        *rows, ("memory", f"{memories} KiB a tile, {total:g} KiB in all, without queues"),
        ("addresses", f"{1 << address_width(mesh):#x} bytes, {address_width(mesh)} bits"),
    ]


def _kib(cfg: TileConfig) -> float:
    return sum(bits for bits, _ in _memories(cfg).values()) / 8192


def _memories(cfg: TileConfig) -> dict[str, tuple[int, str]]:
    """Bits and words of the memories of a tile, by name."""
    return {
        "buffer": (8 * cfg.buffer_bytes, f"{cfg.buffer_kib} KiB"),
        "program": (32 * cfg.instructions, f"{cfg.instructions} instructions of 32 bits"),
        "descriptors": (32 * DESCRIPTOR_WORDS, f"{DESCRIPTOR_WORDS} words of 32 bits"),
        "parameters": (64 * cfg.parameters, f"{cfg.parameters} of 64 bits"),
        "tables": (16 * TABLES * TABLE_ENTRIES, f"{TABLES} of {TABLE_ENTRIES} entries of 16 bits"),
        "accumulators": (32 * ACCUMULATORS, f"{ACCUMULATORS} of 32 bits"),
    }
