"""What a core whose columns share converters is generated from, alone and in a tile."""

from dataclasses import dataclass

from mho.hw.config import Chip
from mho.hw.config.chip import LINES
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.host.core.map import core_map
from mho.hw.host.core.row_blocks import RowBlocks
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.hw.kinds.array.core import ArrayCore

_DOCS = {
    "step_code": "Step of the converters, in 2**-14 of the most that they take.",
    "out_bits": "Bits of an output, 1 to 15.",
}


@dataclass(frozen=True, kw_only=True)
class ArrayBlocks(RowBlocks):
    """See :class:`RowBlocks`."""

    core_type = ArrayCore

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
