"""The chip description: parsing, presets, checks. Importable by every part of the project."""

from mho.hw.config.chip import SYNCHRONISER_CYCLES, TILE_FLITS, CellsSection, Chip, ClockSection
from mho.hw.config.cost import AreaSection, ProcessSection
from mho.hw.config.describe import describe, sizes, warnings
from mho.hw.config.device import check_device, default_device
from mho.hw.config.keys import ChipError
from mho.hw.config.kinds import chip_class, kind_names
from mho.hw.config.load import load_chip, parse_override, preset_names, preset_text
from mho.hw.config.macros.macro import MacroSection
from mho.hw.config.macros.pin_map import PinConnection, PinPart
from mho.hw.config.programming import ProgrammingSection, PulseChip
from mho.hw.config.tree import chip_from_dict

__all__ = [
    "SYNCHRONISER_CYCLES", "TILE_FLITS", "AreaSection", "CellsSection", "Chip", "ChipError", "ClockSection",
    "MacroSection", "PinConnection", "PinPart", "ProcessSection",
    "ProgrammingSection", "PulseChip", "check_device", "chip_class",
    "chip_from_dict", "default_device", "describe", "kind_names", "load_chip", "parse_override",
    "preset_names", "preset_text", "sizes", "warnings",
]
