"""The chip description: what a chip is, as frozen dataclasses.

One section of the TOML file is one class. Here is what chips of all kinds have; each kind adds sections of its own
(:mod:`mho.hw.config.kinds`). A key that is absent has its default.
"""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mho.hw.config.cost import AreaSection, EnergySection, ProcessSection
from mho.hw.config.keys import ChipError, Section, Tree, check_section, key, keys_of
from mho.hw.config.macros.macro import MacroSection
from mho.hw.config.macros.memory import MemorySection
from mho.hw.config.tile import TileSection
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import STEP_WIDTH, MvmOperation
from mho.macro_models.sensor import LAWS, Sensor


@dataclass(frozen=True, kw_only=True)
class SensorSection(Section):
    """``[sensor]``: how light becomes inputs (:mod:`mho.macro_models.sensor`)."""

    _name = "sensor"
    response: str = key(
        "none", "How a pixel answers to light: none, inputs of networks are no light; linear; power, light to an "
        "exponent; threshold, nothing below a threshold and linear above.", choices=LAWS, later=True,
    )
    full_light: float = key(1.0, "Full light, in the units of a model's inputs.", low=1e-6, high=1e6, later=True)
    exponent: float = key(
        1.0, "Exponent of a power: above 1 superlinear, below 1 sublinear.", low=0.05, high=20.0, later=True
    )
    threshold: float = key(0.0, "Light below which nothing is seen, of full light.", low=0.0, high=0.99, later=True)
    adaptation: float = key(
        0.0, "How far pixels adapt to the mean light of a scene: 0 not, 1 until it is adapted_level.", low=0.0,
        high=1.0, later=True,
    )
    adapted_level: float = key(0.25, "Mean light to which they adapt, of full light.", low=0.001, high=1.0, later=True)
    gain_spread: float = key(
        0.0, "Deviation of the gain from pixel to pixel, relative.", low=0.0, high=1.0, later=True
    )
    dark_spread: float = key(
        0.0, "Deviation of what a pixel gives in the dark, of full light.", low=0.0, high=1.0, later=True
    )

    @property
    def model(self) -> Sensor:
        """The pixels."""
        return Sensor(**asdict(self))


if TYPE_CHECKING:
    from mho.macro_models import MacroConfig

DEFAULT_KIND = "tnsa"
"""Kind of a chip that does not say one."""

LINES, LINE_STEP = (16, 256), 8
"""Fewest and most lines of a core each way, and in which steps."""

FEWEST_LINES, MOST_ROWS = 8, 1024
"""Fewest lines, and most rows, of a kind that says so: its columns are 256 at most all the same."""

SYNCHRONISER_CYCLES = 2
"""Latency of a synchroniser at an input of the core: two flip-flops."""

TILE_FLITS = (32, 64)
"""Bits of a flit's payload that a tile takes."""


@dataclass(frozen=True, kw_only=True)
class MeshSection(Section):
    """``[mesh]``: how many cores there are, and the network on chip between them."""

    _name = "mesh"
    columns: int = key(1, "Columns of the mesh.", low=1, high=16, shapes=("noc",))
    rows: int = key(1, "Rows of the mesh.", low=1, high=16, shapes=("noc",))
    payload_bits: int = key(64, "Payload of a flit, in bits.", choices=(32, 64, 128), shapes=("noc", "tile"))
    fifo_depth: int = key(16, "Flits that a FIFO of a router holds.", choices=(1, 2, 4, 8, 16), shapes=("noc",))
    fifos: int = key(1, "FIFOs of each input of a router.", choices=(1,), shapes=("noc",))
    contexts: int = key(
        2, "Trees of in-network reduction that may cross a router at a time; of one tile there are none.",
        choices=(0, 1, 2, 4), shapes=("noc", "tile"),
    )


@dataclass(frozen=True, kw_only=True)
class CoreSection(Section):
    """``[core]``: what a core is."""

    _name = "core"
    kind: str = key(DEFAULT_KIND, "Kind of macro.", shapes=("core", "emulator"))
    g_bits: int = key(
        12, "Grid of conductance codes on which cells are held, in bits.", low=4, high=16, shapes=("emulator",)
    )


@dataclass(frozen=True, kw_only=True)
class CellsSection(Section):
    """``[cells]``: conductance range of the memory cells."""

    _name = "cells"
    g_min_uS: float = key(1.0, "Lowest conductance that is programmed, in microsiemens.", low=0.0, high=10_000.0)
    g_max_uS: float = key(40.0, "Highest conductance that is programmed, in microsiemens.", low=0.001, high=10_000.0)
    g_full_scale_uS: float = key(
        50.0, "Conductance of the highest code: room above g_max_uS for cells that relax upwards, in microsiemens.",
        low=0.001, high=20_000.0,
    )


