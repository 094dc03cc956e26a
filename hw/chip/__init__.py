"""Chips: a core, or a mesh of tiles, behind a bus."""

from hw.chip.chip import Chip
from hw.chip.config import ChipParts
from hw.chip.tops import WRAPS, BusTop, ChipTop, build_chip, build_tile, build_top, configurations, top_name

__all__ = ["WRAPS", "BusTop", "Chip", "ChipParts", "ChipTop", "build_chip", "build_tile", "build_top",
           "configurations", "top_name"]
