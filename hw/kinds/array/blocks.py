"""What a core whose columns share converters is generated from, alone and in a tile."""

from dataclasses import dataclass
from typing import Any

from amaranth.lib import wiring

from mho.hw.config import Chip
from mho.hw.config.chip import LINES
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.core.digital.loader import RowOpCheck
from mho.hw.core.port import VectorPort
from mho.hw.core.reference import CoreReference
from mho.hw.core.row_core import row_port
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.host.core.map import core_map
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.hw.kinds.array.core import ArrayCore
from mho.hw.kinds.array.pins import ArrayPins
from mho.macro_models.integer.array.operation import ArrayOperation
from mho.macro_models.integer.operation import MOST_OUT_BITS

__all__ = ["ArrayBlocks"]

_DOCS = {
    "step_code": "Step of the converters, in 2**-14 of the most that they take.",
    "out_bits": "Bits of an output, 1 to 15.",
}


class ArrayReference(CoreReference):
    """See :class:`CoreReference`."""

    operation_type = ArrayOperation


@dataclass(frozen=True, kw_only=True)
class ArrayBlocks(CoreBlocks):
    """See :class:`CoreBlocks`."""

    cfg: ArrayCoreConfig

    @classmethod
    def from_chip(cls, chip: Chip, *, tiled: bool = False) -> "ArrayBlocks":
        """The core of a chip; ``tiled``: a program asks it for products."""
        cfg, engine = ArrayCoreConfig.from_chip(chip, ranged=tiled), ArrayChip.of(chip).programming.engine
        registers = core_map(
            cfg, chip.sha256, doc="One array whose columns share converters.", docs=_DOCS, products=not tiled,
            parameters=WriteVerifyParameters.from_chip(chip) if engine else None,
            roomy=chip.lines > LINES[1],
        )
        return cls(cfg=cfg, registers=registers, write=WriteVerifyConfig.from_chip(chip) if engine else None)

    @property
    def port(self) -> VectorPort:
        """The vector port."""
        return row_port(self.cfg, self.write)

    @property
    def pins(self) -> ArrayPins:
        """Pins of the macro."""
        return ArrayPins(self.cfg, self.write)

    def op_check(self) -> wiring.Component:
        """What decides whether a descriptor is legal."""
        return RowOpCheck(out_bits=MOST_OUT_BITS)

    def digital(self) -> wiring.Component:
        """The core without its macro."""
        return ArrayCore(self.cfg, self.write)

    def reference(self, model: Any) -> CoreReference:
        """Its reference, with a model of its macro."""
        return ArrayReference(self.cfg, model)
