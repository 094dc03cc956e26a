"""Arrays of one transistor and one memristor a cell, whose columns share converters."""

from mho.hw.config.kinds.array.chip import ArrayChip

__all__ = ["ArrayChip"]

CHIP = ArrayChip
