"""The description of a digital core whose weights are bits. Its defaults are the preset ``sram-64``."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from mho.hw.config.chip import FEWEST_LINES, LINE_STEP, LINES, CellsSection, Chip, CoreSection, Section
from mho.hw.config.cost import EnergySection, energy_key
from mho.hw.config.keys import ChipError, key
from mho.macro_models.integer.operation import MAX_BITS
from mho.macro_models.integer.sram import MOST_SHIFT, SramOperation

if TYPE_CHECKING:
    from mho.macro_models.kinds.sram import SramConfig


@dataclass(frozen=True, kw_only=True)
class SramCoreSection(CoreSection):
    """``[core]``: one array of bits."""

    instead: ClassVar[dict[str, str]] = {
        "lines": "a core of this kind has core.rows and core.columns",
        **dict.fromkeys(("trim", "manual", "synchronise"), "a core of this kind has no such registers at its pins"),
    }
    """What to say of keys that do not exist and that somebody looks for."""
    g_bits: ClassVar[int] = 1  # pyright: ignore[reportIncompatibleVariableOverride]
    kind: str = key("sram", "Kind of macro: bits, whose products are exact.", choices=("sram",), shapes=("core",))
    rows: int = key(64, "Rows, in steps of 8.", low=FEWEST_LINES, high=LINES[1], shapes=("core", "tile"))
    columns: int = key(256, "Columns of bits, in steps of 8.", low=FEWEST_LINES, high=LINES[1], shapes=("core", "tile"))
    weight_bits: int = key(
        4, "Bits of a weight, the sign included; of one bit it is -1 or 1.", low=1, high=8, shapes=("core", "tile")
    )


@dataclass(frozen=True, kw_only=True)
class BitCellsSection(CellsSection):
    """No section of a file: what stands for conductances in cells that hold a bit."""

    g_min_uS: ClassVar[float] = 0.0  # pyright: ignore[reportIncompatibleVariableOverride]
    g_max_uS: ClassVar[float] = 1.0  # pyright: ignore[reportIncompatibleVariableOverride]
    g_full_scale_uS: ClassVar[float] = 1.0  # pyright: ignore[reportIncompatibleVariableOverride]


@dataclass(frozen=True, kw_only=True)
class SumSection(Section):
    """``[sum]``: how products are added up."""

    _name = "sum"
    t_plane_ns: float = key(
        4.0, "One bit of all inputs through the tree of adders of a column, in ns.", low=0.0, high=1e5, shapes=("core",)
    )
    lanes: int = key(
        4, "Columns of weights whose sums leave the macro in a cycle.", choices=(2, 4, 8), shapes=("core",)
    )


@dataclass(frozen=True, kw_only=True)
class SramEnergySection(EnergySection):
    """``[energy]``: what products take."""

    product_pJ: float = energy_key("One bit of an input times one bit of a weight, with its part of the sums")


@dataclass(frozen=True, kw_only=True)
class SramChip(Chip):
    """A chip of digital arrays, complete and checked.

    Raises ChipError if a value is out of range or values contradict each other (an
    :class:`~mho.macro_models.errors.InputError`).
    """

    operation_type = SramOperation
    least_lines = FEWEST_LINES

    device: str = key(
        "ideal", "Device of the cells unless a command names another: its name, or the path of its TOML file.",
        pattern=r".+", expects="a device name or the path of a device file",
    )
    core: SramCoreSection = field(default_factory=SramCoreSection)  # pyright: ignore[reportIncompatibleVariableOverride]
    cells: BitCellsSection = field(default_factory=BitCellsSection)
    sum: SumSection = field(default_factory=SumSection)
    energy: SramEnergySection = field(default_factory=SramEnergySection)

    def __post_init__(self) -> None:
        super().__post_init__()
        core, lanes = self.core, self.sum.lanes
        if core.columns % LINE_STEP:
            raise ChipError("core.columns", f"core.columns must be in steps of {LINE_STEP}, not {core.columns}")
        if core.columns % core.weight_bits:
            legal = f"a divisor of core.columns = {core.columns}"
            raise ChipError("core.weight_bits", f"core.weight_bits must be {legal}, not {core.weight_bits}")
        if self.outputs % lanes or self.outputs == lanes:
            legal = f"a divisor of the {self.outputs} columns of weights that core.columns = {core.columns} has"
            raise ChipError("sum.lanes", f"sum.lanes must be {legal}, and fewer than these, not {lanes}")

    @property
    def lines(self) -> int:
        """Rows of one core."""
        return self.core.rows

    @property
    def outputs(self) -> int:
        """Columns of weights of one core."""
        return self.core.columns // self.core.weight_bits

    @property
    def input_bits(self) -> int:
        return MAX_BITS

    def step_code(self, step: float) -> int:
        """See :meth:`mho.hw.config.Chip.step_code`: the next power of two, so that nothing saturates by it."""
        exponent = next((k for k in range(MOST_SHIFT) if 1 << k >= step), MOST_SHIFT)
        return 1 << exponent

    def operation(self, *, in_bits: int, in_signed: bool, out_bits: int | None = None) -> SramOperation:
        """An operation as the compiler starts from it; see :meth:`mho.hw.config.Chip.operation`."""
        bits = SramOperation.most_out_bits if out_bits is None else out_bits
        return SramOperation(in_bits=in_bits, in_signed=in_signed, out_bits=bits, step_code=1)

    def macro_config(self) -> "SramConfig":
        from mho.macro_models.kinds.sram import SramConfig

        return SramConfig(rows=self.core.rows, columns=self.outputs, weight_bits=self.core.weight_bits)

    def sizes(self) -> list[tuple[str, str]]:
        core = self.core
        return [
            ("bits", f"{core.rows * core.columns * self.cores:,} ({core.rows} x {core.columns} a core)"),
            ("signed weights", f"{core.rows} x {self.outputs} a core, {core.weight_bits} bits each"),
        ]


CHIP = SramChip
