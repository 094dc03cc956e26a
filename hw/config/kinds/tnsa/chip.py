"""A chip of transposable cores."""

import math
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from mho.hw.config.chip import SYNCHRONISER_CYCLES, Chip
from mho.hw.config.cost import ProcessSection
from mho.hw.config.keys import ChipError
from mho.hw.config.kinds.tnsa.sections import (
    AdcSection,
    NeuronSection,
    ReadSection,
    TimingSection,
    TnsaCoreSection,
    TnsaEnergySection,
    WiresSection,
)
from mho.hw.config.programming import PulseChip
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, MvmOperation
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation

if TYPE_CHECKING:
    from mho.macro_models.tnsa.config import TnsaConfig

_RATED = ((3, 1), (4, 2), (5, 3), (6, 4), (8, 6), (10, 8))
"""Precisions of the published table of NeuRRAM: bits of outputs and of inputs."""

_PROCESS = ProcessSection(node_nm=130.0, vdd_V=1.8)
"""That of NeuRRAM, of which the capacitances in ``[wires]`` are unless they are described."""

_CONDUCTION_NS = 2.61
"""Time for which current flows in the cells of a driven line, in each plane, in ns: what the energy of NeuRRAM's input
pulses leaves beside the charge of a line (docs/explanation/costs.md)."""

_AREA = {"cells": 0.12, "converters": 0.28, "drivers": 0.21, "registers": 0.39}
"""Shares of the area of a macro of 256 lines whose converters have 8 bits: AccelForge's model of NeuRRAM
(neurram_nature_2022.yaml); what it does not name are registers, counters, shift and add."""

_MAX_CYCLES = 65_535
"""Longest analog operation in clock cycles: the sequencer's timer has 16 bits."""


