"""Control flits: what a network interface is told, and what it answers. Bits in ``docs/design/noc.md``."""

from enum import IntEnum

from amaranth.lib import data

from hw.noc.config import HOST_POSITION, MeshConfig
from hw.noc.flit import Destinations
from hw.noc.reduction.trees import Entry
from macro_models.errors import InputError

__all__ = [
    "FLOWS",
    "TOKEN_BITS",
    "VALUE_BITS",
    "ControlLayout",
    "Counter",
    "Operation",
    "Table",
    "answer",
    "control_tag",
    "credit",
    "destination_bits",
    "member_bits",
    "read",
    "write_entry",
    "write_flow",
    "write_members",
    "write_slot",
]

FLOWS = 16
"""Rows of the table of flows."""

VALUE_BITS = 20
"""Width of a counter; it wraps."""

TOKEN_BITS = 9
"""Width of what the answer to a read repeats, so that the host knows it."""

_ROW_BITS = 4
_DATA_BITS = 22
_SET_BITS = 16


class Operation(IntEnum):
    """What a control flit asks for. Others are dropped."""

    CREDIT = 1
    WRITE = 2
    READ = 3
    ANSWER = 4


class Table(IntEnum):
    """What is written or read: bits 6:4 of an address; bits 3:0 are the row."""

    FLOWS = 0
    MEMBERS = 1
    SLOTS = 2
    REDUCTION = 4
    COUNTERS = 6


class Counter(IntEnum):
    """Counters of a node.

    Flits that it injected, and that it received and took, control included; cycles in which a flit waited for the
    router, and in which a block waited for credits; flits dropped at the ejection port (malformed or for nobody here),
    flits and releases dropped before injection (without a flow or a slot), flits that the router dropped since they had
    no destination but its own node, with those that the host sent nowhere.
    """

    SENT = 0
    RECEIVED = 1
    STALLS = 2
    WAITS = 3
    DROPPED = 4
    REFUSED = 5
    UNROUTABLE = 6


class ControlLayout(data.StructLayout):
    """The low 32 bits of a control flit's payload: ``data``, ``address``, ``operation``."""

    def __init__(self) -> None:
        super().__init__({"data": _DATA_BITS, "address": 3 + _ROW_BITS, "operation": 3})


def control_tag(cfg: MeshConfig) -> int:
    """Tag of control flits: all ones. The slots are those below it."""
    return (1 << cfg.tag_bits) - 1


def destination_bits(cfg: MeshConfig) -> int:
    """Width of a set of destinations."""
    return max(Destinations.one(cfg.columns - 1, cfg.rows - 1).pack(cfg).bit_length(), 1)


def member_bits(cfg: MeshConfig) -> int:
    """Width of a number of members: all nodes but the sender, and the host."""
    return cfg.nodes.bit_length()


def credit(flow: int, parity: int) -> int:
    """A credit for a block of ``flow``; ``parity`` tells even blocks from odd ones."""
    return _word(Operation.CREDIT, 0, flow | parity << _ROW_BITS)


def write_flow(cfg: MeshConfig, flow: int, to: Destinations, slot: int, *, host: bool = False) -> int:
    """Write where a flow goes: nodes and the slot of all of them, or the host (``to`` being its position).

    Raises
    ------
    InputError
        If flow or slot are out of range.
    """
    _check("flow", flow, FLOWS)
    _check("slot", slot, 1 << cfg.tag_bits)
    return _word(Operation.WRITE, Table.FLOWS << _ROW_BITS | flow, to.pack(cfg) | slot << _SET_BITS | host << 20)


def write_members(cfg: MeshConfig, flow: int, members: int) -> int:
    """Write how many members of a flow give credits; its next block is an even one, and has all credits.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    _check("flow", flow, FLOWS)
    _check("members", members, cfg.nodes + 1)
    return _word(Operation.WRITE, Table.MEMBERS << _ROW_BITS | flow, members)


def write_slot(cfg: MeshConfig, slot: int, sender: int | None, flow: int, *, in_use: bool = True) -> int:
    """Write who sends to a slot: a node, or the host (``None``), and the number of its flow there.

    Raises
    ------
    InputError
        If a number is out of range.
    """
    _check("slot", slot, control_tag(cfg))
    _check("flow", flow, FLOWS)
    if sender is not None:
        _check("sender", sender, cfg.nodes)
    to = Destinations.one(*(HOST_POSITION if sender is None else cfg.position(sender)))
    value = to.pack(cfg) | flow << _SET_BITS | in_use << 20 | (sender is None) << 21
    return _word(Operation.WRITE, Table.SLOTS << _ROW_BITS | slot, value)


def write_entry(cfg: MeshConfig, context: int, entry: Entry) -> int:
    """Write what the node's router does in a context of the reduction.

    Raises
    ------
    InputError
        If the context is out of range.
    """
    _check("context", context, cfg.contexts)
    return _word(Operation.WRITE, Table.REDUCTION << _ROW_BITS | context, entry.pack())


def read(counter: Counter, token: int) -> int:
    """Read a counter. The answer goes to the host and repeats the token.

    Raises
    ------
    InputError
        If the token is out of range.
    """
    _check("token", token, 1 << TOKEN_BITS)
    return _word(Operation.READ, Table.COUNTERS << _ROW_BITS | counter, token)


def answer(payload: int) -> tuple[int, int] | None:
    """Token and value of an answer, ``None`` if a control flit's payload is none."""
    if payload >> 29 & 7 != Operation.ANSWER:
        return None
    return payload >> VALUE_BITS & ((1 << TOKEN_BITS) - 1), payload & ((1 << VALUE_BITS) - 1)


def _word(operation: Operation, address: int, value: int) -> int:
    return value | address << _DATA_BITS | operation << 29


def _check(name: str, value: int, count: int) -> None:
    if not 0 <= value < count:
        raise InputError(f"{name} must be 0 to {count - 1}, not {value!r}")