@dataclass(frozen=True, kw_only=True)
class ClockSection(Section):
    """``[clock]``: the clock of the digital side."""

    _name = "clock"
    f_clk_MHz: float = key(100.0, "Clock frequency, in megahertz.", low=0.001, high=5_000.0, shapes=("core",))

    def cycles(self, t_ns: float) -> int:
        """Clock cycles that cover ``t_ns``, at least 1.

        Computed on the decimals as they are written, so that 2240 ns at 12.5 MHz is 28 cycles and not 29.
        """
        return max(1, math.ceil(Fraction(str(t_ns)) * Fraction(str(self.f_clk_MHz)) / 1000))

    def rounding_warning(self, name: str, t_ns: float, cycles: int) -> list[str]:
        """A sentence about a duration, the key ``name``, that takes much longer in so many cycles; else none."""
        took_ns = cycles * 1000 / self.f_clk_MHz
        return [] if took_ns <= 1.5 * t_ns else [
            f"{name} = {t_ns:g} takes {took_ns:g} ns, because an operation lasts whole cycles at clock.f_clk_MHz = "
            f"{self.f_clk_MHz:g}"
        ]


@dataclass(frozen=True, kw_only=True)
class VerilogSection(Section):
    """``[verilog]``: style of the generated Verilog."""

    _name = "verilog"
    reset: str = key("sync", "Reset of the registers.", choices=("sync", "async_low"), shapes=("core", "noc"))
    prefix: str = key(
        "mho_", "Put before the name of every module.", pattern=r"([A-Za-z][A-Za-z0-9_]*)?",
        expects="a Verilog identifier (or empty)", shapes=("core", "noc"),
    )
    clock_gate: str = key(
        "none", "Gates of clocks: module has registers that share an enable clocked through the module clock_gate.",
        choices=("none", "module"), shapes=("core", "noc"), later=True,
    )
    test: bool = key(
        False, "Design for test: a pin test_mode with a ring around the macro, clock gates that it opens, memories "
        "with a test port.", shapes=("core", "noc"), later=True,
    )


