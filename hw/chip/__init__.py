"""Chips: a core, or a mesh of tiles, behind a bus."""

from typing import TYPE_CHECKING

from mho.macro_models.lazy import lazy_names

if TYPE_CHECKING:
    from mho.hw.chip.chip import TiledChip
    from mho.hw.chip.config import ChipParts
    from mho.hw.chip.tops import (
        WRAPS,
        BusTop,
        ChipTop,
        build_chip,
        build_tile,
        build_top,
        configurations,
        serial_line,
        top_name,
    )

__all__ = [
    "WRAPS", "BusTop", "ChipParts", "ChipTop", "TiledChip", "build_chip", "build_tile", "build_top", "configurations",
    "serial_line", "top_name",
]

__getattr__ = lazy_names(__name__, {
    "mho.hw.chip.chip": ("TiledChip",),
    "mho.hw.chip.config": ("ChipParts",),
    "mho.hw.chip.tops": (
        "WRAPS", "BusTop", "ChipTop", "build_chip", "build_tile", "build_top", "configurations",
        "serial_line", "top_name",
    ),
})
