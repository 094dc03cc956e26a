"""The emulator of cores of rows and columns: their converters are thresholds."""

from mho.hw.emulator.rows.macro import RowEmulator, RowEmulatorConfig, RowMacro

__all__ = ["RowEmulator", "RowEmulatorConfig", "RowMacro"]
