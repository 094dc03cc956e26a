"""What a core of rows and columns is generated from."""

from dataclasses import dataclass
from typing import Any, ClassVar

from amaranth.lib import wiring

from mho.hw.core.digital.loader import RowOpCheck
from mho.hw.core.port import VectorPort
from mho.hw.core.reference import CoreReference
from mho.hw.core.row_core import RowCore, row_port
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.macro.contract import ContractPins


@dataclass(frozen=True, kw_only=True)
class RowBlocks(CoreBlocks):
    """See :class:`CoreBlocks`; ``core_type`` is the core of a kind, its ``cfg`` a :class:`RowConfig`."""

    core_type: ClassVar[type[RowCore]]

    @property
    def port(self) -> VectorPort:
        """The vector port."""
        return row_port(self.cfg, self.write)

    @property
    def pins(self) -> ContractPins:
        """Pins of the macro."""
        return self.core_type.pins_of(self.cfg, self.write)

    def op_check(self) -> wiring.Component:
        """What decides whether a descriptor is legal."""
        return RowOpCheck(out_bits=self.cfg.most_out_bits)

    def digital(self) -> wiring.Component:
        """The core without its macro."""
        return self.core_type(self.cfg, self.write)

    def reference(self, model: Any) -> CoreReference:
        """Its reference, with a model of its macro."""
        return CoreReference(self.cfg, model)
