"""A chip of phase-change cores."""

import math
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from mho.hw.config.chip import Chip
from mho.hw.config.cost import ProcessSection
from mho.hw.config.keys import ChipError
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
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS, PwmOperation
from mho.macro_models.integer.pwm.programming import WriteParameters

if TYPE_CHECKING:
    from mho.macro_models.pwm.config import PwmConfig

_AREA = {"cells": 0.4, "oscillators": 0.2, "counters": 0.2, "rows": 0.2}
"""Shares of the area of a macro of 256 lines, four devices a weight. Assumed: no source of the preset gives them."""
_COUNTER_BITS = 4
"""Bits that counters have more than codes: 12 of 8 (Le Gallo et al., 2023)."""
_PROCESS = ProcessSection(node_nm=14.0, vdd_V=0.8)
"""That of HERMES."""
_MODULATOR_PJ_PER_NS = 0.0272
"""What the modulator of a row takes there: what its devices in the mean, :attr:`PwmChip.devices_pJ`, leave of
``energy.row_pJ`` in a window of 128 ns."""

_MAX_CYCLES = 65_535
"""Longest duration in clock cycles."""


@dataclass(frozen=True, kw_only=True)
class PwmChip(Chip):
    """A chip of phase-change cores, complete and checked.

    Raises ChipError if a value is out of range or values contradict each other (an
    :class:`~mho.macro_models.errors.InputError`).
    """

    operation_type = PwmOperation
    calibration_time_s = 0.0  # compensation brings products back to what they were then

    core: PwmCoreSection = field(default_factory=PwmCoreSection)
    cells: PwmCellsSection = field(default_factory=PwmCellsSection)
    clock: PwmClockSection = field(default_factory=PwmClockSection)
    read: ReadSection = field(default_factory=ReadSection)
    timing: TimingSection = field(default_factory=TimingSection)
    adc: AdcSection = field(default_factory=AdcSection)
    digital: DigitalSection = field(default_factory=DigitalSection)
    wires: PwmWiresSection = field(default_factory=PwmWiresSection)
    programming: PwmProgrammingSection = field(default_factory=PwmProgrammingSection)
    energy: PwmEnergySection = field(default_factory=PwmEnergySection)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lines % self.digital.lanes or 2 * self.digital.lanes > self.lines:
            legal = f"a divisor of core.lines = {self.lines} and at most half of it"
            raise ChipError("digital.lanes", f"digital.lanes must be {legal}, not {self.digital.lanes}")
        if self.clock.cycles(self.programming.t_pulse_ns) > _MAX_CYCLES:
            limit = f"{_MAX_CYCLES:,} cycles at clock.f_clk_MHz = {self.clock.f_clk_MHz:g}"
            name = "programming.t_pulse_ns"
            raise ChipError(name, f"{name} must give at most {limit}, not {self.programming.t_pulse_ns:g} ns")
        for name, t_ns in asdict(self.timing).items():
            if self.clock.cycles(t_ns) * (2**MAGNITUDE_BITS if name == "t_lsb_ns" else 1) > _MAX_CYCLES:
                limit = f"{_MAX_CYCLES:,} cycles at clock.f_clk_MHz = {self.clock.f_clk_MHz:g}"
                raise ChipError(f"timing.{name}", f"timing.{name} must give at most {limit}, not {t_ns:g} ns")
        try:
            self.macro_config()
        except InputError as error:
            raise ChipError("adc.f_max_GHz", f"adc.f_max_GHz: {error}") from None

    cost_keys = (
        "core.lines", "core.devices", "adc.bits", "adc.f_max_GHz", "cells.g_min_uS", "cells.g_max_uS", "read.v_read_V",
        "timing.t_lsb_ns", "clock.f_clk_MHz", "process.node_nm", "process.vdd_V",
    )

    def relative_costs(self, base: Chip) -> dict[str, float]:
        """See :meth:`mho.hw.config.Chip.relative_costs`: docs/explanation/costs.md has each rule and its source."""
        base = self.of(base)
        node, supply = self.process.relative(base.process)
        switched, window = node * supply**2, self.window_ns / base.window_ns
        counters = (self.adc.bits + _COUNTER_BITS) / (base.adc.bits + _COUNTER_BITS)
        return {
            "energy.row_pJ": (self.modulator_pJ + self.devices_pJ) / (base.modulator_pJ + base.devices_pJ),
            "energy.oscillators_pJ": switched * window * self.adc.f_max_GHz / base.adc.f_max_GHz,
            "energy.conversion_pJ": switched * counters,
            "area.macro_mm2": node**2 * self._relative_area / base._relative_area,
        }

    @property
    def window_ns(self) -> float:
        """Duration of a window, in ns."""
        return self.window_cycles * 1000.0 / self.clock.f_clk_MHz

    @property
    def modulator_pJ(self) -> float:
        """What a row's modulator takes in a window, in pJ, by the process."""
        node, supply = self.process.relative(_PROCESS)
        return _MODULATOR_PJ_PER_NS * node * supply**2 * self.window_ns

    @property
    def devices_pJ(self) -> float:
        """What a row's devices take in a window, in pJ: V**2 G t of those in the mean, driven for half of it."""
        conductance = 2 * self.core.devices * self.lines * self.mean_g_uS
        return self.read.v_read_V**2 * conductance * self.window_ns / 2.0 / 1000.0

    @property
    def _relative_area(self) -> float:
        """Area beside that of 256 lines, four devices a weight and codes of 8 bits, in the same process."""
        lines, counters = self.lines / 256.0, (self.adc.bits + _COUNTER_BITS) / (8 + _COUNTER_BITS)
        line = _AREA["rows"] + _AREA["oscillators"] + _AREA["counters"] * counters
        return _AREA["cells"] * lines**2 * self.core.devices / 2.0 + line * lines

    @property
    def lines(self) -> int:
        """Unit cells each way of one core."""
        return self.core.lines

    @cached_property
    def absent_rows(self) -> tuple[int, ...]:
        """Rows that a smaller macro of the user has not: whose pulses, or masks of all devices, reach no pin."""
        if self.macro is None:
            return ()
        cells = 2 * self.core.devices
        masks = self.macro.open_bits("wl_en", cells * self.lines)
        unmasked = {row for row in range(self.lines) if masks.issuperset(range(cells * row, cells * (row + 1)))}
        pulses = (self.macro.open_bits(name, self.lines) for name in ("row_pos", "row_neg"))
        return tuple(sorted(unmasked.union(*pulses)))

    @property
    def operation_cycles(self) -> dict[str, int]:
        """Clock cycles, at least one each: ``lsb`` of a width, ``start``, ``switch``, ``convert``."""
        return {name[2:-3]: self.clock.cycles(t_ns) for name, t_ns in asdict(self.timing).items()}

    @property
    def window_cycles(self) -> int:
        """Clock cycles of a window: of the pulse of 128 widths."""
        return self.operation_cycles["lsb"] << MAGNITUDE_BITS

    @property
    def input_bits(self) -> int:
        """Most input bits of an operation: a sign and seven bits of a pulse width."""
        return MAGNITUDE_BITS + 1

    def widest_input(self, signed: bool) -> int:
        return MAGNITUDE_BITS + signed

    def operation(self, *, in_bits: int, in_signed: bool, out_bits: int | None = None) -> PwmOperation:
        """An operation as the compiler starts from it; see :meth:`mho.hw.config.Chip.operation`."""
        bits = min(out_bits or self.adc.bits, self.adc.bits)
        return PwmOperation(in_bits=in_bits, in_signed=in_signed, out_bits=bits)

    def rated_operations(self) -> list[tuple[str, MvmOperation]]:
        """All bits that there are: a product takes as long and as much whatever the inputs."""
        op = self.operation(in_bits=self.input_bits, in_signed=True)
        return [(f"{op.in_bits}-bit inputs, {op.out_bits}-bit outputs", op)]

    def macro_config(self) -> "PwmConfig":
        # Imported here: the description itself needs no scipy.
        from mho.macro_models.pwm.config import PwmConfig

        errors = {name: value for name, value in asdict(self.adc).items() if name != "bits"}
        return PwmConfig(
            lines=self.lines, devices=self.core.devices, g_bits=self.core.g_bits, g_min_uS=self.cells.g_min_uS,
            g_max_uS=self.cells.g_max_uS, g_full_scale_uS=self.cells.g_full_scale_uS, phases=self.read.phases,
            v_read_V=self.read.v_read_V, t_lsb_ns=self.operation_cycles["lsb"] * 1000.0 / self.clock.f_clk_MHz,
            nominal_gain=self.digital.gain, absent_rows=self.absent_rows, **errors,
        )

    @property
    def write_parameters(self) -> WriteParameters:
        """Parameters of write-verify."""
        p = self.programming
        return WriteParameters(margin=p.margin, iterations=p.iterations, start=p.start, gain=p.gain, top=p.top)

    def sizes(self) -> list[tuple[str, str]]:
        n, config = self.lines, self.macro_config()
        devices = 2 * self.core.devices * n * (n - len(self.absent_rows))
        cycles = self.operation_cycles | {"window": self.window_cycles}
        del cycles["lsb"]
        result = [
            ("lines of a core", f"{n} word lines, {n} columns with two oscillators each"),
            ("devices", f"{devices * self.cores:,} ({devices:,} a core, {2 * self.core.devices} a weight)"),
            *([("rows of its macro", f"{n - len(self.absent_rows)}")] if self.absent_rows else []),
            ("signed weights, forward", f"{n - len(self.absent_rows)} x {n} a core"),
            ("conductance grid", f"{config.lsb_uS:.4g} uS a code"),
            ("counts of a window", f"{config.top_counts} at most"),
        ]
        for operation, count in cycles.items():
            took = count * 1000 / self.clock.f_clk_MHz
            result.append((operation, f"{count} {'cycle' if count == 1 else 'cycles'} = {took:g} ns"))
        lsb_ns = self.window_ns / 2**MAGNITUDE_BITS
        constants = lsb_ns / self.settling_ns
        result.append(("settling of a line", f"{self.settling_ns:.3g} ns, {constants:.3g} time constants a width"))
        return result

    @property
    def settling_ns(self) -> float:
        """Time constant of the line of a row at its far end, in ns: driver and half of the wire (Elmore)."""
        wires = self.wires
        series_ohm = wires.r_driver_ohm + self.lines * wires.r_cell_ohm / 2.0
        return 1e-6 * self.lines * wires.c_cell_fF * series_ohm

    def warnings(self) -> list[str]:
        """See :meth:`mho.hw.config.Chip.warnings`.

        Edges move no charge between pulses but the last: a pulse of all widths ends one width before its window does,
        which cuts off the tail of its line, ``tau exp(-t / tau)`` of it.
        """
        lsb_ns = self.window_ns / 2**MAGNITUDE_BITS
        constants = lsb_ns / self.settling_ns if self.settling_ns else math.inf
        lost = math.exp(-constants) / constants
        if lost <= 0.5:
            return []
        return [
            f"timing.t_lsb_ns = {self.timing.t_lsb_ns:g} takes {lsb_ns:g} ns, {constants:.2g} time constants of a line "
            f"({self.settling_ns:.3g} ns, by [wires]), so that the longest pulse loses {lost:.2g} steps of an input "
            "with the end of its window; products are computed without that"
        ]
