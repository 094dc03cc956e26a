"""The array emulator: a core, or its macro, as serial arithmetic on memories of an FPGA."""

from hw.macro.emulator.config import EmulatorConfig
from hw.macro.emulator.emulator import VectorEmulator
from hw.macro.emulator.layout import LoadLayout, TagLayout
from hw.macro.emulator.reference import (
    EmulatorReference,
    LineTable,
    LoadWord,
    TableCache,
    cell_loads,
    check_core,
    line_table,
    table_loads,
)

__all__ = [
    "EmulatorConfig",
    "EmulatorReference",
    "LineTable",
    "LoadLayout",
    "LoadWord",
    "TableCache",
    "TagLayout",
    "VectorEmulator",
    "cell_loads",
    "check_core",
    "line_table",
    "table_loads",
]
