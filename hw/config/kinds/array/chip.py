"""The description of a core whose columns share converters. Its defaults are the preset ``array-128``."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from mho.hw.config.chip import LINE_STEP, LINES, MOST_ROWS, Chip, CoreSection, Section
from mho.hw.config.cost import AreaSection, EnergySection, area_key, energy_key
from mho.hw.config.keys import ChipError, key
from mho.hw.config.kinds.array.costs import array_costs
from mho.hw.config.programming import ProgrammingSection, PulseChip
from mho.macro_models.errors import InputError
from mho.macro_models.integer.array.operation import MOST_BITS, ArrayOperation, Steps
from mho.macro_models.integer.operation import MAX_BITS, STEP_FRACTION_BITS, STEP_WIDTH, MvmOperation

if TYPE_CHECKING:
    from mho.macro_models.kinds.array.config import ArrayConfig

_MAX_CYCLES = 65_535
"""Longest duration in clock cycles."""


@dataclass(frozen=True, kw_only=True)
class ArrayCoreSection(CoreSection):
    """``[core]``: one array."""

    trim: ClassVar[bool] = False
    synchronise: ClassVar[tuple[str, ...]] = ()
    instead: ClassVar[dict[str, str]] = {
        "lines": "a core of this kind has core.rows and core.columns",
        **dict.fromkeys(("trim", "manual", "synchronise"), "a core of this kind has no such registers at its pins"),
    }
    """What to say of keys that do not exist and that somebody looks for."""
    kind: str = key(
        "array", "Kind of macro: an array whose columns share converters.", choices=("array",), shapes=("core",)
    )
    rows: int = key(128, "Rows, in steps of 8.", low=LINES[0], high=MOST_ROWS, shapes=("core", "tile"))
    columns: int = key(128, "Columns of cells, in steps of 8.", low=LINES[0], high=LINES[1], shapes=("core", "tile"))
    weights: str = key(
        "pairs", "A signed weight: pairs of columns, which a converter takes the difference of; arrays, of which each "
        "has a converter for its column and the core subtracts codes; offset, one cell about the middle of its range "
        "beside a reference column of fixed conductances.", choices=("pairs", "arrays", "offset"),
        shapes=("core", "tile"),
    )
    reference: str = key(
        "fixed", "Of what the reference column of core.weights = offset is: fixed conductances; cells, which drift as "
        "the others do.", choices=("fixed", "cells"), later=True,
    )
    access: str = key(
        "transistor", "What is between a cell and its lines: transistor, which word lines switch; none, a passive "
        "array, in which rows that are off are at 0 V and a pulse for one cell reaches others.",
        choices=("transistor", "none"), shapes=("core",), later=True,
    )


@dataclass(frozen=True, kw_only=True)
class InputSection(Section):
    """``[input]``: how rows are driven."""

    _name = "input"
    bits: int = key(
        1, "Bits of an input that a row drives at a time: 1 is bit-serial, more take a converter of 2**bits levels.",
        choices=(1, 2, 4, 8), shapes=("core",),
    )
    drive: str = key(
        "levels", "What counts for more: levels, each bit lasts as long; pulse, a bit lasts as long as it counts.",
        choices=("levels", "pulse"), shapes=("core",),
    )
    row_groups: int = key(
        1, "Groups of rows that are driven one after the other: fewer rows at a time are a smaller current.",
        choices=(1, 2, 4, 8), shapes=("core",),
    )


@dataclass(frozen=True, kw_only=True)
class ReadSection(Section):
    """``[read]``: how the array is read in a product."""

    _name = "read"
    v_read_V: float = key(0.2, "Read voltage, in volts: that of the highest level.", low=0.001, high=5.0)
    t_sample_ns: float = key(
        20.0, "From new inputs until the current of a column has settled, or the time for which a bit is integrated "
        "(its lowest, of pulses), in ns.", low=0.0, high=1e6, shapes=("core",),
    )
    accumulate: str = key(
        "digital", "Where bits of an input are added: digital, each is converted, shifted and added; analog, on a "
        "capacitor, which is converted once.", choices=("digital", "analog"), shapes=("core",),
    )
    chop: bool = key(
        False, "Some of the steps that are converted drive rows the other way, and their codes are subtracted, so that "
        "offsets of converters cancel: all but the first, or of several groups of rows each other.", shapes=("core",),
        later=True,
    )
    r_clamp_ohm: float = key(
        0.0, "Resistance of the virtual ground of a column, in ohms.", low=0.0, high=1e5,
    )
    c_sample_fF: float = key(
        0.0, "Capacitor that a column is sampled or integrated on, in fF, with the thermal noise (kT/C) of the run's "
        "temperature; 0: without.", low=0.0, high=1e9, later=True,
    )
    v_swing_V: float = key(
        0.5, "Its voltage at the most current that a converter takes, in volts.", low=0.001, high=10.0, later=True,
    )


@dataclass(frozen=True, kw_only=True)
class ArrayWiresSection(Section):
    """``[wires]``: resistances around the cells; all 0 are perfect wires."""

    _name = "wires"
    r_row_ohm: float = key(0.0, "One segment of a row, from cell to cell, in ohms.", low=0.0, high=1e6)
    r_column_ohm: float = key(0.0, "One segment of a column, from cell to cell, in ohms.", low=0.0, high=1e6)
    r_driver_ohm: float = key(0.0, "Output resistance of the driver of a row, in ohms.", low=0.0, high=1e6)


@dataclass(frozen=True, kw_only=True)
class AdcSection(Section):
    """``[adc]``: converters that columns share."""

    _name = "adc"
    kind: str = key(
        "sar", "How it converts: sar, a bit at a time; ramp, all steps one after the other; count, its sign and then "
        "so many steps as the largest magnitude.", choices=("sar", "ramp", "count"), shapes=("core",),
    )
    bits: int = key(8, "Bits of a converter, the sign included.", low=1, high=MOST_BITS, shapes=("core",))
    columns: int = key(
        8, "Columns of weights that share a converter.", choices=(1, 2, 4, 8, 16, 32), shapes=("core",)
    )
    lanes: int = key(
        4, "Columns of weights whose codes leave the macro in a cycle.", choices=(2, 4, 8), shapes=("core",)
    )
    t_step_ns: float = key(10.0, "One bit or step of a conversion, in ns.", low=0.0, high=1e6, shapes=("core",))
    full_scale_uA: float = key(
        256.0, "Most current that a converter takes, of either sign, in microamperes; of a "
        "capacitor that all steps share, that of the highest input for all of them.", low=0.001, high=1e6
    )
    range: str = key(
        "chosen", "Range of a converter: chosen for each product, up to its most current; fixed, always that.",
        choices=("chosen", "fixed"),
    )
    sigma_offset: float = key(0.1, "Standard deviation of the offset of converters, in steps.", low=0.0, high=64.0)
    sigma_gain: float = key(0.01, "Standard deviation of the relative gain of converters.", low=0.0, high=0.2)
    sigma_inl: float = key(
        0.25, "Standard deviation of the bow of converters, at the middle of their range, in steps.", low=0.0, high=64.0
    )
    noise: float = key(0.25, "Standard deviation of the noise of a conversion, in steps.", low=0.0, high=64.0)


@dataclass(frozen=True, kw_only=True)
class ArrayProgrammingSection(ProgrammingSection):
    """``[programming]``: pulses, verify reads, and when a cell is done or given up."""

    engine: bool = key(
        False, "The core has the write-verify engine and the macro its pins; false: cells are programmed from "
        "outside.", shapes=("core",),
    )
    bias: str = key(
        "half", "Of lines that are not selected, where core.access is none: half, the others of a line see V/2; third, "
        "V/3, and so does the rest of the array.", choices=("half", "third"), shapes=("core",), later=True,
    )
    float_lines: bool = key(
        False, "They float at verify reads, so that currents sneak through other cells; false: they are at 0 V.",
        shapes=("core",), later=True,
    )


@dataclass(frozen=True, kw_only=True)
class ArrayEnergySection(EnergySection):
    """``[energy]``: what operations take; currents of cells follow from ``[read]``."""

    row_pJ: float = energy_key("Driving one row once")
    conversion_pJ: float = energy_key("One conversion of one column")
    clamp_uW: float = key(
        0.0, "Power of the virtual ground of a column while it is read, in microwatts; 0: not known, left out.",
        low=0.0, high=1e6, later=True,
    )
    add_pJ: float = energy_key("Shift and add of the code of one column")
    supply_V: float = key(
        0.0, "Supply that the currents of cells come from, in volts, so that drivers take what cells do not; 0: not "
        "known, left out.", low=0.0, high=100.0, later=True,
    )
    conduct: str = key(
        "step", "How long cells of rows that are on take current: step, as long as a step lasts; sample, for "
        "read.t_sample_ns, after which columns are held.", choices=("step", "sample"), later=True,
    )


@dataclass(frozen=True, kw_only=True)
class ArrayAreaSection(AreaSection):
    """``[area]``: of one array, by what takes it; without ``macro_mm2`` it is their sum."""

    cells_mm2: float = area_key("Cells")
    drivers_mm2: float = area_key("Drivers of rows and switches of columns, for pulses too")
    converters_mm2: float = area_key("Converters")
    logic_mm2: float = area_key("Shift and add")


@dataclass(frozen=True, kw_only=True)
class ArrayChip(PulseChip):
    """A chip of arrays, complete and checked.

    Raises
    ------
    ChipError
        If a value is out of range or values contradict each other (an :class:`~mho.macro_models.errors.InputError`).
    """

    operation_type = ArrayOperation
    most_lines = MOST_ROWS

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
        legal = f"a divisor of the {self.outputs} columns of weights of a core"
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
            "adc.t_step_ns": self.clock.cycles(self.adc.t_step_ns) * self.adc.columns * self.code_steps,
        }
        for name, cycles in longest.items():
            if cycles > _MAX_CYCLES // 2:
                raise ChipError(name, f"{name} must give operations of at most {_MAX_CYCLES // 2:,} cycles at "
                                f"clock.f_clk_MHz = {self.clock.f_clk_MHz:g}, not {cycles:,}")

    @property
    def code_steps(self) -> int:
        """Bits or steps of one conversion."""
        bits = self.adc.bits
        return {"sar": bits, "ramp": 1 << bits, "count": 1 + (1 << bits - 1)}[self.adc.kind]

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
        """See :attr:`PulseChip.bias`."""
        return self.programming.bias if self.core.access == "none" else ""

    @property
    def float_lines(self) -> bool:
        """See :attr:`PulseChip.float_lines`."""
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
        """Most input bits of an operation."""
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
        """Configuration of the numpy model of the macro."""
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
        """What follows from the description: pairs of a name and a value with its unit."""
        core, adc, config = self.core, self.adc, self.macro_config()
        return [
            ("cells", f"{core.rows * core.columns * self.cores:,} ({core.rows} x {core.columns} a core)"),
            ("signed weights", f"{core.rows} x {self.outputs} a core"),
            ("converters", f"{self.converters} a core, {adc.columns} columns of weights each"),
            ("conductance grid", f"{config.lsb_uS:.4g} uS a code"),
            ("full scale of a converter", f"{config.full_conductance_uS:.4g} uS at the read voltage"),
        ]
