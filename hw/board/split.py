"""One bus to several: which region of the address space an access is for."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.host.bus import RegisterBus

__all__ = ["BusSplit", "Region"]


@dataclass(frozen=True)
class Region:
    """``2**width`` bytes from ``base`` on, a multiple of their number."""

    name: str
    base: int
    width: int


class BusSplit(wiring.Component):
    """Passes each access on to the bus of its region; one outside of all regions answers with an error.

    Adds no cycle.

    Parameters
    ----------
    address_width
        Bits of a byte address of the whole.
    regions
        The regions, which must not overlap.

    Members
    -------
    bus : In(RegisterBus)
        The whole.
    <region> : Out(RegisterBus)
        One for each region, by its name.

    Raises
    ------
    ValueError
        If a region is not aligned, lies outside or overlaps another.
    """

    bus: Any

    def __init__(self, address_width: int, regions: tuple[Region, ...]) -> None:
        end = 0
        for region in sorted(regions, key=lambda region: region.base):
            if region.base % 2**region.width or region.base < end or region.base >> address_width:
                raise ValueError(f"Region {region.name} must be aligned, inside and apart, not at {region.base:#x}")
            end = region.base + 2**region.width
        self.address_width, self.regions = address_width, regions
        super().__init__({
            "bus": In(RegisterBus(address_width)),
            **{region.name: Out(RegisterBus(region.width)) for region in regions},
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        request, response = self.bus.request, self.bus.response
        outside = Signal()  # the response to an access to nowhere
        known, ready, valid, error, data = [], [], [Const(0)], [Const(0)], [Const(0, 32)]
        for region in self.regions:
            port = getattr(self, region.name)
            here = Signal(name=f"in_{region.name}")
            m.d.comb += [
                here.eq(request.p.address[region.width - 2 :] == region.base >> region.width),
                port.request.p.address.eq(request.p.address), port.request.p.write.eq(request.p.write),
                port.request.p.data.eq(request.p.data), port.request.p.strobe.eq(request.p.strobe),
                port.request.valid.eq(request.valid & here), port.response.ready.eq(response.ready),
            ]  # fmt: skip
            known.append(here)
            ready.append(port.request.ready & here)
            valid.append(port.response.valid)
            error.append(port.response.valid & port.response.p.error)
            data.append(port.response.p.data & port.response.valid.replicate(32))
        nowhere = ~reduce(or_, known)
        m.d.comb += [
            request.ready.eq(reduce(or_, ready) | (nowhere & ~outside)),
            response.valid.eq(reduce(or_, valid) | outside),
            response.p.error.eq(reduce(or_, error) | outside), response.p.data.eq(reduce(or_, data)),
        ]  # fmt: skip
        with m.If(response.ready):
            m.d.sync += outside.eq(0)
        with m.If(request.valid & nowhere & ~outside):
            m.d.sync += outside.eq(1)
        return m
