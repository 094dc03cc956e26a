"""The array emulator: a core, or its macro, as serial arithmetic on memories of an FPGA."""

from hw.macro.emulator.config import EmulatorConfig
from hw.macro.emulator.emulator import VectorEmulator
from hw.macro.emulator.layout import LoadLayout, TagLayout
from hw.macro.emulator.pin_config import PinEmulatorConfig
from hw.macro.emulator.pin_core import PinLevelCore
from hw.macro.emulator.pin_level import PinLevelMacro
from hw.macro.emulator.pulse_loads import law_loads, logged_pulses, record_loads, table_words
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
    "EmulatorConfig",
    "EmulatorReference",
    "LineTable",
    "LoadLayout",
    "LoadWord",
    "PinEmulatorConfig",
    "PinLevelCore",
    "PinLevelMacro",
    "TableCache",
    "TagLayout",
    "VectorEmulator",
    "cell_loads",
    "check_core",
    "law_loads",
    "line_table",
    "logged_pulses",
    "noise_loads",
    "record_loads",
    "table_loads",
    "table_words",
]
