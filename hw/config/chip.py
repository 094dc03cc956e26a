"""The chip description: what a chip is, as frozen dataclasses.

One section of the TOML file is one class here. A key that is absent has the default, which is that of the preset
``neurram-core``; the preset gives the source of every number.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from hw.config.keys import ChipError, check_section, key
from hw.config.macro import MacroSection
from hw.config.programming import ProgrammingSection
from macro_models.exact.operation import MAX_BITS

__all__ = [
    "AdcSection",
    "CellsSection",
    "Chip",
    "ClockSection",
    "CoreSection",
    "MeshSection",
    "NeuronSection",
    "ReadSection",
    "TimingSection",
    "VerilogSection",
    "WiresSection",
]

_MAX_CYCLES = 65_535
"""Longest analog operation in clock cycles: the sequencer's timer has 16 bits."""


class _Section:
    """Checks the keys of a section when it is built; ``_name`` is its name in the file."""

    _name = ""

    def __post_init__(self) -> None:
        check_section(self, f"{self._name}.")


@dataclass(frozen=True, kw_only=True)
class MeshSection(_Section):
    """``[mesh]``: how many cores there are, and the network on chip between them."""

    _name = "mesh"
    columns: int = key(1, "Columns of the mesh.", low=1, high=16)
    rows: int = key(1, "Rows of the mesh.", low=1, high=16)
    payload_bits: int = key(64, "Payload of a flit, in bits.", choices=(32, 64, 128))
    fifo_depth: int = key(16, "Flits that a FIFO of a router holds.", choices=(1, 2, 4, 8, 16))
    fifos: int = key(1, "FIFOs of each input of a router.", choices=(1, 2))
    contexts: int = key(2, "Trees of in-network reduction that may cross a router at a time.", choices=(0, 1, 2, 4))


@dataclass(frozen=True, kw_only=True)
class CoreSection(_Section):
    """``[core]``: one transposable core."""

    _name = "core"
    kind: str = key("tnsa", "Kind of macro: a transposable neurosynaptic array.", choices=("tnsa",))
    corelet: int = key(16, "Corelets along one side; the core has corelet**2 lines each way.", choices=(4, 8, 16))
    g_bits: int = key(12, "Grid of conductance codes on which cells are held, in bits.", low=4, high=16)


@dataclass(frozen=True, kw_only=True)
class CellsSection(_Section):
    """``[cells]``: conductance range of the memory cells."""

    _name = "cells"
    g_min_uS: float = key(1.0, "Lowest conductance that is programmed, in microsiemens.", low=0.0, high=10_000.0)
    g_max_uS: float = key(40.0, "Highest conductance that is programmed, in microsiemens.", low=0.001, high=10_000.0)
    g_full_scale_uS: float = key(
        50.0, "Conductance of the highest code: room above g_max_uS for cells that relax upwards, in microsiemens.",
        low=0.001, high=20_000.0,
    )


@dataclass(frozen=True, kw_only=True)
class ReadSection(_Section):
    """``[read]``: how the array is read in a matrix-vector product."""

    _name = "read"
    mode: str = key("voltage", "Converted lines float and settle to a ratio of conductances.", choices=("voltage",))
    v_read_V: float = key(0.5, "Amplitude of a driven line around the reference, in volts.", low=0.001, high=5.0)


@dataclass(frozen=True, kw_only=True)
class ClockSection(_Section):
    """``[clock]``: the clock of the digital side."""

    _name = "clock"
    f_clk_MHz: float = key(100.0, "Clock frequency, in megahertz.", low=0.001, high=5_000.0)

    def cycles(self, t_ns: float) -> int:
        """Clock cycles that cover ``t_ns``, at least 1.

        Computed on the decimals as they are written, so that 2240 ns at 12.5 MHz is 28 cycles and not 29.
        """
        return max(1, math.ceil(Fraction(str(t_ns)) * Fraction(str(self.f_clk_MHz)) / 1000))


@dataclass(frozen=True, kw_only=True)
class TimingSection(_Section):
    """``[timing]``: durations of the analog operations."""

    _name = "timing"
    t_reset_ns: float = key(
        100.0, "Precharge of lines and sampling capacitors, discharge of integrators, in ns.", low=0.0, high=1e9
    )
    t_plane_ns: float = key(20.0, "Line drivers take the next plane of the input, in ns.", low=0.0, high=1e9)
    t_sample_ns: float = key(
        100.0, "One sample and integrate: settle, sample, move the charge, in ns.", low=0.0, high=1e9
    )
    t_compare_ns: float = key(20.0, "One comparison of the integrators, in ns.", low=0.0, high=1e9)
    t_decrement_ns: float = key(20.0, "One charge decrement, in ns.", low=0.0, high=1e9)


