"""Transposable neurosynaptic array, sensed in voltage mode, its cells programmed by pulses."""

from mho.hw.config.kinds.tnsa.chip import TnsaChip
from mho.hw.config.kinds.tnsa.sections import (
    AdcSection,
    NeuronSection,
    ReadSection,
    TimingSection,
    TnsaCoreSection,
    TnsaEnergySection,
    WiresSection,
)

__all__ = [
    "AdcSection", "NeuronSection", "ReadSection", "TimingSection", "TnsaChip", "TnsaCoreSection", "TnsaEnergySection",
    "WiresSection",
]

CHIP = TnsaChip
