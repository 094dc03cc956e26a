"""The array emulator: a core, or its macro, as serial arithmetic on memories of an FPGA."""

from hw.macro.emulator.config import EmulatorConfig
from hw.macro.emulator.emulator import VectorEmulator
from hw.macro.emulator.layout import LoadLayout, TagLayout
from hw.macro.emulator.pin_config import PinEmulatorConfig
from hw.macro.emulator.pin_core import PinLevelCore
from hw.macro.emulator.pin_level import PinLevelMacro
from hw.macro.emulator.pulse_reference import EmulatedCells, PulseTable, cell_code, pulse_loads, verify_code
from hw.macro.emulator.reference import (
    EmulatorReference,
    LineTable,
    LoadWord,
    TableCache,
    cell_loads,
    check_core,
    line_table,
    noise_loads,
    table_loads,
)

__all__ = [
    "EmulatedCells",
    "EmulatorConfig",
    "EmulatorReference",
    "LineTable",
    "LoadLayout",
    "LoadWord",
    "PinEmulatorConfig",
    "PinLevelCore",
    "PinLevelMacro",
    "PulseTable",
    "TableCache",
    "TagLayout",
    "VectorEmulator",
    "cell_code",
    "cell_loads",
    "check_core",
    "line_table",
    "noise_loads",
    "pulse_loads",
    "table_loads",
    "verify_code",
]
