"""Phase-change cores with pulse-width inputs and oscillators that count currents."""

from mho.hw.config.kinds.pwm.chip import PwmChip
from mho.hw.config.kinds.pwm.sections import (
    AdcSection,
    DigitalSection,
    PwmCellsSection,
    PwmClockSection,
    PwmCoreSection,
    PwmEnergySection,
    PwmProgrammingSection,
    PwmWiresSection,
    ReadSection,
    TimingSection,
)

__all__ = [
    "AdcSection", "DigitalSection", "PwmCellsSection", "PwmChip", "PwmClockSection", "PwmCoreSection",
    "PwmEnergySection", "PwmProgrammingSection", "PwmWiresSection", "ReadSection", "TimingSection",
]

CHIP = PwmChip
