"""The array emulator: a core, or its macro, as serial arithmetic on memories of an FPGA."""

from mho.hw.emulator.config import EmulatorConfig, chunk_cells
from mho.hw.emulator.layout import LoadLayout
from mho.hw.emulator.pins.config import PinEmulatorConfig
from mho.hw.emulator.pins.core import PinLevelCore
from mho.hw.emulator.pins.macro import PinLevelMacro
from mho.hw.emulator.pins.pulse_loads import law_loads, logged_pulses, record_loads, table_words
from mho.hw.emulator.vector.emulator import VectorEmulator
from mho.hw.emulator.vector.reference import (
    LineTable,
    LoadWord,
    TableCache,
    cell_loads,
    check_core,
    line_table,
    noise_loads,
    programmed_core,
    table_loads,
)

__all__ = [
    "EmulatorConfig",
    "LineTable",
    "LoadLayout",
    "LoadWord",
    "PinEmulatorConfig",
    "PinLevelCore",
    "PinLevelMacro",
    "TableCache",
    "VectorEmulator",
    "cell_loads",
    "check_core",
    "chunk_cells",
    "law_loads",
    "line_table",
    "logged_pulses",
    "noise_loads",
    "programmed_core",
    "record_loads",
    "table_loads",
    "table_words",
]
