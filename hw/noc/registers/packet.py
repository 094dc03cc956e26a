"""Requests to registers as packets of words, and where the registers of a mesh are."""

from dataclasses import dataclass

from amaranth.lib import data, stream

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import coordinate_bits
from mho.hw.ports import Bundle, In, Out

NODE_BITS = 20
"""Bits of a byte address within a node. The tile has the lower half, the node's own registers begin the upper one."""

PAGE_BITS = 9
"""Bits of a byte address within the node's own registers."""

BURST = 16
"""Words of the longest burst."""

_WORD_BITS = NODE_BITS - 2
_LAST_BITS = (BURST - 1).bit_length()


def host_address_bits(cfg: MeshConfig) -> int:
    """Bits of a byte address of the host: within the node, then its column, then its row."""
    return NODE_BITS + coordinate_bits(cfg.columns) + coordinate_bits(cfg.rows)


def host_address(cfg: MeshConfig, node: int, address: int) -> int:
    """Byte address of the host for one within a node."""
    column, row = cfg.position(node)
    return address | (column | row << coordinate_bits(cfg.columns)) << NODE_BITS


def page_address(address: int) -> int:
    """Byte address within a node of one of its own registers."""
    return 1 << NODE_BITS - 1 | address


class HeaderLayout(data.StructLayout):
    """The first word of a request: address without its two lowest bits, words less one, bytes of a word, direction.

    A write has its words behind it. In a burst the address rises by a word each time.
    """

    def __init__(self) -> None:
        super().__init__({"address": _WORD_BITS, "last": _LAST_BITS, "strobe": 4, "write": 1})


class StatusLayout(data.StructLayout):
    """The last word of an answer: whether there was an error, and the number of the first word that had one.

    The answer to a read has the words that were read before it.
    """

    def __init__(self) -> None:
        super().__init__({"error": 1, "first": _LAST_BITS})


def burst_layout(address_width: int) -> data.StructLayout:
    """A request of several words: as :class:`HeaderLayout`, for an address of the host."""
    return data.StructLayout({"address": address_width - 2, "last": _LAST_BITS, "strobe": 4, "write": 1})


class AnswerLayout(data.StructLayout):
    """A word that was read, or, with ``last``, the end: ``error``, and in ``data`` the first word that had one."""

    def __init__(self) -> None:
        super().__init__({"data": 32, "error": 1, "last": 1})


class BurstBus(Bundle):
    """A bus to registers for 1 to 16 words a request, seen from the initiator.

    A request is answered before the next one is taken.

    Parameters
    ----------
    address_width
        Bits of a byte address.
    """

    request = Out(lambda self: stream.Signature(burst_layout(self.address_width)))
    """What is wanted."""
    data = Out(stream.Signature(32))
    """The words of a write, after its request."""
    answer = In(stream.Signature(AnswerLayout()))
    """The words of a read, then the end."""

    def __init__(self, address_width: int) -> None:
        self.address_width = address_width
        super().__init__()


@dataclass(frozen=True)
class Burst:
    """A request: byte address, words that are written (``None``: read), words, bytes of each word."""

    address: int
    data: tuple[int, ...] | None
    count: int = 1
    strobe: int = 15

    def pack(self, word_bits: int = _WORD_BITS) -> int:
        """Its bits with an address of so many bits: the first word of its packet, or the payload of a bus."""
        tail = self.count - 1 | self.strobe << _LAST_BITS | (self.data is not None) << _LAST_BITS + 4
        return self.address >> 2 | tail << word_bits
