"""The register bus inside, whatever the bus outside, and its division between regions of the address space."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, stream, wiring

from mho.hw.ports import Bundle, Component, In, Out


def request_layout(address_width: int) -> data.StructLayout:
    """A request: byte address without its two lowest bits, direction, data and the bytes that are written."""
    return data.StructLayout({"address": address_width - 2, "write": 1, "data": 32, "strobe": 4})


def response_layout() -> data.StructLayout:
    """A response: the word that was read (0 after a write), or an error."""
    return data.StructLayout({"data": 32, "error": 1})


class RegisterBus(Bundle):
    """A bus to registers, seen from the initiator. A response follows each request before the next one.

    Parameters
    ----------
    address_width
        Bits of a byte address.
    """

    request = Out(lambda self: stream.Signature(request_layout(self.address_width)))
    """What is wanted."""
    response = In(stream.Signature(response_layout()))
    """The answer."""

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__()


def connect_narrow(m: Module, initiator: Any, target: Any) -> None:
    """Connect a bus with a target that has a larger address space, of which it reaches the lower end."""
    m.d.comb += [
        *(target.request.p[name].eq(initiator.request.p[name]) for name in ("address", "write", "data", "strobe")),
        target.request.valid.eq(initiator.request.valid), initiator.request.ready.eq(target.request.ready),
        *(initiator.response.p[name].eq(target.response.p[name]) for name in ("data", "error")),
        initiator.response.valid.eq(target.response.valid), target.response.ready.eq(initiator.response.ready),
    ]


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
        busy = Signal()
        sent = Signal()
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
