"""Transposable neurosynaptic array, sensed in voltage mode, its cells programmed by pulses."""

from mho.hw.config.kinds.tnsa.chip import TnsaChip
from mho.hw.config.kinds.tnsa.sections import AdcSection, TnsaCoreSection, TnsaEnergySection

__all__ = ["AdcSection", "TnsaChip", "TnsaCoreSection", "TnsaEnergySection"]

CHIP = TnsaChip
