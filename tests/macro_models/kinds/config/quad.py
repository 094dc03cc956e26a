"""A made-up kind: four cells a weight, currents, and a ramp that converts; described by a section of its own."""

from dataclasses import dataclass, field
from typing import Any

from mho.hw.config import Chip
from mho.hw.config.chip import CoreSection, Section
from mho.hw.config.keys import key
from mho.macro_models.integer.operation import MvmOperation


@dataclass(frozen=True, kw_only=True)
class QuadCoreSection(CoreSection):
    """``[core]``: one core of four cells a weight."""

    kind: str = key("quad", "Kind of macro: four cells a weight.", choices=("quad",), shapes=("core",))
    lines: int = key(64, "Lines on each side.", choices=(32, 64))


@dataclass(frozen=True, kw_only=True)
class RampSection(Section):
    """``[ramp]``: what converts a current."""

    _name = "ramp"
    bits: int = key(8, "Output bits.", low=2, high=8)
    full_uS: float = key(300.0, "Conductance on which the ramp is scaled, in microsiemens.", low=1.0, high=10_000.0)
    cycles: int = key(130, "Duration, in cycles.", low=1, high=1000)


@dataclass(frozen=True, kw_only=True)
class QuadChip(Chip):
    """A chip of such cores."""

    core: QuadCoreSection = field(default_factory=QuadCoreSection)
    ramp: RampSection = field(default_factory=RampSection)

    @property
    def lines(self) -> int:
        return self.core.lines

    @property
    def input_bits(self) -> int:
        return 8

    def operation(self, *, in_bits: int, in_signed: bool, out_bits: int | None = None) -> MvmOperation:
        bits = min(out_bits or self.ramp.bits, self.ramp.bits)
        return MvmOperation(in_bits=in_bits, in_signed=in_signed, out_bits=bits)

    def macro_config(self) -> Any:
        from mho.macro_models.kinds.quad import QuadConfig

        return QuadConfig(
            lines=self.lines, g_bits=self.core.g_bits, g_full_scale_uS=self.cells.g_full_scale_uS,
            full_uS=self.ramp.full_uS,
        )

    def sizes(self) -> list[tuple[str, str]]:
        return [("lines of a core", f"{self.lines}")]


CHIP = QuadChip
