"""Numbers and words of a network interface: tags, credits, rows of its tables. Bits in ``docs/design/noc.md``."""

from enum import IntEnum

from amaranth.lib import data

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import Destinations
from mho.macro_models.errors import InputError

FLOWS = 16
"""Rows of the table of flows."""

UNIT = 4
"""Flits of a block for the host that go with one credit, where the flow has members: it has room for so many at a time,
and a block may be as long as it likes."""

VALUE_BITS = 20
"""Width of a counter; it wraps."""

_SET_BITS = 16


class Counter(IntEnum):
    """Counters of a node.

    Flits that it injected, and that it received and took, credits and requests included; cycles in which a flit waited
    for the router, and in which a block waited for credits; flits dropped at the ejection port (a slot that is not in
    use, a credit for no block), flits and releases dropped before injection (without a flow or a slot), flits that the
    router dropped since they had no destination but its own node.
    """

    SENT = 0
    RECEIVED = 1
    STALLS = 2
    WAITS = 3
    DROPPED = 4
    REFUSED = 5
    UNROUTABLE = 6


class CreditLayout(data.StructLayout):
    """The low bits of a credit: the ``flow`` of the block, and whether that was an ``odd`` one."""

    def __init__(self) -> None:
        super().__init__({"flow": range(FLOWS), "odd": 1})


def credit_tag(cfg: MeshConfig) -> int:
    """Tag of credits: all ones."""
    return (1 << cfg.tag_bits) - 1


def register_tag(cfg: MeshConfig) -> int:
    """Tag of requests to registers and of their answers, the one below. So this is the number of slots too."""
    return (1 << cfg.tag_bits) - 2


def destination_bits(cfg: MeshConfig) -> int:
    """Width of a set of destinations."""
    return max(Destinations.one(cfg.columns - 1, cfg.rows - 1).pack(cfg).bit_length(), 1)


def member_bits(cfg: MeshConfig) -> int:
    """Width of a number of members: all nodes but the sender, and the host."""
    return cfg.nodes.bit_length()


def credit(flow: int, parity: int) -> int:
    """Payload of a credit for a block of ``flow``; ``parity`` tells even blocks from odd ones."""
    return flow | parity << 4


def flow_word(cfg: MeshConfig, to: Destinations | None, slot: int) -> int:
    """Row of a flow: nodes and the slot of all of them, or the host (``None``) and a tag that it knows.

    Raises
    ------
    InputError
        If the slot is out of range.
    """
    refuse_number("slot", slot, register_tag(cfg))
    return slot << _SET_BITS | (1 << 20 if to is None else to.pack(cfg))


def slot_word(cfg: MeshConfig, sender: int | None, flow: int, *, in_use: bool = True) -> int:
    """Row of a slot: who sends there, a node or the host (``None``), and the number of its flow there.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    refuse_number("flow", flow, FLOWS)
    if sender is not None:
        refuse_number("sender", sender, cfg.nodes)
    where = 1 << 21 if sender is None else Destinations.one(*cfg.position(sender)).pack(cfg)
    return where | flow << _SET_BITS | in_use << 20


def refuse_number(name: str, value: int, count: int) -> None:
    """Raise an :class:`InputError` unless a number is one of ``count``."""
    if not 0 <= value < count:
        raise InputError(f"{name} must be 0 to {count - 1}, not {value!r}")
