"""The emulator of the transposable core."""

from mho.hw.emulator.kinds.tnsa.emulator import TnsaEmulator

__all__ = ["EMULATOR"]

EMULATOR = TnsaEmulator()
