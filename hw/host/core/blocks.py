"""What a core is generated from, whatever its kind, with a default for all that follows from the rest."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring

from mho.hw.core.digital.loader import RowOpCheck
from mho.hw.core.layout import INPUTS_PER_WORD
from mho.hw.core.port import VectorPort
from mho.hw.core.reference import CoreReference
from mho.hw.core.row_core import RowCore, row_port
from mho.hw.core.top import CoreTop
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.host.core.host import CoreAccess, CoreHost, SharedAccess
from mho.hw.host.registers import RegisterMap
from mho.hw.macro.contract import ENABLE, ContractPins
from mho.macro_models.integer.operation import Direction


@dataclass(frozen=True, kw_only=True)
class CoreBlocks(ABC):
    """What a core is generated from, and what its host asks of it. Equal blocks are equal hardware."""

    cfg: Any
    """Configuration of the core: a :class:`mho.hw.core.shape.CoreShape`."""
    registers: RegisterMap
    """What the host answers to."""
    write: WriteVerifyConfig | None = None
    """Configuration of write-verify, if the core programs its cells by :mod:`mho.hw.core.write_verify`."""

    @property
    @abstractmethod
    def port(self) -> VectorPort:
        """The vector port."""

    @abstractmethod
    def op_check(self) -> wiring.Component:
        """What decides whether a descriptor is legal: ``op`` and ``legal``; other inputs are members of ``trim``."""

    def input_words(self, op: Any) -> Value:
        """Words of the input stream that a descriptor takes."""
        backward, forward = (self.cfg.inputs(way) // INPUTS_PER_WORD for way in (Direction.BACKWARD, Direction.FORWARD))
        return Mux(op.backward, backward, forward) if self.cfg.two_way else Const(forward)

    def connect(self, m: Module, bank: Any, core: Any) -> None:  # noqa: B027 (most kinds have none)
        """Connect the registers that only this kind has, in the module ``m`` of a host.

        ``bank`` is the :class:`mho.hw.host.bank.RegisterBank`, ``core`` what has the members of the port, flipped.
        """

    @property
    @abstractmethod
    def pins(self) -> ContractPins:
        """Signature of the macro's pins."""

    @abstractmethod
    def digital(self) -> wiring.Component:
        """The core without its macro, whose pins are the member ``macro``."""

    @abstractmethod
    def reference(self, model: Any) -> Any:
        """Its bit-exact reference, with a programmed model of its macro: what an interpreter of tiles takes."""

    def core(self) -> wiring.Component:
        """The core with its macro: a component with the vector port ``port`` (:class:`mho.hw.core.port.VectorPort`)."""
        return CoreTop(self)

    def host(self) -> wiring.Component:
        """What drives it from a 32-bit bus: the other end of the port, ``bus`` and ``irq``."""
        return CoreHost(self)

    def access(self) -> wiring.Component:
        """The same where a program asks for products: the rest of the port is ``port``; besides ``reset``."""
        return SharedAccess(self) if self.shared else CoreAccess(self)

    @property
    def shared(self) -> bool:
        """In a tile the host asks the core for operations, too: while no program runs."""
        return False

    @property
    def programs(self) -> bool:
        """Whether the core programs its cells, and thus has the pin ``programming_enable``."""
        return self.write is not None

    @property
    def beside(self) -> Mapping[str, Any]:
        """Members that the core has beside its vector port and its macro."""
        return {"programming_enable": ENABLE} if self.programs else {}

    @property
    def configurations(self) -> tuple[object, ...]:
        """What the blocks are configured by: their modules are called by the names of the blocks alone."""
        return self, self.hardware, self.cfg, self.write, self.registers, self.pins

    @property
    def hardware(self) -> tuple[object, ...]:
        """What the core alone is another for."""
        return self.cfg, self.write

    @property
    def trim(self) -> int | None:
        """Value of the member ``trim`` of the vector port as the chip description says; None if the core has none."""
        return None

    @property
    def idle(self) -> Mapping[str, int]:
        """Widths of other inputs of the core that are 0 where nothing uses them, by their names in Verilog."""
        return {}


@dataclass(frozen=True, kw_only=True)
class RowBlocks(CoreBlocks):
    """See :class:`CoreBlocks`; ``core_type`` is the core of a kind, its ``cfg`` a :class:`RowConfig`."""

    core_type: ClassVar[type[RowCore]]

    @property
    def port(self) -> VectorPort:
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
