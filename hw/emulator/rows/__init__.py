"""The emulator of cores of rows and columns: the core as it is on a chip, and behind its pins integers in block RAM."""

from mho.hw.emulator.rows.config import RowEmulatorConfig
from mho.hw.emulator.rows.core import RowLevelCore
from mho.hw.emulator.rows.emulator import RowEmulator
from mho.hw.emulator.rows.macro import RowMacro

__all__ = ["RowEmulator", "RowEmulatorConfig", "RowLevelCore", "RowMacro"]