@dataclass(frozen=True, kw_only=True)
class TnsaChip(PulseChip):
    """A chip of transposable cores, complete and checked.

    Raises ChipError if a value is out of range or values contradict each other (an
    :class:`~mho.macro_models.errors.InputError`).
    """

    operation_type = TnsaOperation

    core: TnsaCoreSection = field(default_factory=TnsaCoreSection)
    read: ReadSection = field(default_factory=ReadSection)
    timing: TimingSection = field(default_factory=TimingSection)
    adc: AdcSection = field(default_factory=AdcSection)
    neuron: NeuronSection = field(default_factory=NeuronSection)
    wires: WiresSection = field(default_factory=WiresSection)
    energy: TnsaEnergySection = field(default_factory=TnsaEnergySection)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, t_ns in asdict(self.timing).items():
            if self.clock.cycles(t_ns) + SYNCHRONISER_CYCLES * bool(self.core.synchronise) > _MAX_CYCLES:
                limit = f"{_MAX_CYCLES:,} cycles at clock.f_clk_MHz = {self.clock.f_clk_MHz:g}"
                raise ChipError(f"timing.{name}", f"timing.{name} must be at most {limit}, not {t_ns:g} ns")
        if not all(self.macro_config().cell_map.there):
            raise ChipError("macro.pins", "macro.pins must leave two bit lines of a pair and a source line")
        if self.adc.converter == "binary" and not self.neuron.ideal:
            raise ChipError("adc.converter", 'adc.converter must be "count" where [neuron] is not ideal, not "binary"')

    cost_keys = (
        "core.corelet", "core.lines", "adc.bits", "cells.g_min_uS", "cells.g_max_uS", "read.v_read_V",
        "wires.c_line_fF", "wires.c_cell_fF", "process.node_nm", "process.vdd_V",
    )

    def relative_costs(self, base: Chip) -> dict[str, float]:
        """See :meth:`mho.hw.config.Chip.relative_costs`: docs/explanation/costs.md has each rule and its source."""
        base = self.of(base)
        node, supply = self.process.relative(base.process)
        switched, driven = node * supply**2, (self.read.v_read_V / base.read.v_read_V) ** 2
        return {
            "energy.word_line_pJ": supply**2 * self.line_fF / base.line_fF,
            "energy.input_pulse_pJ": driven * self.pulse_load() / base.pulse_load(),
            "energy.reset_pJ": switched, "energy.sample_pJ": switched, "energy.step_pJ": switched,
            "area.macro_mm2": node**2 * self._relative_area / base._relative_area,
        }

    @property
    def line_fF(self) -> float:
        """Capacitance of a line, in femtofarad: that of ``[wires]``, and less in a process finer than NeuRRAM's."""
        node, _ = self.process.relative(_PROCESS)
        return node * (self.wires.c_line_fF + self.wires.c_cell_fF * self.lines)

    def pulse_load(self, line_uS: float | None = None) -> float:
        """What a pulse of a driven line moves, per volt, in fC: the charge of the line, and that through its cells.

        ``line_uS`` is the conductance of all of its cells, in uS; None: of cells in the mean.
        """
        conductance = self.lines * self.mean_g_uS if line_uS is None else line_uS
        return self.line_fF + conductance * _CONDUCTION_NS

    @property
    def _relative_area(self) -> float:
        """Area beside that of 256 lines and converters of 8 bits, in the same process.

        Half of the registers have a bit for each of the converter.
        """
        lines, registers = self.lines / 256.0, 0.5 + 0.5 * self.adc.bits / 8.0
        line = _AREA["converters"] + _AREA["drivers"] + _AREA["registers"] * registers
        return _AREA["cells"] * lines**2 + line * lines

    @property
    def lines(self) -> int:
        return self.core.lines or self.core.corelet**2

    @cached_property
    def absent_lines(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Bit lines and source lines that a smaller macro of the user has not: those whose signals reach no pin."""
        if self.macro is None:
            return (), ()
        signals = ("bl_pos", "bl_neg", "wl_en"), ("sl_pos", "sl_neg", "cmp")
        bit, source = (set[int]().union(*(self.macro.open_bits(s, self.lines) for s in side)) for side in signals)
        if self.macro.command_table is not None:
            beyond, unsent = self.macro.command_table.absent(self.lines)
            bit, source = bit | beyond | unsent, source | beyond
        return tuple(sorted(bit)), tuple(sorted(source))

    @property
    def operation_cycles(self) -> dict[str, int]:
        """Clock cycles of each analog operation: ``reset``, ``plane``, ``sample``, ``compare``, ``decrement``.

        At least one; a comparison at least two, so that its result is known when the next operation is decided. With
        the latency of the synchronisers: that of ``hold`` delays the end of each, that of ``cmp`` of a comparison.
        """
        cycles = self._macro_cycles
        late = {name for name in cycles if "hold" in self.core.synchronise}
        late |= {"compare"} if "cmp" in self.core.synchronise else set()
        return {name: count + SYNCHRONISER_CYCLES * (name in late) for name, count in cycles.items()}

    @property
    def _macro_cycles(self) -> dict[str, int]:
        """The same without synchronisers."""
        cycles = {name[2:-3]: self.clock.cycles(t_ns) for name, t_ns in asdict(self.timing).items()}
        return cycles | {"compare": max(2, cycles["compare"])}

    @property
    def _sample_ns(self) -> float:
        """What a sample lasts, in whole cycles."""
        return self._macro_cycles["sample"] * 1000.0 / self.clock.f_clk_MHz

    @property
    def settling_ns(self) -> float:
        """Time constant of a converted line all of whose cells have the lowest conductance, or the mean if that is 0.

        As :func:`mho.macro_models.array.cells.effective_cells` has it.
        """
        wires, cells_uS = self.wires, self.lines * (self.cells.g_min_uS or self.mean_g_uS)
        series_ohm = wires.r_driver_ohm + self.lines * (wires.r_row_ohm + wires.r_column_ohm) / 2.0
        return self.line_fF * (1.0 / cells_uS + series_ohm * 1e-6)

    @property
    def input_bits(self) -> int:
        return self.adc.input_bits

    def operation(self, *, in_bits: int, in_signed: bool, out_bits: int | None = None) -> TnsaOperation:
        """An operation as the compiler starts from it; see :meth:`mho.hw.config.Chip.operation`."""
        return TnsaOperation(
            in_bits=in_bits, in_signed=in_signed, out_bits=min(out_bits or self.adc.bits, self.adc.bits),
            converter=Converter[self.adc.converter.upper()], early_stop=self.adc.early_stop,
        )

    def rated_operations(self) -> list[tuple[str, MvmOperation]]:
        """Those of the published table of NeuRRAM: outputs two bits wider than inputs, as far as the chip goes.

        The codes of two segments are hi * 16 + lo, so that four bits of the output come from having two.
        """
        rated = list[tuple[str, MvmOperation]]()
        for out_bits, in_bits in _RATED:
            if in_bits > self.input_bits:
                continue
            op = TnsaOperation(in_bits=in_bits, converter=Converter[self.adc.converter.upper()])
            segment_bits = out_bits - LSB_SEGMENT_BITS * (op.segments - 1)
            if segment_bits <= self.adc.bits:
                rated.append((f"{in_bits}-bit inputs, {out_bits}-bit outputs", replace(op, out_bits=segment_bits)))
        return rated

    def macro_config(self) -> "TnsaConfig":
        # Imported here: the description itself needs no scipy.
        from mho.macro_models.array import Wires
        from mho.macro_models.tnsa.config import TnsaConfig
        from mho.macro_models.tnsa.converter.neuron import Neuron

        return TnsaConfig(
            lines=self.lines,
            g_bits=self.core.g_bits,
            g_min_uS=self.cells.g_min_uS,
            g_max_uS=self.cells.g_max_uS,
            g_full_scale_uS=self.cells.g_full_scale_uS,
            v_read_V=self.read.v_read_V,
            sigma_offset_mV=self.adc.sigma_offset_mV,
            sigma_gain=self.adc.sigma_gain,
            wires=Wires(
                r_row_ohm=self.wires.r_row_ohm,
                r_col_ohm=self.wires.r_column_ohm,
                r_driver_ohm=self.wires.r_driver_ohm,
                r_sense_ohm=self.wires.r_sense_ohm,
                settle_uS=self.line_fF / self._sample_ns if self.wires.settling else 0.0,
            ),
            neuron=Neuron(**asdict(self.neuron)),
            absent_bit_lines=self.absent_lines[0],
            absent_source_lines=self.absent_lines[1],
            absolute=self.macro is not None and (self.macro.absolute or bool(self.macro.commands)),
        )

    def sizes(self) -> list[tuple[str, str]]:
        n = self.lines
        bit, source = (n - len(absent) for absent in self.absent_lines)
        rows, columns = self.macro_config().cell_map.there
        result = [
            ("lines of a core", f"{n} bit lines, {n} source lines, {n} word lines, {n} converters"),
            *([("lines of its macro", f"{bit} bit lines, {source} source lines")] if any(self.absent_lines) else []),
            ("cells", f"{bit * source * self.cores:,} ({bit * source:,} a core)"),
            ("signed weights, forward", f"{rows} x {columns} a core"),
            ("conductance grid", f"{self.cells.g_full_scale_uS / (2**self.core.g_bits - 1):.4g} uS a code"),
        ]
        for operation, cycles in self.operation_cycles.items():
            took = cycles * 1000 / self.clock.f_clk_MHz
            result.append((operation, f"{cycles} {'cycle' if cycles == 1 else 'cycles'} = {took:g} ns"))
        constants = self._sample_ns / self.settling_ns
        result.append(("settling of a line", f"{self.settling_ns:.3g} ns, {constants:.3g} time constants a sample"))
        return result

    def warnings(self) -> list[str]:
        result = list[str]()
        for operation, cycles in self._macro_cycles.items():
            name = f"t_{operation}_ns"
            result += self.clock.rounding_warning(f"timing.{name}", getattr(self.timing, name), cycles)
        constants, needed = self._sample_ns / self.settling_ns, (self.adc.bits + 1) * math.log(2.0)
        if constants < needed:
            hint = "" if self.wires.settling else "; products have its error only with wires.settling = true"
            result.append(
                f"timing.t_sample_ns = {self.timing.t_sample_ns:g} takes {self._sample_ns:g} ns, {constants:.2g} time "
                f"constants of a line ({self.settling_ns:.3g} ns: {self.line_fF:.4g} fF behind {self.lines} cells of "
                f"cells.g_min_uS = {self.cells.g_min_uS:g} and its wires), fewer than the {needed:.2g} that bring a "
                f"line within half a step of adc.bits = {self.adc.bits}{hint}"
            )
        return result

    def slow_warnings(self) -> list[str]:
        """A sentence, with the number, if the wires of the chip cost more than a step of its converters.

        Random cells in the chip's range of conductances are taken; a core of 256 lines takes some seconds.
        """
        from mho.macro_models.array.cells import RANGE_RMS, wire_error

        shape = self.lines, self.lines
        error = wire_error(self.macro_config().wires, shape, self.cells.g_min_uS, self.cells.g_max_uS, self.adc.bits)
        if error.steps <= 1.0:
            return []
        return [
            f"wires change the outputs of a core by {100.0 * error.relative:.2g} % of their rms, {error.steps:.2g} "
            f"steps of a converter of adc.bits = {self.adc.bits} with a range of {RANGE_RMS:g} times the rms (random "
            f"cells of {self.cells.g_min_uS:g} to {self.cells.g_max_uS:g} uS)"
        ]
