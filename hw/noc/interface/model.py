"""The network interface cycle by cycle, in Python: what hardware is held to."""

from dataclasses import dataclass, field
from typing import NamedTuple

from hw.noc.config import HOST_POSITION, MeshConfig
from hw.noc.flit import Destinations, coordinate_bits
from hw.noc.interface.control import (
    FLOWS,
    TOKEN_BITS,
    VALUE_BITS,
    Counter,
    Operation,
    Table,
    control_tag,
    credit,
    destination_bits,
)

__all__ = ["Body", "Flit", "InterfaceModel", "Pins", "Tx", "is_legal"]


class Tx(NamedTuple):
    """A flit that a node offers."""

    payload: int
    flow: int
    last: bool


class Body(NamedTuple):
    """A flit that arrives."""

    payload: int
    tag: int
    host: bool


class Flit(NamedTuple):
    """A flit that leaves; ``to`` are the bits of its destinations."""

    payload: int
    tag: int
    host: bool
    to: int


@dataclass(frozen=True, kw_only=True)
class Pins:
    """Outputs of a cycle: whether ``tx`` and ``release`` are ready, and what is at the other ports, if anything."""

    eject_ready: bool
    tx_ready: bool
    release_ready: bool
    rx: tuple[int, int] | None
    inject: Flit | None
    setup: tuple[int, int] | None


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


