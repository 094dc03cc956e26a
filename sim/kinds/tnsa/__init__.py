"""Transposable macros of a simulation: at their pins, and lazily behind C++."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mho.sim.kinds import Body
from mho.sim.kinds.tnsa.macro import TnsaMacro, TnsaPins

if TYPE_CHECKING:
    from mho.hw.config import Chip

__all__ = ["BODY", "PINS"]

PINS = TnsaPins


def _defines(chip: "Chip") -> Mapping[str, object]:
    # Imported here: the process of a simulator needs no hardware.
    from mho.hw.kinds import core_blocks
    from mho.hw.kinds.tnsa.bring_up.trim import TrimLayout
    from mho.hw.kinds.tnsa.config import LIMITS

    blocks = core_blocks(chip)
    if blocks.trim is None:
        return {}
    # The bench asks for all that the hardware can.
    layout = TrimLayout(blocks.cfg, blocks.write)
    return {"MHO_TRIM": f"{layout.size}'h{layout.pack(LIMITS):x}"}


BODY = Body(
    hdl="tnsa_macro.sv", sources=("tnsa_shim.cpp", "charges.cpp"), defines=_defines, macro=TnsaMacro,
)
