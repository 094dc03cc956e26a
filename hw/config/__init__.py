"""The chip description: parsing, presets, checks. Importable by every part of the project."""

from hw.config.chip import (
    SYNCHRONISER_CYCLES,
    TILE_FLITS,
    CellsSection,
    Chip,
    ClockSection,
    CoreSection,
    MeshSection,
    TileSection,
    VerilogSection,
)
from hw.config.cost import AreaSection, EnergySection, ProcessSection
from hw.config.describe import Row, describe, sizes, warnings
from hw.config.device import check_device, default_device
from hw.config.keys import ChipError
from hw.config.kinds import chip_class, kind_names
from hw.config.load import load_chip, parse_override, preset_names, preset_text
from hw.config.macro import MacroSection
from hw.config.pin_map import PinConnection, PinPart
from hw.config.programming import ProgrammingSection, PulseChip
from hw.config.schema import json_schema
from hw.config.tree import chip_from_dict

__all__ = [
    "SYNCHRONISER_CYCLES", "TILE_FLITS", "AreaSection", "CellsSection", "Chip", "ChipError", "ClockSection",
    "CoreSection", "EnergySection", "MacroSection", "MeshSection", "PinConnection", "PinPart", "ProcessSection",
    "ProgrammingSection", "PulseChip", "Row", "TileSection", "VerilogSection", "check_device", "chip_class",
    "chip_from_dict", "default_device", "describe", "json_schema", "kind_names", "load_chip", "parse_override",
    "preset_names", "preset_text", "sizes", "warnings",
]
