"""The description of a core whose columns share converters. Its defaults are the preset ``array-128``."""

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mho.hw.config.chip import FEWEST_LINES, LINE_STEP, LINES, MOST_ROWS, Chip
from mho.hw.config.keys import ChipError
from mho.hw.config.kinds.array.costs import array_costs
from mho.hw.config.kinds.array.sections import (
    CODE_STEPS,
    AdcSection,
    ArrayAreaSection,
    ArrayCoreSection,
    ArrayEnergySection,
    ArrayProgrammingSection,
    ArrayWiresSection,
    InputSection,
    ReadSection,
)
from mho.hw.config.programming import PulseChip
from mho.macro_models.errors import InputError
from mho.macro_models.integer.array.operation import ArrayOperation, Steps
from mho.macro_models.integer.operation import MAX_BITS, STEP_FRACTION_BITS, STEP_WIDTH, MvmOperation

if TYPE_CHECKING:
    from mho.macro_models.kinds.array.config import ArrayConfig

_MAX_CYCLES = 65_535
"""Longest duration in clock cycles."""


@dataclass(frozen=True, kw_only=True)
class ArrayChip(PulseChip):
    """A chip of arrays, complete and checked.

    Raises ChipError if a value is out of range or values contradict each other (an
    :class:`~mho.macro_models.errors.InputError`).
    """

    operation_type = ArrayOperation
    least_lines, most_lines = FEWEST_LINES, MOST_ROWS

    core: ArrayCoreSection = field(default_factory=ArrayCoreSection)  # pyright: ignore[reportIncompatibleVariableOverride]
    input: InputSection = field(default_factory=InputSection)
    read: ReadSection = field(default_factory=ReadSection)
    wires: ArrayWiresSection = field(default_factory=ArrayWiresSection)
    adc: AdcSection = field(default_factory=AdcSection)
    programming: ArrayProgrammingSection = field(default_factory=ArrayProgrammingSection)
    energy: ArrayEnergySection = field(default_factory=ArrayEnergySection)
    area: ArrayAreaSection = field(default_factory=ArrayAreaSection)

    cost_keys = (
        "core.rows", "core.columns", "core.weights", "adc.bits", "adc.columns", "adc.kind", "cells.g_max_uS",
        "process.node_nm", "process.vdd_V",
    )

    def relative_costs(self, base: Chip) -> dict[str, float]:
        """See :meth:`mho.hw.config.Chip.relative_costs`: ratios of :attr:`costs`; a supply is the process'."""
        before, (_, supply) = self.of(base).costs, self.process.relative(base.process)
        return {name: value / before[name] for name, value in self.costs.items()} | {"energy.supply_V": supply}

    @property
    def costs(self) -> dict[str, float]:
        """Numbers of ``[energy]`` and ``[area]`` by the law of :func:`array_costs`, whatever is stated."""
        return array_costs(
            self.process, rows=self.lines, columns=self.core.columns, converters=self.converters, bits=self.adc.bits,
            steps=self.code_steps, g_max_uS=self.cells.g_max_uS,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        core, adc = self.core, self.adc
        if core.columns % LINE_STEP:
            raise ChipError("core.columns", f"core.columns must be in steps of {LINE_STEP}, not {core.columns}")
        legal = f"a divisor of the {self.outputs} columns of weights that core.columns = {core.columns} has"
        if self.outputs % adc.columns:
            raise ChipError("adc.columns", f"adc.columns must be {legal}, not {adc.columns}")
        if self.outputs % adc.lanes or self.outputs == adc.lanes:
            raise ChipError("adc.lanes", f"adc.lanes must be {legal}, and fewer than these, not {adc.lanes}")
        if self.input.drive == "pulse" and (self.input.bits > 1 or self.read.accumulate != "analog"):
            raise ChipError("input.drive", 'input.drive must be "levels" unless input.bits = 1 and read.accumulate = '
                            '"analog", not "pulse"')
        if core.access == "none" and self.programming.v_base_V:
            raise ChipError("programming.v_base_V", 'programming.v_base_V must be 0 where core.access = "none", as '
                            f"lines have parts of the amplitude, not {self.programming.v_base_V:g}")
        if self.programming.update:
            for name, value, legal in (("core.weights", core.weights, "offset"),
                                       ("programming.engine", self.programming.engine, True),
                                       ("tile.programs", self.tile.programs, False)):
                if value != legal:
                    raise ChipError(name, f"{name} must be {str(legal).lower()} where programming.update is true, as "
                                    f"a host moves single cells, where a pin allows it, not {str(value).lower()}")
        for name, is_on, whose in (("programming.engine", self.programming.engine, "the engine counts"),
                                   ("tile.programs", self.tile.programs, "descriptors of a tile name")):
            if is_on and core.rows > LINES[1]:
                raise ChipError(name, f"{name} must be false where core.rows is beyond {LINES[1]}, as {whose} no "
                                f"further, and not true at {core.rows}")
        self._check_durations()
        try:
            self.macro_config()
        except InputError as error:
            raise ChipError("adc.full_scale_uA", f"adc.full_scale_uA: {error}") from None

    def _check_durations(self) -> None:
        longest = {
            "read.t_sample_ns": self.clock.cycles(self.read.t_sample_ns) << (7 if self.input.drive == "pulse" else 0),
            "programming.t_update_ns": self.clock.cycles(self.programming.t_update_ns),
            "adc.t_step_ns": self.clock.cycles(self.adc.t_step_ns) * self.adc.columns * self.code_steps,
        }
        for name, cycles in longest.items():
            if cycles > _MAX_CYCLES // 2:
                raise ChipError(name, f"{name} must give operations of at most {_MAX_CYCLES // 2:,} cycles at "
                                f"clock.f_clk_MHz = {self.clock.f_clk_MHz:g}, not {cycles:,}")

    @property
    def code_steps(self) -> int:
        """Bits or steps of one conversion."""
        return CODE_STEPS[self.adc.kind](self.adc.bits)

    @property
    def lines(self) -> int:
        """Rows of one core."""
        return self.core.rows

    @property
    def source_lines(self) -> int:
        """Columns of cells of one core."""
        return self.core.columns

    @property
    def bias(self) -> str:
        return self.programming.bias if self.core.access == "none" else ""

    @property
    def float_lines(self) -> bool:
        return self.programming.float_lines and self.core.access == "none"

    @property
    def cells_a_weight(self) -> int:
        """Cells of a weight, each in a column of its own."""
        return 1 if self.core.weights == "offset" else 2

    @property
    def outputs(self) -> int:
        """Columns of weights of one core."""
        return self.core.columns // self.cells_a_weight

    @property
    def converters(self) -> int:
        """Converters of one core."""
        return self.outputs // self.adc.columns * (2 if self.core.weights == "arrays" else 1)

    @property
    def steps(self) -> Steps:
        """In which steps rows are driven."""
        return Steps(digit_bits=self.input.bits, row_groups=self.input.row_groups)

    @property
    def input_bits(self) -> int:
        return MAX_BITS

    @property
    def step_codes(self) -> tuple[int, int]:
        """See :attr:`mho.hw.config.Chip.step_codes`: of a fixed range there is one."""
        fixed = max(1, 2 ** (STEP_FRACTION_BITS + 1 - self.adc.bits))
        return (fixed, fixed) if self.adc.range == "fixed" else (1, 2**STEP_WIDTH - 1)

    def operation(self, *, in_bits: int, in_signed: bool, out_bits: int | None = None) -> ArrayOperation:
        """An operation as the compiler starts from it; see :meth:`mho.hw.config.Chip.operation`."""
        op = ArrayOperation(in_bits=in_bits, in_signed=in_signed, step_code=self.step_codes[0])
        bits = min(out_bits or self.adc.bits, self.adc.bits) + (self.core.weights == "arrays")
        if self.read.accumulate == "digital":
            bits += op.planes + self.input.row_groups.bit_length() - 1
        return replace(op, out_bits=min(bits, op.most_out_bits))

    def rated_operations(self) -> list[tuple[str, MvmOperation]]:
        """One bit, for which figures of such arrays are usually given, four as of every kind, and the widest inputs."""
        rated = [self.operation(in_bits=bits, in_signed=signed) for bits, signed in ((1, False), (4, True), (8, False))]
        return [(f"{op.in_bits}-bit {'' if op.in_signed else 'unsigned '}inputs, {op.out_bits}-bit outputs", op)
                for op in rated]

    def macro_config(self) -> "ArrayConfig":
        # Imported here: the description itself needs no scipy.
        from mho.macro_models.array.wires import Wires
        from mho.macro_models.kinds.array.config import ArrayConfig

        adc, wires = self.adc, self.wires
        return ArrayConfig(
            rows=self.core.rows, columns=self.outputs, weights=self.core.weights,
            reference=self.core.reference, access=self.core.access, g_bits=self.core.g_bits,
            g_min_uS=self.cells.g_min_uS, g_max_uS=self.cells.g_max_uS, g_full_scale_uS=self.cells.g_full_scale_uS,
            steps=self.steps, chop=self.read.chop, digital=self.read.accumulate == "digital",
            v_read_V=self.read.v_read_V, c_sample_fF=self.read.c_sample_fF, v_swing_V=self.read.v_swing_V,
            bits=adc.bits, share=adc.columns, full_scale_uA=adc.full_scale_uA,
            sigma_offset=adc.sigma_offset, sigma_gain=adc.sigma_gain, sigma_inl=adc.sigma_inl, noise=adc.noise,
            wires=Wires(
                r_row_ohm=wires.r_row_ohm, r_col_ohm=wires.r_column_ohm, r_driver_ohm=wires.r_driver_ohm,
                r_sense_ohm=self.read.r_clamp_ohm,
            ),
        )

    def sizes(self) -> list[tuple[str, str]]:
        core, adc, config = self.core, self.adc, self.macro_config()
        return [
            ("cells", f"{core.rows * core.columns * self.cores:,} ({core.rows} x {core.columns} a core)"),
            ("signed weights", f"{core.rows} x {self.outputs} a core"),
            ("converters", f"{self.converters} a core, {adc.columns} columns of weights each"),
            ("conductance grid", f"{config.lsb_uS:.4g} uS a code"),
            ("full scale of a converter", f"{config.full_conductance_uS:.4g} uS at the read voltage"),
            ("settling of a row and a column", f"{self.settling_ns:.3g} ns" if self.settling_ns else "perfect wires"),
        ]

    @property
    def settling_ns(self) -> float:
        """Time constants of a row and of a column, added, in ns: ends and half of the wires (Elmore)."""
        wires, columns = self.wires, self.core.columns
        row_ohm = wires.r_driver_ohm + columns * wires.r_row_ohm / 2.0
        column_ohm = self.read.r_clamp_ohm + self.lines * wires.r_column_ohm / 2.0
        return 1e-6 * wires.c_cell_fF * (columns * row_ohm + self.lines * column_ohm)

    def warnings(self) -> list[str]:
        clock, result = self.clock, list[str]()
        for name, t_ns in (("read.t_sample_ns", self.read.t_sample_ns), ("adc.t_step_ns", self.adc.t_step_ns)):
            result += clock.rounding_warning(name, t_ns, clock.cycles(t_ns))
        sample_ns = clock.cycles(self.read.t_sample_ns) * 1000 / clock.f_clk_MHz
        needed = (self.adc.bits + 1) * math.log(2.0)
        if sample_ns < needed * self.settling_ns:
            result.append(
                f"read.t_sample_ns = {self.read.t_sample_ns:g} takes {sample_ns:g} ns, "
                f"{sample_ns / self.settling_ns:.2g} time constants of a row and a column ({self.settling_ns:.3g} ns, "
                f"by [wires] and read.r_clamp_ohm), fewer than the {needed:.2g} that bring a current within half a "
                f"step of adc.bits = {self.adc.bits}; products are computed without that"
            )
        return result
