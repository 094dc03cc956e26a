"""The register bus inside: one request, one response, whatever the bus outside."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import data, stream

from mho.hw.ports import Bundle, In, Out


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