class InterfaceModel:
    """A network interface (:class:`.interface.NetworkInterface`), equal to it in every cycle from reset on.

    Parameters
    ----------
    cfg
        The mesh.
    """

    def __init__(self, cfg: MeshConfig) -> None:
        self.cfg = cfg
        self.counters = dict.fromkeys(Counter, 0)
        self._shown = dict(self.counters)  # what a read finds: without the last cycle
        self._flows = [_Flow() for _ in range(FLOWS)]
        self._slots = [_Slot() for _ in range(FLOWS)]
        self._cycle = 0
        self._event: tuple[str, int] | None = None  # what arrived in the last cycle
        self._flit: Flit | None = None
        self._opened: int | None = None  # flow of the block that is under way
        self._asked: tuple[Counter, int] | None = None

    def step(
        self, *, tx: Tx | None = None, release: int | None = None, eject: Body | None = None, ready: int = -1,
        lost: int = 0,
    ) -> Pins:
        """Outputs of a cycle with these inputs; ``ready`` is that of the router, a bit for each queue.

        The state is that of the next cycle then.
        """
        clears = self._cycle < FLOWS
        self._cycle += 1
        add = dict.fromkeys(Counter, 0)
        event, asked = self._event, self._asked
        word = event[1] if event and event[0] == "control" else None
        rx = self._eject(eject, word)
        # Credits and writes have the tables first.
        table = None if word is None or word >> 29 != Operation.WRITE else word >> 26 & 7
        holds_flows = clears or table == Table.MEMBERS or (word is not None and word >> 29 == Operation.CREDIT)
        holds_slots = clears or (table == Table.SLOTS and word is not None and word >> 22 & 15 < control_tag(self.cfg))
        inject, moves = self._flit, self._flit is None or bool(ready >> self._flit.tag % self.cfg.queues & 1)
        release_ready = moves and not holds_slots
        flow_number = self._opened if self._opened is not None else tx.flow if tx else 0
        flow = self._flows[flow_number]
        free = not holds_flows and not flow.missing[flow.parity]
        may = not (clears and self._opened is None) and (self._opened is not None or free or not flow.known)
        tx_ready = moves and asked is None and release is None and may
        value = self._shown[asked[0]] if asked else 0
        if moves:
            self._flit = self._next(add, tx if tx_ready else None, flow, release, release_ready, value)
        if tx and tx_ready:
            if self._opened is None and flow.known:
                flow.missing[flow.parity] = flow.members
                flow.parity ^= 1
            self._opened = None if tx.last else flow_number
        # Tables are read before they are written.
        good, setup = (False, None) if word is None else self._control(word, busy=asked is not None)
        add[Counter.SENT] = inject is not None and moves
        add[Counter.STALLS] = not moves
        add[Counter.WAITS] = tx is not None and not may
        add[Counter.UNROUTABLE] = lost.bit_count()
        add[Counter.RECEIVED] = (event is not None and event[0] == "data") or good
        add[Counter.DROPPED] = event is not None and event[0] != "data" and not good
        self._shown = dict(self.counters)
        for counter, step in add.items():
            self.counters[counter] = (self.counters[counter] + step) % (1 << VALUE_BITS)
        return Pins(
            eject_ready=not clears, tx_ready=tx_ready, release_ready=release_ready, rx=rx, inject=inject, setup=setup
        )

    def _eject(self, eject: Body | None, word: int | None) -> tuple[int, int] | None:
        self._event = None
        if eject is None:
            return None
        if eject.host:
            self._event = "lost", 0
        elif eject.tag == control_tag(self.cfg):
            self._event = "control", eject.payload & 0xFFFF_FFFF
        elif self._in_use(eject.tag, word):
            self._event = "data", 0
            return eject.payload, eject.tag
        else:
            self._event = "lost", 0
        return None

    def _in_use(self, tag: int, word: int | None) -> bool:
        """Whether a slot is in use when a control flit has come in the cycle before."""
        if word is not None and word >> 22 == Operation.WRITE << 7 | Table.SLOTS << 4 | tag:
            return is_legal(self.cfg, word & 0xFFFF) and bool(word >> 20 & 1)
        return self._slots[tag].known

    def _next(
        self, add: dict[Counter, int], tx: Tx | None, flow: _Flow, release: int | None, release_ready: bool, value: int
    ) -> Flit | None:
        """The flit that the register takes."""
        control = control_tag(self.cfg)
        if release is not None:
            slot = self._slots[release]
            if not release_ready:
                return None
            if not slot.known:
                add[Counter.REFUSED] = 1
                return None
            slot.parity ^= 1
            return Flit(credit(slot.flow, slot.parity ^ 1), control, slot.host, slot.to)
        if self._asked is not None:
            payload = Operation.ANSWER << 29 | self._asked[1] << VALUE_BITS | value
            self._asked = None
            return Flit(payload, control, True, Destinations.one(*HOST_POSITION).pack(self.cfg))
        if tx is None:
            return None
        if not flow.known:
            add[Counter.REFUSED] = 1
            return None
        return Flit(tx.payload, flow.slot, flow.host, flow.to)

    def _control(self, word: int, *, busy: bool) -> tuple[bool, tuple[int, int] | None]:
        """Do what a control flit asks for: whether it was legal, and what is written to the reduction router."""
        operation, table, row, value = word >> 29, word >> 26 & 7, word >> 22 & 15, word & 0x3F_FFFF
        if operation == Operation.CREDIT:
            missing = self._flows[value & 15].missing
            if not missing[value >> 4 & 1]:
                return False, None
            missing[value >> 4 & 1] -= 1
            return True, None
        if operation == Operation.READ:
            if table != Table.COUNTERS or row >= len(Counter) or busy:
                return False, None
            self._asked = Counter(row), value & ((1 << TOKEN_BITS) - 1)
            return True, None
        if operation != Operation.WRITE:
            return False, None
        return self._write(table, row, value)

    def _write(self, table: int, row: int, value: int) -> tuple[bool, tuple[int, int] | None]:
        known, to = is_legal(self.cfg, value & 0xFFFF), value & ((1 << destination_bits(self.cfg)) - 1)
        flow = self._flows[row]
        if table == Table.FLOWS:
            slot = value >> 16 & control_tag(self.cfg)
            flow.to, flow.slot, flow.host, flow.known = to, slot, bool(value >> 20 & 1), known
        elif table == Table.MEMBERS:
            flow.members = value & ((1 << self.cfg.nodes.bit_length()) - 1)
            flow.missing, flow.parity = [0, 0], 0
        elif table == Table.SLOTS and row < control_tag(self.cfg):
            used = known and bool(value >> 20 & 1)
            self._slots[row] = _Slot(to, value >> 16 & 15, bool(value >> 21 & 1), used)
        elif table == Table.REDUCTION and row < self.cfg.contexts:
            return True, (row, value & 0xFF)
        else:
            return False, None
        return True, None
