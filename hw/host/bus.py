"""The register bus inside: one request, one response, whatever the bus outside."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["RegisterBus", "request_layout", "response_layout"]


def request_layout(address_width: int) -> data.StructLayout:
    """A request: byte address without its two lowest bits, direction, data and the bytes that are written."""
    return data.StructLayout({"address": address_width - 2, "write": 1, "data": 32, "strobe": 4})


def response_layout() -> data.StructLayout:
    """A response: the word that was read (0 after a write), or an error."""
    return data.StructLayout({"data": 32, "error": 1})


class RegisterBus(wiring.Signature):
    """A bus to registers, seen from the initiator. A response follows each request before the next one.

    Parameters
    ----------
    address_width
        Bits of a byte address.

    Members
    -------
    request : Out(stream of request_layout)
        What is wanted.
    response : In(stream of response_layout)
        The answer.
    """

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__({
            "request": Out(stream.Signature(request_layout(address_width))),
            "response": In(stream.Signature(response_layout())),
        })

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RegisterBus) and other.address_width == self.address_width

    def __repr__(self) -> str:
        return f"RegisterBus({self.address_width})"
