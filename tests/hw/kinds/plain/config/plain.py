"""A made-up kind: a plain array, rows apart from columns, whose columns share converters that approximate."""

from dataclasses import dataclass, field
from typing import Any

from mho.hw.config import Chip
from mho.hw.config.chip import CoreSection, Section
from mho.hw.config.keys import key
from mho.macro_models.integer.operation import MvmOperation


@dataclass(frozen=True, kw_only=True)
class PlainOperation(MvmOperation):
    """An operation that takes all planes in one conversion."""

    most_out_bits = 12


@dataclass(frozen=True, kw_only=True)
class PlainCoreSection(CoreSection):
    """``[core]``: one plain array."""

    kind: str = key("plain", "Kind of macro: a plain array.", choices=("plain",), shapes=("core",))
    rows: int = key(24, "Rows, in steps of 8.", low=16, high=256, shapes=("core", "tile"))
    columns: int = key(40, "Columns, in steps of 8.", low=16, high=256, shapes=("core", "tile"))


@dataclass(frozen=True, kw_only=True)
class SarSection(Section):
    """``[sar]``: what converts a current."""

    _name = "sar"
    bits: int = key(6, "Output bits.", low=1, high=12, shapes=("core",))
    lanes: int = key(4, "Columns that are read in a cycle.", choices=(2, 4, 8), shapes=("core",))
    t_sample_ns: float = key(20.0, "One plane, in ns.", low=0.0, high=1e6, shapes=("core",))
    t_bit_ns: float = key(10.0, "One bit, in ns.", low=0.0, high=1e6, shapes=("core",))


@dataclass(frozen=True, kw_only=True)
class PlainChip(Chip):
    """A chip of such cores."""

    operation_type = PlainOperation
    core: PlainCoreSection = field(default_factory=PlainCoreSection)
    sar: SarSection = field(default_factory=SarSection)

    @property
    def lines(self) -> int:
        return self.core.rows

    @property
    def columns(self) -> int:
        return self.core.columns

    @property
    def input_bits(self) -> int:
        return 8

    def operation(self, *, in_bits: int, in_signed: bool, out_bits: int | None = None) -> PlainOperation:
        return PlainOperation(
            in_bits=in_bits, in_signed=in_signed, out_bits=min(out_bits or 12, self.sar.bits)
        )

    def macro_config(self) -> Any:
        from mho.macro_models.kinds.plain import PlainConfig  # pyright: ignore[reportMissingImports]

        return PlainConfig(
            rows=self.core.rows, columns=self.core.columns, bits=self.sar.bits, middle=2 ** (self.core.g_bits - 1),
            g_bits=self.core.g_bits, g_full_scale_uS=self.cells.g_full_scale_uS,
        )

    def sizes(self) -> list[tuple[str, str]]:
        return [("array", f"{self.core.rows} x {self.core.columns}")]


CHIP = PlainChip
