"""What a core is generated from, whatever its kind, with a default for all that follows from the rest."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.lib import wiring

from mho.hw.core.top import CoreTop
from mho.hw.host.core.access import CoreAccess
from mho.hw.host.core.host import CoreHost
from mho.hw.host.core.hosted import HostedCore
from mho.hw.host.core.shared_access import SharedAccess
from mho.hw.macro.contract import ContractPins
from mho.hw.macro.write_pins import ENABLE

__all__ = ["CoreBlocks"]


@dataclass(frozen=True, kw_only=True)
class CoreBlocks(HostedCore):
    """What a core is generated from. Equal blocks are equal hardware."""

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
