"""Sections of the description of a transposable core. Their defaults are the preset ``neurram-core``."""

from dataclasses import asdict, dataclass

from mho.hw.config.chip import Section
from mho.hw.config.cost import EnergySection, energy_key
from mho.hw.config.keys import ChipError, key
from mho.hw.config.programming import PulseCoreSection
from mho.macro_models.integer.operation import MAX_BITS


@dataclass(frozen=True, kw_only=True)
class TnsaCoreSection(PulseCoreSection):
    """``[core]``: one transposable core."""

    kind: str = key(
        "tnsa", "Kind of macro: a transposable neurosynaptic array.", choices=("tnsa",), shapes=("core", "emulator")
    )
    corelet: int = key(
        16, "Corelets along one side; the core has corelet**2 lines each way.", choices=(4, 8, 16),
        shapes=("core", "emulator", "tile"),
    )
    lines: int = key(
        0, "Lines each way, 16 to 256 in steps of 8, of a core that is not of corelets; 0: corelet**2.", low=0,
        high=256, shapes=("core", "emulator", "tile"), later=True,
    )


@dataclass(frozen=True, kw_only=True)
class ReadSection(Section):
    """``[read]``: how the array is read in a matrix-vector product."""

    _name = "read"
    mode: str = key("voltage", "Converted lines float and settle to a ratio of conductances.", choices=("voltage",))
    v_read_V: float = key(0.5, "Amplitude of a driven line around the reference, in volts.", low=0.001, high=5.0)


def _duration(default: float, doc: str) -> float:
    return key(default, doc, low=0.0, high=1e9, shapes=("core",))


@dataclass(frozen=True, kw_only=True)
class TimingSection(Section):
    """``[timing]``: durations of the analog operations."""

    _name = "timing"
    t_reset_ns: float = _duration(100.0, "Precharge of lines and sampling capacitors, discharge of integrators, in ns.")
    t_plane_ns: float = _duration(20.0, "Line drivers take the next plane of the input, in ns.")
    t_sample_ns: float = _duration(100.0, "One sample and integrate: settle, sample, move the charge, in ns.")
    t_compare_ns: float = _duration(20.0, "One comparison of the integrators, in ns.")
    t_decrement_ns: float = _duration(20.0, "One charge decrement, in ns.")


@dataclass(frozen=True, kw_only=True)
class AdcSection(Section):
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
class NeuronSection(Section):
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
        from mho.macro_models.tnsa.converter.neuron import Neuron

        return Neuron(**asdict(self)).ideal


@dataclass(frozen=True, kw_only=True)
class WiresSection(Section):
    """``[wires]``: resistances around the cells; all 0 are perfect wires. Capacitances of a line of any direction."""

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
    c_line_fF: float = key(
        48.0, "Capacitance of a line at its driver, in femtofarad at 130 nm.", low=0.0, high=1e6, later=True
    )
    c_cell_fF: float = key(
        2.1, "Capacitance that each cell adds to its line, in femtofarad at 130 nm.", low=0.001, high=1e4, later=True
    )
    settling: bool = key(
        False, "Products have what their lines lack when a sample ends, as a part of the cause wire.", later=True
    )


@dataclass(frozen=True, kw_only=True)
class TnsaEnergySection(EnergySection):
    """``[energy]``: what operations of the macro take; a product adds them up over its lines, planes and steps."""

    word_line_pJ: float = energy_key("Switching of one word line, once each plane of the input")
    input_pulse_pJ: float = energy_key("Driving one line with one plane of the input")
    reset_pJ: float = energy_key("One converter: precharge, reset and the first comparison, once each conversion")
    sample_pJ: float = energy_key("One converter: one sample and integrate")
    step_pJ: float = energy_key("One converter: one decrement and its comparison")
