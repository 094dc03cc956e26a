"""The tops of a chip: the core with its macro, bare or behind a bus."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from hw.config import Chip
from hw.core.port import join
from hw.host.axil import AxiLiteBridge
from hw.host.wishbone import WishboneBridge
from hw.kinds import CoreBlocks, core_blocks
from hw.noc.config import MeshConfig
from macro_models.errors import InputError

__all__ = ["WRAPS", "BusTop", "build_top", "configurations", "top_name"]

_BRIDGES = {"wishbone": ("core_wb", WishboneBridge), "axil": ("core_axil", AxiLiteBridge)}
"""Buses that may wrap a core: name of the top, and the bridge from its one member beside ``bus`` to that."""

WRAPS = {"none": "core"} | {wrap: top for wrap, (top, _) in _BRIDGES.items()}
"""Names of the tops, without the prefix, by what wraps the core."""


class BusTop(wiring.Component):
    """One core and its macro behind a bus.

    Parameters
    ----------
    blocks
        What the core is generated from.
    wrap
        ``wishbone`` or ``axil``.

    Members
    -------
    wb : Out(Wishbone), or s_axil : Out(AxiLite)
        The bus.
    irq : Out(1)
        Interrupt, as long as what raised it lasts.
    <what the core has beside its vector port>
        As it is, such as ``programming_enable``.
    """

    irq: Signal

    def __init__(self, blocks: CoreBlocks, *, wrap: str) -> None:
        self.blocks, self.wrap = blocks, wrap
        self._bridge: Any = _BRIDGES[wrap][1](blocks.registers.address_width)
        self._bus = next(name for name in self._bridge.signature.members if name != "bus")
        self._core: Any = blocks.core()
        self._own = {
            name: member for name, member in self._core.signature.members.items() if name not in self._core.port.members
        }
        super().__init__({self._bus: self._bridge.signature.members[self._bus], "irq": Out(1), **self._own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[self.wrap] = bridge = self._bridge
        host: Any = self.blocks.host()
        core = self._core
        m.submodules.host, m.submodules.core = host, core
        connect(m, outside=flipped(getattr(self, self._bus)), bridge=getattr(bridge, self._bus))
        connect(m, bridge=bridge.bus, host=host.bus)
        join(m, core.port, core, host)
        m.d.comb += self.irq.eq(host.irq)
        join(m, wiring.Signature(self._own), core, flipped(self))
        return m


def top_name(wrap: str) -> str:
    """Name of the top module without the prefix.

    Raises
    ------
    InputError
        If there is no such wrap.
    """
    if wrap not in WRAPS:
        raise InputError(f"wrap must be one of {', '.join(WRAPS)}, not {wrap!r}")
    return WRAPS[wrap]


def configurations(chip: Chip) -> tuple[object, ...]:
    """What the blocks of a chip are configured by: their modules are called by the names of the blocks alone."""
    return (MeshConfig.from_chip(chip),) if chip.cores > 1 else core_blocks(chip).configurations


def build_top(chip: Chip, wrap: str = "wishbone") -> wiring.Component:
    """The top of ``chip`` behind the bus ``wrap``: ``none``, ``wishbone`` or ``axil``.

    Raises
    ------
    InputError
        If there is no such wrap, or the chip has more than one core.
    """
    top_name(wrap)
    if chip.cores != 1:
        raise InputError(
            f"{chip.name}: mesh must have 1 column and 1 row for a core, not {chip.mesh.columns} x {chip.mesh.rows}"
        )
    blocks = core_blocks(chip)
    if wrap == "none":
        return blocks.core()
    return BusTop(blocks, wrap=wrap)
