"""The chip description: parsing, presets, checks. Importable by every part of the project."""

from hw.config.chip import (
    AdcSection,
    CellsSection,
    Chip,
    ClockSection,
    CoreSection,
    MeshSection,
    NeuronSection,
    ReadSection,
    TimingSection,
    VerilogSection,
    WiresSection,
)
from hw.config.describe import Row, describe, sizes, warnings
from hw.config.keys import ChipError
from hw.config.load import load_chip, parse_override, preset_names, preset_text
from hw.config.macro import MacroSection, PinConnection
from hw.config.models import check_device, default_device, macro_config, pulse_config, wire_warnings
from hw.config.programming import ProgrammingSection
from hw.config.schema import json_schema

__all__ = [
    "AdcSection",
    "CellsSection",
    "Chip",
    "ChipError",
    "ClockSection",
    "CoreSection",
    "MacroSection",
    "MeshSection",
    "NeuronSection",
    "PinConnection",
    "ProgrammingSection",
    "ReadSection",
    "Row",
    "TimingSection",
    "VerilogSection",
    "WiresSection",
    "check_device",
    "default_device",
    "describe",
    "json_schema",
    "load_chip",
    "macro_config",
    "parse_override",
    "preset_names",
    "preset_text",
    "pulse_config",
    "sizes",
    "warnings",
    "wire_warnings",
]
