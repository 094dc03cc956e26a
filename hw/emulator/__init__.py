"""The array emulator: behind the pins of a core, in place of its macro, serial arithmetic on memories of an FPGA."""

from mho.hw.emulator.config import EmulatorConfig, LoadLayout, LoadWord
from mho.hw.emulator.kind import CoreLoads, EmulatorKind
from mho.hw.emulator.macro import EmulatedCore, EmulatedMacro

__all__ = ["CoreLoads", "EmulatedCore", "EmulatedMacro", "EmulatorConfig", "EmulatorKind", "LoadLayout", "LoadWord"]
