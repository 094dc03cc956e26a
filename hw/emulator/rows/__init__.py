"""The emulator of cores of rows and columns: their converters are thresholds."""

from mho.hw.emulator.rows.config import RowEmulatorConfig
from mho.hw.emulator.rows.emulator import RowEmulator
from mho.hw.emulator.rows.macro import RowMacro

__all__ = ["RowEmulator", "RowEmulatorConfig", "RowMacro"]
