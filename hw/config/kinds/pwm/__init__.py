"""Phase-change cores with pulse-width inputs and oscillators that count currents."""

from mho.hw.config.kinds.pwm.chip import PwmChip

__all__ = ["PwmChip"]

CHIP = PwmChip
