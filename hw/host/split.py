"""One bus to several: which region of the address space an access is for."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring

from mho.hw.host.bus import RegisterBus
from mho.hw.ports import Component, In


@dataclass(frozen=True)
class Region:
    """``2**width`` bytes from ``base`` on, a multiple of their number."""

    name: str
    base: int
    width: int


class BusSplit(Component):
    """Passes each access on to the bus of its region; one outside of all regions answers with an error.

    One access at a time. It takes a cycle longer, so that no path leads from one bus through to another.

    Parameters
    ----------
    address_width
        Bits of a byte address of the whole.
    regions
        The regions, which must not overlap.

    Members
    -------
    <region> : Out(RegisterBus)
        One for each region, by its name.

    Raises
    ------
    ValueError
        If a region is not aligned, lies outside or overlaps another.
    """

    bus: Any = In(lambda self: RegisterBus(self.address_width))
    """The whole."""

    def __init__(self, address_width: int, regions: tuple[Region, ...]) -> None:
        end = 0
        for region in sorted(regions, key=lambda region: region.base):
            if region.base % 2**region.width or region.base < end or region.base >> address_width:
                raise ValueError(f"Region {region.name} must be aligned, inside and apart, not at {region.base:#x}")
            end = region.base + 2**region.width
        self.address_width, self.regions = address_width, regions
        super().__init__(behind={region.name: wiring.Out(RegisterBus(region.width)) for region in regions})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response = self.bus.request, self.bus.response
        kept = Signal.like(request.p)
        # An access is under way; its region has it.
        busy, sent = Signal(), Signal()
        inside = Signal(len(self.regions))
        nowhere = Signal()
        ready, valid, error, data = [], [busy & nowhere], [nowhere], [Const(0, 32)]
        for region, here in zip(self.regions, inside, strict=True):
            port = getattr(self, region.name)
            m.d.comb += [
                port.request.p.address.eq(kept.address), port.request.p.write.eq(kept.write),
                port.request.p.data.eq(kept.data), port.request.p.strobe.eq(kept.strobe),
                port.request.valid.eq(busy & ~sent & here), port.response.ready.eq(response.ready),
            ]
            ready.append(port.request.ready & here)
            valid.append(port.response.valid)
            error.append(port.response.valid & port.response.p.error)
            data.append(port.response.p.data & port.response.valid.replicate(32))
        m.d.comb += [
            request.ready.eq(~busy), response.valid.eq(reduce(or_, valid)),
            response.p.error.eq(reduce(or_, error)), response.p.data.eq(reduce(or_, data)),
        ]
        found = [request.p.address[region.width - 2 :] == region.base >> region.width for region in self.regions]
        with m.If(~busy):
            m.d.sync += [
                kept.eq(request.p), busy.eq(request.valid), sent.eq(0), inside.eq(Cat(found)),
                nowhere.eq(~Cat(found).any()),
            ]
        with m.Else():
            m.d.sync += sent.eq(sent | reduce(or_, ready))
            with m.If(response.valid & response.ready):
                m.d.sync += busy.eq(0)
        return m