@dataclass(frozen=True, kw_only=True)
class AdcSection(_Section):
    """``[adc]``: inputs and column converters."""

    _name = "adc"
    bits: int = key(8, "Most output bits of an operation, the sign included.", low=1, high=MAX_BITS)
    input_bits: int = key(8, "Most input bits of an operation.", low=1, high=MAX_BITS)
    converter: str = key("count", "Algorithm that the compiler takes.", choices=("count", "binary"))
    early_stop: bool = key(True, "Counting ends when every enabled line has flipped; false makes latency constant.")
    sigma_offset_mV: float = key(
        1.0, "Standard deviation of a converter's offset at the integrator, on the scale of v_read_V, in mV.",
        low=0.0, high=1000.0,
    )
    sigma_gain: float = key(
        0.01, "Standard deviation of the relative size of a converter's decrement.", low=0.0, high=0.3
    )


@dataclass(frozen=True, kw_only=True)
class NeuronSection(_Section):
    """``[neuron]``: amplifier and per-cycle errors of the converters; an infinite gain and zeros are ideal."""

    _name = "neuron"
    amplifier_gain: float = key(
        0.0, "Open-loop gain of the amplifier (above 1); 0 stands for infinite.", low=0.0, high=1e9
    )
    c_sample_fF: float = key(17.0, "Sampling capacitor, in femtofarad.", low=0.1, high=1e6)
    c_integrate_fF: float = key(104.0, "Integrating capacitor, in femtofarad.", low=0.1, high=1e6)
    c_parasitic_fF: float = key(
        0.0, "Capacitance at the amplifier's virtual ground, in femtofarad; matters with a finite gain.",
        low=0.0, high=1e6,
    )
    sigma_amplifier_offset_mV: float = key(
        0.0, "Standard deviation of an amplifier's offset, which adds in every cycle, in mV.", low=0.0, high=1000.0
    )
    injection_mV: float = key(
        0.0, "Charge that the switches inject in every cycle, over c_sample_fF, in mV.", low=-1000.0, high=1000.0
    )
    sampling_noise: bool = key(False, "Every cycle samples the thermal noise of c_sample_fF (k T / C at 300 K).")
    comparator_noise_mV: float = key(
        0.0, "Standard deviation of the noise of one comparison, at the integrator, in mV.", low=0.0, high=1000.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0.0 < self.amplifier_gain <= 1.0:
            raise ChipError(
                "neuron.amplifier_gain",
                f"neuron.amplifier_gain must be above 1, or 0 for infinite, not {self.amplifier_gain:g}",
            )

    @property
    def ideal(self) -> bool:
        """Whether it integrates and counts as integers do."""
        # Imported here: the description itself needs no scipy.
        from macro_models.tnsa.neuron import Neuron

        return Neuron(**asdict(self)).ideal


@dataclass(frozen=True, kw_only=True)
class WiresSection(_Section):
    """``[wires]``: resistances around the cells; all 0 are perfect wires."""

    _name = "wires"
    r_row_ohm: float = key(
        0.0, "One segment of a bit line (a row: its word line gates its cells), from cell to cell, in ohms.",
        low=0.0, high=1e6,
    )
    r_column_ohm: float = key(0.0, "One segment of a source line, from cell to cell, in ohms.", low=0.0, high=1e6)
    r_driver_ohm: float = key(
        0.0, "Output resistance of the driver of a line, bit line or source line, in ohms.", low=0.0, high=1e6
    )
    r_sense_ohm: float = key(
        0.0, "Input resistance of what reads a line, in ohms. Without effect in voltage mode, where the line is open.",
        low=0.0, high=1e6,
    )


@dataclass(frozen=True, kw_only=True)
class VerilogSection(_Section):
    """``[verilog]``: style of the generated Verilog."""

    _name = "verilog"
    reset: str = key("sync", "Reset of the registers.", choices=("sync", "async_low"))
    prefix: str = key(
        "mho_", "Put before the name of every module.", pattern=r"([A-Za-z][A-Za-z0-9_]*)?",
        expects="a Verilog identifier (or empty)",
    )


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A chip, complete and checked.

    Attributes
    ----------
    folder
        Folder against which the paths in ``macro.files`` are resolved: that of the chip's file. It is no property of
        the chip, so it counts neither for equality nor for the hash.

    Raises
    ------
    ChipError
        If a value is out of range or values contradict each other (an :class:`~macro_models.errors.InputError`).
    """

    name: str = key(
        "chip", "Name of the chip, in reports and results.", pattern=r"[A-Za-z][A-Za-z0-9_-]*",
        expects="a letter followed by letters, digits, - or _",
    )
    description: str = key("", "One sentence for lists of chips.")
    device: str = key(
        "rram-neurram", "Device of the cells unless a command names another: its name, or the path of its TOML file.",
        pattern=r".+", expects="a device name or the path of a device file",
    )
    mesh: MeshSection = field(default_factory=MeshSection)
    core: CoreSection = field(default_factory=CoreSection)
    cells: CellsSection = field(default_factory=CellsSection)
    read: ReadSection = field(default_factory=ReadSection)
    clock: ClockSection = field(default_factory=ClockSection)
    timing: TimingSection = field(default_factory=TimingSection)
    adc: AdcSection = field(default_factory=AdcSection)
    neuron: NeuronSection = field(default_factory=NeuronSection)
    wires: WiresSection = field(default_factory=WiresSection)
    programming: ProgrammingSection = field(default_factory=ProgrammingSection)
    verilog: VerilogSection = field(default_factory=VerilogSection)
    macro: MacroSection | None = None
    folder: Path | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_section(self, "")
        self._check_conductances()
        self._check_durations()
        if self.adc.converter == "binary" and not self.neuron.ideal:
            raise ChipError("adc.converter", 'adc.converter must be "count" where [neuron] is not ideal, not "binary"')

    def _check_conductances(self) -> None:
        low, high, top = self.cells.g_min_uS, self.cells.g_max_uS, self.cells.g_full_scale_uS
        if low >= high:
            raise ChipError("cells.g_min_uS", f"cells.g_min_uS must be below cells.g_max_uS = {high:g}, not {low:g}")
        if high > top:
            sentence = f"cells.g_max_uS must be at most cells.g_full_scale_uS = {top:g}, not {high:g}"
            raise ChipError("cells.g_max_uS", sentence)

    def _check_durations(self) -> None:
        for name, t_ns in asdict(self.timing).items():
            if self.clock.cycles(t_ns) > _MAX_CYCLES:
                most = f"{_MAX_CYCLES:,} cycles at clock.f_clk_MHz = {self.clock.f_clk_MHz:g}"
                raise ChipError(f"timing.{name}", f"timing.{name} must be at most {most}, not {t_ns:g} ns")

    @property
    def lines(self) -> int:
        """Bit lines, source lines and word lines of one core: 16, 64 or 256."""
        return self.core.corelet**2

    @property
    def cores(self) -> int:
        """Cores of the chip."""
        return self.mesh.columns * self.mesh.rows

    @property
    def operation_cycles(self) -> dict[str, int]:
        """Clock cycles of each analog operation: ``reset``, ``plane``, ``sample``, ``compare``, ``decrement``.

        At least one; a comparison at least two, so that its result is known when the next operation is decided.
        """
        cycles = {name[2:-3]: self.clock.cycles(t_ns) for name, t_ns in asdict(self.timing).items()}
        return cycles | {"compare": max(2, cycles["compare"])}

    @property
    def sha256(self) -> str:
        """Hash of everything but the description; comments, order and ``extends`` do not change it."""
        content = self.to_dict()
        del content["description"]
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The resolved description as plain dicts, lists, strings and numbers, as JSON or TOML hold it."""
        content: dict[str, Any] = {"schema": 1, **asdict(self)}
        del content["folder"]
        if content["macro"] is None:
            del content["macro"]
        else:
            content["macro"]["files"] = list(content["macro"]["files"])
        return content

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, origin: str = "chip description") -> "Chip":
        """Inverse of :meth:`to_dict`, as strict as the loader of files.

        Raises
        ------
        InputError
            If a key is unknown or a value is wrong; ``origin`` opens the sentence.
        """
        from hw.config.tree import chip_from_dict

        return chip_from_dict(content, origin=origin)
