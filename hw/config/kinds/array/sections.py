"""Sections of the description of a core whose columns share converters. Defaults are those of ``array-128``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from mho.hw.config.chip import FEWEST_LINES, LINES, MOST_ROWS, CoreSection, Section
from mho.hw.config.cost import AreaSection, EnergySection, area_key, energy_key
from mho.hw.config.keys import key
from mho.hw.config.programming import ProgrammingSection
from mho.macro_models.integer.array.operation import MOST_BITS


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
    rows: int = key(128, "Rows, in steps of 8.", low=FEWEST_LINES, high=MOST_ROWS, shapes=("core", "tile"))
    columns: int = key(
        128, "Columns of cells, in steps of 8.", low=FEWEST_LINES, high=LINES[1], shapes=("core", "tile")
    )
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
    c_cell_fF: float = key(
        2.1, "Capacitance that each cell adds to its row and its column, in femtofarad, of which mho check alone takes "
        "whether lines settle; 130 nm.", low=0.0, high=1e4, later=True,
    )


CODE_STEPS: Mapping[str, Callable[[int], int]] = MappingProxyType({
    "sar": lambda bits: bits, "ramp": lambda bits: 1 << bits, "count": lambda bits: 1 + (1 << bits - 1),
})
"""Ways to convert, with the bits or steps of a conversion to so many bits: successive approximation, a ramp through all
codes, a counter from 0 up."""


@dataclass(frozen=True, kw_only=True)
class AdcSection(Section):
    """``[adc]``: converters that columns share."""

    _name = "adc"
    kind: str = key(
        "sar", "How it converts: sar, a bit at a time; ramp, all steps one after the other; count, its sign and then "
        "so many steps as the largest magnitude.", choices=tuple(CODE_STEPS), shapes=("core",),
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
    update: bool = key(
        False, "The core can pulse all cells at once, by trains on rows and columns.", shapes=("core",), later=True,
    )
    t_update_ns: float = key(
        100.0, "Width of such a pulse, in ns.", low=0.0, high=1e6, shapes=("core",), later=True,
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
