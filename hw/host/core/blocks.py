"""What a transposable core is generated from, alone and in a tile."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.lib import wiring

from mho.hw.config import Chip, PulseChip
from mho.hw.core.bring_up.manual import manual_inputs
from mho.hw.core.bring_up.trim import TrimLayout, trim_fields
from mho.hw.core.config import CoreConfig
from mho.hw.core.core import Core
from mho.hw.core.port import VectorPort, core_port
from mho.hw.core.reference import CoreReference, MacroModel
from mho.hw.core.top import CoreTop
from mho.hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.host.core.access import CoreAccess
from mho.hw.host.core.host import CoreHost
from mho.hw.host.core.map import chip_map, core_map
from mho.hw.host.registers import RegisterMap
from mho.hw.macro.macro_pins import MacroPins

__all__ = ["TnsaBlocks"]


@dataclass(frozen=True, kw_only=True)
class TnsaBlocks:
    """See :class:`mho.hw.kinds.CoreBlocks`; ``write`` is the configuration of write-verify, if the core programs."""

    cfg: CoreConfig
    write: WriteVerifyConfig | None
    registers: RegisterMap

    @classmethod
    def from_chip(cls, chip: Chip, *, tiled: bool = False) -> "TnsaBlocks":
        """The core of a chip; ``tiled``: a program asks it for products."""
        return cls(
            cfg=CoreConfig.from_chip(chip, ranged=tiled), registers=chip_map(chip, products=not tiled),
            write=WriteVerifyConfig.from_chip(chip) if PulseChip.of(chip).programming.engine else None,
        )

    @classmethod
    def in_tile(cls, cfg: CoreConfig, write: WriteVerifyConfig | None = None) -> "TnsaBlocks":
        """A core in a tile, of no description."""
        return cls(cfg=cfg, write=write, registers=core_map(
            cfg.lines, parameters=None if write is None else WriteVerifyParameters(), trim=trim_fields(cfg, write),
            products=False, manual=cfg.manual,
        ))

    def core(self) -> wiring.Component:
        """The core with its macro."""
        return CoreTop(self.cfg, self.write)

    def digital(self) -> wiring.Component:
        """The core without its macro."""
        return Core(self.cfg, self.write)

    def host(self) -> wiring.Component:
        """What drives it from a bus."""
        return CoreHost(self.cfg, self.registers, self.write)

    def access(self) -> wiring.Component:
        """Its registers, without products."""
        return CoreAccess(self.cfg, self.registers, self.write)

    def reference(self, model: MacroModel) -> CoreReference:
        """Its reference, with a model of its macro."""
        return CoreReference(self.cfg, model)

    @property
    def port(self) -> VectorPort:
        """The vector port."""
        return core_port(self.cfg, self.write)

    @property
    def programs(self) -> bool:
        """Whether it programs its cells."""
        return self.write is not None

    @property
    def pins(self) -> MacroPins:
        """Pins of the macro."""
        return MacroPins(self.cfg.lines, None if self.write is None else self.write.verify_bits)

    @property
    def configurations(self) -> tuple[object, ...]:
        """What its blocks are configured by."""
        return self, self.cfg, self.write, self.registers, self.pins

    @property
    def trim(self) -> int | None:
        """Value of ``trim``."""
        return TrimLayout(self.cfg, self.write).pack({}) if self.cfg.trim else None

    @property
    def idle(self) -> Mapping[str, int]:
        """Other inputs that nothing uses."""
        return manual_inputs(self.cfg, self.write) if self.cfg.manual else {}
