"""Flows, slots and credits of a network interface without time, in Python."""

from dataclasses import dataclass, field
from typing import NamedTuple

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import coordinate_bits, host_destination
from mho.hw.noc.interface.tables import FLOWS, credit, credit_tag, destination_bits, member_bits, register_tag
from mho.hw.noc.model import TableRow


class Body(NamedTuple):
    """A flit that arrives."""

    payload: int
    tag: int


class Flit(NamedTuple):
    """A flit that leaves; ``to`` are the bits of its destinations."""

    payload: int
    tag: int
    host: bool
    to: int


@dataclass
class _Flow:
    to: int = 0
    slot: int = 0
    host: bool = False
    known: bool = False
    members: int = 0
    missing: list[int] = field(default_factory=lambda: [0, 0])
    parity: int = 0


@dataclass
class _Slot:
    to: int = 0
    flow: int = 0
    host: bool = False
    known: bool = False
    parity: int = 0


def is_legal(cfg: MeshConfig, to: int) -> bool:
    """Whether 16 bits of a set of destinations name one that is not empty and in the mesh."""
    for size in (cfg.rows, cfg.columns):
        bits = size if cfg.masks else coordinate_bits(size)
        low = to & ((1 << bits) - 1)
        to >>= bits
        if cfg.masks:
            if not low:
                return False
        else:
            high = to & ((1 << bits) - 1)
            to >>= bits
            if not low <= high < size:
                return False
    return not to


class Tables:
    """Flows, slots and credits of an interface, without time."""

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        self.flows = [_Flow() for _ in range(FLOWS)]
        self.slots = [_Slot() for _ in range(FLOWS)]

    def write(self, entry: TableRow) -> None:
        """Write a row."""
        to = entry.value & ((1 << destination_bits(self.cfg)) - 1)
        legal, bit = is_legal(self.cfg, entry.value & 0xFFFF), lambda k: bool(entry.value >> k & 1)
        flow = self.flows[entry.row]
        if entry.table == "flow":
            flow.host = bit(20)
            flow.to = host_destination(self.cfg) if flow.host else to
            flow.slot = entry.value >> 16 & credit_tag(self.cfg)
            flow.known = (flow.host or legal) and flow.slot < register_tag(self.cfg)
        elif entry.table == "members":
            flow.members = entry.value & ((1 << member_bits(self.cfg)) - 1)
            flow.missing, flow.parity = [0, 0], 0
        else:
            host = bit(21)
            where = host_destination(self.cfg) if host else to
            self.slots[entry.row] = _Slot(where, entry.value >> 16 & 15, host, bit(20) and (host or legal))

    def credit(self, word: int) -> bool:
        """Take a credit; whether it belongs to a block."""
        missing, odd = self.flows[word & 15].missing, word >> 4 & 1
        owed = missing[odd] > 0
        missing[odd] -= owed
        return owed

    def may_start(self, number: int) -> bool:
        """Whether the next block of a flow has its credits."""
        flow = self.flows[number]
        return not flow.missing[flow.parity]

    def start(self, number: int) -> None:
        """Begin a block of a flow."""
        flow = self.flows[number]
        flow.missing[flow.parity] = flow.members
        flow.parity ^= 1

    def parted(self, number: int) -> bool:
        """Whether blocks of a flow go in units of their own credits."""
        return self.flows[number].host and self.flows[number].members > 0

    def flit(self, number: int, payload: int) -> Flit | None:
        """A flit of a flow, none if that is not known."""
        flow = self.flows[number]
        return Flit(payload, flow.slot, flow.host, flow.to) if flow.known else None

    def free(self, number: int) -> Flit | None:
        """The credit for a block of a slot, none if that is not in use."""
        slot = self.slots[number]
        if not slot.known:
            return None
        slot.parity ^= 1
        return Flit(credit(slot.flow, slot.parity ^ 1), credit_tag(self.cfg), slot.host, slot.to)

    def kind(self, tag: int) -> str:
        """What arrives with a tag: credit, request, data or, for a slot that is not in use, lost."""
        kinds = {credit_tag(self.cfg): "credit", register_tag(self.cfg): "request"}
        return kinds.get(tag, "data" if self.slots[tag].known else "lost")