@dataclass(frozen=True, kw_only=True)
class Chip(ABC):
    """A chip of any kind, complete and checked.

    Raises ChipError if a value is out of range or values contradict each other (an
    :class:`~mho.macro_models.errors.InputError`).
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
    tile: TileSection = field(default_factory=TileSection)
    core: CoreSection = field(default_factory=CoreSection)
    cells: CellsSection = field(default_factory=CellsSection)
    clock: ClockSection = field(default_factory=ClockSection)
    verilog: VerilogSection = field(default_factory=VerilogSection)
    memory: MemorySection = field(default_factory=MemorySection)
    process: ProcessSection = field(default_factory=ProcessSection)
    energy: EnergySection = field(default_factory=EnergySection)
    area: AreaSection = field(default_factory=AreaSection)
    sensor: SensorSection = field(default_factory=SensorSection)
    macro: MacroSection | None = None
    folder: Path | None = field(default=None, compare=False, repr=False)
    """Folder against which the paths in ``macro.files`` are resolved: that of the chip's file. It is no property of the
    chip, so it counts neither for equality nor for the hash."""

    def __post_init__(self) -> None:
        check_section(self, "")
        low, high, top = self.cells.g_min_uS, self.cells.g_max_uS, self.cells.g_full_scale_uS
        if low >= high:
            raise ChipError("cells.g_min_uS", f"cells.g_min_uS must be below cells.g_max_uS = {high:g}, not {low:g}")
        if high > top:
            sentence = f"cells.g_max_uS must be at most cells.g_full_scale_uS = {top:g}, not {high:g}"
            raise ChipError("cells.g_max_uS", sentence)
        if self.lines % LINE_STEP or not self.least_lines <= self.lines <= self.most_lines:
            legal = f"{self.least_lines} to {self.most_lines} in steps of {LINE_STEP}"
            raise ChipError("core.lines", f"core.lines must be {legal}, not {self.lines}")
        self.tile.check_places(self.mesh.columns, self.mesh.rows)

    @classmethod
    def of(cls, chip: "Chip") -> Self:
        """``chip``, which has to be of this kind.

        Raises InputError if it is not: what asks for it knows no other kind.
        """
        if not isinstance(chip, cls):
            default_kind = cls().core.kind
            raise InputError(f"{chip.name}: core.kind must be {default_kind} for this, not {chip.core.kind}")
        return chip

    @property
    @abstractmethod
    def lines(self) -> int:
        """Physical lines on each side of a core's array."""

    least_lines: ClassVar[int] = LINES[0]
    """Fewest :attr:`lines`."""

    most_lines: ClassVar[int] = LINES[1]
    """Most :attr:`lines`."""

    calibration_time_s: ClassVar[float] = 86_400.0
    """Time since programming for which networks are calibrated where cells change, in seconds."""

    operation_type: ClassVar[type[MvmOperation]] = MvmOperation
    """What an operation can be."""

    @property
    @abstractmethod
    def input_bits(self) -> int:
        """Most input bits of an operation."""

    def widest_input(self, signed: bool) -> int:
        """Most input bits of an operation with signed or unsigned inputs."""
        return self.input_bits

    @abstractmethod
    def operation(self, *, in_bits: int, in_signed: bool, out_bits: int | None = None) -> MvmOperation:
        """An operation as the compiler starts from it; as many output bits as there are, at most ``out_bits``."""

    @property
    def step_codes(self) -> tuple[int, int]:
        """Least and largest step code of an operation; of converters of a fixed range both are the same."""
        return 1, 2**STEP_WIDTH - 1

    def step_code(self, step: float) -> int:
        """The step code that an operation has for a step, in 2**-14 of the load: the nearest that there is."""
        least, largest = self.step_codes
        return min(max(round(step), least), largest)

    def rated_operations(self) -> list[tuple[str, MvmOperation]]:
        """Operations for which figures of the chip are given, each with its precision in words."""
        op = self.operation(in_bits=min(4, self.input_bits), in_signed=True)
        return [(f"{op.in_bits}-bit inputs, {op.out_bits}-bit outputs", op)]

    @abstractmethod
    def macro_config(self) -> "MacroConfig":
        """Configuration of the numpy model of the macro."""

    @abstractmethod
    def sizes(self) -> list[tuple[str, str]]:
        """What follows from the description: pairs of a name and a value with its unit."""

    def warnings(self) -> list[str]:
        """Sentences about what is legal but probably not meant."""
        return []

    def slow_warnings(self) -> list[str]:
        """The same, of what takes seconds to find out."""
        return []

    cost_keys: ClassVar[tuple[str, ...]] = ()
    """Keys on which :meth:`relative_costs` depends."""

    def relative_costs(self, base: "Chip") -> dict[str, float]:
        """By what each number of ``base`` in ``[energy]`` and ``[area]`` is multiplied to be that of this chip.

        By dotted keys; of a kind without rules there are none, and its numbers stay.
        """
        return {}

    @property
    def mean_g_uS(self) -> float:
        """Mean conductance of the cells of weights that are uniform in their range, in uS.

        One cell of a pair is above the lowest conductance, by half of the range in the mean.
        """
        return self.cells.g_min_uS + (self.cells.g_max_uS - self.cells.g_min_uS) / 4.0

    @property
    def cores(self) -> int:
        """Cores of the chip."""
        return self.mesh.columns * self.mesh.rows

    @property
    def core_alone(self) -> Self:
        """The description of one core without tiles."""
        tile = replace(self.tile, at=type(self.tile)().at, programs=False)
        return replace(self, mesh=replace(self.mesh, columns=1, rows=1), tile=tile)

    @property
    def tiled(self) -> bool:
        """Whether it is made of tiles: several cores, or one that runs its program; else a host has the one core."""
        return self.cores > 1 or self.tile.programs

    @property
    def contexts(self) -> int:
        """Trees of reduction that there are: over several tiles, or none."""
        return self.mesh.contexts if self.cores > 1 else 0

    @property
    def sha256(self) -> str:
        """Hash of what the chip is and does; comments, order, ``extends`` and what it costs do not change it."""
        costs = ("description", "process", "energy", "area")
        content = {name: value for name, value in self.to_dict().items() if name not in costs}
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def to_dict(self) -> Tree:
        """The resolved description as plain dicts, lists, strings and numbers, as JSON or TOML hold it."""
        content: Tree = {"schema": 1, **asdict(self)}
        del content["folder"]
        for section, cls in sections_of(type(self)).items():
            values: Tree = content[section] or {}
            for name, spec in keys_of(cls).items() if values else ():
                # What came later is left out where it says nothing, so that hashes of older descriptions stay.
                if spec.later and values[name] == spec.default:
                    del values[name]
                elif isinstance(values[name], tuple):
                    values[name] = list(values[name])
            if not values:
                del content[section]
        return content

    def hardware(self, *parts: str) -> Self:
        """The chip with all keys at their defaults that shape none of these parts (see :attr:`KeySpec.shapes`).

        What is generated of the parts is the same for two chips if these are equal.
        """
        def plain(section: object) -> Tree:
            return {name: spec.default for name, spec in keys_of(section).items() if not set(parts) & set(spec.shapes)}

        sections = {name: getattr(self, name) for name in sections_of(type(self))}
        if "adapter" not in parts:
            # Without its module the section is none.
            sections["macro"] = None
        changed: Tree = {
            name: None if part is None else replace(part, **plain(part)) for name, part in sections.items()
        }
        return replace(self, **plain(self), **changed, folder=None)


def sections_of(chip: type[Chip]) -> dict[str, Any]:
    """Sections of the description of a kind: name to class, in the order of the description."""
    sections = {f.name: f.default_factory for f in fields(chip) if is_dataclass(f.default_factory)}
    return sections | {"macro": MacroSection}
