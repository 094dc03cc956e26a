"""What a macro model takes from a chip description."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from mho.macro_models.array.wires import Wires
from mho.macro_models.cell_map import DifferentialPairs
from mho.macro_models.devices.device import Device
from mho.macro_models.errors import InputError, check_numbers
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, Direction
from mho.macro_models.macro import MacroConfig
from mho.macro_models.tnsa.converter.neuron import Neuron
from mho.macro_models.types import Array


@dataclass(frozen=True, kw_only=True)
class TnsaConfig(MacroConfig):
    """What a macro model takes from a chip description.

    Raises InputError if a value is out of range.
    """

    kind: ClassVar[str] = "tnsa"
    lines: int = 256
    """Bit lines, source lines and word lines, even, 2..1024."""
    g_bits: int = 12
    """Width of the integer code of a cell, 2..16."""
    g_min_uS: float = 1.0
    """Smallest target, in uS."""
    g_max_uS: float = 40.0
    """Largest target, in uS."""
    g_full_scale_uS: float = 50.0
    """Conductance of the largest code, in uS; conductances beyond are clipped to it."""
    v_read_V: float = 0.3
    """Read voltage around the reference, in V."""
    sigma_offset_mV: float = 0.0
    """Standard deviation of the converters' offsets, referred to the integrator, in mV."""
    sigma_gain: float = 0.0
    """Standard deviation of the converters' relative step errors, each polarity of each converter its own."""
    wires: Wires = field(default_factory=Wires)
    """Resistances around the cells: rows are bit lines, columns are source lines."""
    neuron: Neuron = field(default_factory=Neuron)
    """Amplifier, capacitors and per-cycle errors of the converters."""
    absolute: bool = False
    """Decrements are in codes of accumulated products, whatever the conductances of a line: a macro with a converter
    of its own, behind a command port."""

    absent_bit_lines: tuple[int, ...] = ()
    """Bit lines that a smaller macro behind the core has not."""
    absent_source_lines: tuple[int, ...] = ()
    """The same of source lines."""

    def __post_init__(self) -> None:
        for name in ("absent_bit_lines", "absent_source_lines"):  # lists, where they come from JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not 2 <= self.lines <= 1024 or self.lines % 2:
            raise InputError(f"lines must be even and between 2 and 1024, not {self.lines!r}")
        self.check_grid()
        check_numbers(self, ("v_read_V",), positive=True)
        check_numbers(self, ("sigma_offset_mV", "sigma_gain"))

    @property
    def cell_map(self) -> DifferentialPairs:
        """Signed weights in the cells."""
        return DifferentialPairs(
            self.lines // DifferentialPairs.cells, self.lines,
            self.absent_bit_lines, self.absent_source_lines,
        )

    def inputs(self, direction: Direction) -> int:
        """Input codes of a product: one a row of weights forward, one a source line backward."""
        return self.cell_map.rows if direction is Direction.FORWARD else self.lines

    def load(self, g: Array, *, axis: int, unit_uS: float = 1.0) -> Array:
        """The sum of the conductances of a line, to which its voltage, and with it a decrement, are referred."""
        return self.load_of(g.sum(axis=axis), unit_uS=unit_uS)

    def load_of(self, total: Array, *, unit_uS: float) -> Array:
        """The same of lines of which the sums are known."""
        return np.full(total.shape, 2**STEP_FRACTION_BITS * (self.lsb_uS / unit_uS)) if self.absolute else total

    def active_causes(self, device: Device) -> frozenset[str]:
        """Causes of the macro itself, "wire" and "adc", that can change anything with this device."""
        spread = self.sigma_offset_mV > 0.0 or self.sigma_gain > 0.0 or not self.neuron.ideal
        adc = device.converter.sigma_output_mV > 0.0 or (device.converter.spread and spread)
        wire = not self.wires.ideal or device.conduction.acts
        return frozenset(cause for cause, on in (("wire", wire), ("adc", adc)) if on)
