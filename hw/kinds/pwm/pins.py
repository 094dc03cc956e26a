"""Pins of a phase-change macro, as the digital core sees them.

The digital side makes the pulses: widths are counts of its clock, and the macro has nothing to do but to drive a word
line while a pin is 1. The counters belong to the macro, because an oscillator (up to 3.3 GHz) is faster than the clock;
they are read as a memory of registers is, ``lanes`` columns a cycle, and not by 24 wires a column.

Everything that the macro sees comes from flip-flops. A strobe is one cycle long.
"""

from collections.abc import Mapping

from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.macro.contract import ContractPins
from mho.hw.ports import In, Out
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, TRIM_BITS
from mho.macro_models.integer.pwm.programming import AMPLITUDE_TOP


def engine_pins(cfg: PwmCoreConfig) -> dict[str, int]:
    """Pins by which an engine programs devices, beside those of conversions: widths by name."""
    return {
        "amplitude_write": 1, "amplitude_column": (cfg.lines - 1).bit_length(),
        "amplitude_data": AMPLITUDE_TOP.bit_length() + 1, "pulse": 1,
    }


class PwmPins(ContractPins):
    """Signature of the macro, seen from the digital side (``Out`` drives the macro)."""

    module = "pwm_macro"
    strobes = ("start", "capture")
    watched = (
        "count_row", "trim_write", "trim_column", "trim_data", "amplitude_write", "amplitude_column", "amplitude_data",
    )
    pulses = ("row_pos", "row_neg", "pulse")

    row_pos = Out(lambda self: self.lines)
    row_neg = Out(lambda self: self.lines)
    """Pulses of rows with a positive or a negative input; never both. Where a pin is 1 the modulator of the row drives
    the devices that the two pins below select."""
    device_pos = Out(1)
    device_neg = Out(1)
    """Devices for the positive, the negative part of weights are driven: both in the one window of a product of one; of
    four windows in turn (+, +), (-, -), (+, -), (-, +) of (inputs, devices). The first two are the positive
    oscillators', the others the negative ones'."""
    wl_en = Out(lambda self: self.cfg.mask_lines)
    """Word lines of devices, ``cells`` a row, that are on in this product."""
    start = Out(1)
    """Strobe: counters go to 0. Phases of the oscillators stay. From here to the capture the word lines, ``step_code``,
    ``shift`` and ``op_id`` stay."""
    window = Out(1)
    """1 while pulses may come. Counters count while it is 1."""
    step_code = Out(16)
    """Ratio of the current mirrors: charge of one output step, in 2**-14 of what brings an oscillator to its highest
    frequency."""
    shift = Out(3)
    """Bits by which magnitudes were shifted up to be widths: the mirrors are so many powers of two less sensitive."""
    op_id = Out(64)
    """Number of this conversion. Left open in silicon."""
    reference = Out(1)
    """A conversion of reference currents."""
    reference_pos = Out(2)
    reference_neg = Out(2)
    """Quarters of the highest frequency that reference currents bring the oscillators to in place of the array, if
    ``reference``: 0, 1 or 3."""
    capture = Out(1)
    """Strobe: counters go to the registers that are read. The last cycle of a product, before the next start."""
    count_row = Out(lambda self: (self.cfg.group_rows - 1).bit_length())
    """Group of ``lanes`` columns that is read; ``count_pos`` and ``count_neg`` are those of the last cycle's group."""
    trim_write = Out(1)
    trim_column = Out(lambda self: (self.lines - 1).bit_length())
    trim_data = Out(TRIM_BITS)
    """Strobe: write the trim registers of a column (:mod:`mho.macro_models.integer.pwm.converter`), which are 0 after
    power-on."""
    verify = Out(1, when=lambda self: self.cfg.engine)
    """The conversion is a read of one device, in one window. Left open in silicon."""
    amplitude_write = Out(1, when=lambda self: self.cfg.engine)
    amplitude_column = Out(lambda self: (self.lines - 1).bit_length(), when=lambda self: self.cfg.engine)
    amplitude_data = Out(AMPLITUDE_TOP.bit_length() + 1, when=lambda self: self.cfg.engine)
    """Strobe: write the amplitude of a column's pulses, bits 7:0; bit 8: the column is pulsed."""
    pulse = Out(1, when=lambda self: self.cfg.engine)
    """The devices of the word line that is on are pulsed, all columns at a time."""
    count_pos = In(lambda self: self.cfg.lanes * COUNTER_BITS)
    count_neg = In(lambda self: self.cfg.lanes * COUNTER_BITS)
    """Counters of a group, lowest column first."""
    hold = In(1)
    """Freezes the sequencer's timer, and pulses and windows with it. For slow bodies; 0 in silicon."""

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.cfg, self.lines = cfg, cfg.lines
        super().__init__()

    @property
    def constants(self) -> Mapping[str, int]:
        """Cycles of a pulse for an input of 1, shifted up."""
        return {"LSB_CYCLES": self.cfg.lsb_cycles}
