"""Nodes and the host without time, in Python: what a mesh is held to, whatever the traffic and the stalls.

In every cycle routers are :mod:`mho.hw.noc.router.model`; what interfaces do with flits is
:mod:`mho.hw.noc.model`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mho.hw.host.registers import Register, Window
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import coordinate_bits, host_destination
from mho.hw.noc.interface.tables import (
    FLOWS,
    UNIT,
    Counter,
    credit,
    credit_tag,
    destination_bits,
    member_bits,
    register_tag,
)
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import BURST, NODE_BITS, PAGE_BITS, Burst


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


class TableRow(NamedTuple):
    """A row that is written to a ``table``: flow, members or slot."""

    table: str
    row: int
    value: int


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


_WORD = 0xFFFF_FFFF


class Answer(NamedTuple):
    """What a request gives: words that were read, whether there was an error, and which word had the first one."""

    data: tuple[int, ...]
    error: bool = False
    first: int = 0

    def words(self) -> list[int]:
        """The words of its packet."""
        return [*self.data, self.error | self.first << 1]


class TileMemory:
    """Words from address 0 on; everything else fails.

    Parameters
    ----------
    count
        Words.
    """

    def __init__(self, count: int) -> None:
        self.words = [0] * count

    def access(self, address: int, data: int | None, strobe: int) -> tuple[int, bool]:
        """Write ``data``, or read: the word, and whether it failed."""
        if address // 4 >= len(self.words):
            return 0, True
        if data is None:
            return self.words[address // 4], False
        mask = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1)
        self.words[address // 4] = self.words[address // 4] & ~mask | data & mask
        return 0, False


class NodeModel:
    """A node (:class:`mho.hw.noc.node.Node`): blocks to flits, flits to what its tile gets, requests to answers.

    Parameters
    ----------
    tile
        Registers of its tile.
    """

    def __init__(self, cfg: MeshConfig, tile: TileMemory) -> None:
        self.cfg, self.tile = cfg, tile
        self.tables = Tables(cfg)
        self.entries = [0] * cfg.contexts  # of the reduction router, as they were written
        self.counters = dict.fromkeys(Counter, 0)
        self.power = 0
        """Register ``power``: while it is not 0 the tile answers nothing but errors."""
        self._map = node_map(cfg)

    def send(self, flow: int, payloads: Sequence[int]) -> list[Flit]:
        """Flits of a block; none if the flow is not in use."""
        flits = [flit for flit in (self.tables.flit(flow, payload) for payload in payloads) if flit is not None]
        self.counters[Counter.SENT if flits else Counter.REFUSED] += len(payloads)
        for _ in flits[:: UNIT if self.tables.parted(flow) else len(flits) or 1]:
            self.tables.start(flow)
        return flits

    def free(self, slot: int) -> Flit | None:
        """The credit for a block of a slot; none if that is not in use."""
        flit = self.tables.free(slot)
        self.counters[Counter.REFUSED if flit is None else Counter.SENT] += 1
        return flit

    def receive(self, body: Body) -> tuple[int, int] | None:
        """Payload and slot of a flit that the tile gets; credits are noted. Requests go to :meth:`serve`."""
        kind = self.tables.kind(body.tag)
        good = kind == "data" or (kind == "credit" and self.tables.credit(body.payload & _WORD))
        self.counters[Counter.RECEIVED if good else Counter.DROPPED] += 1
        return (body.payload, body.tag) if kind == "data" else None

    def serve(self, request: Burst) -> Answer:
        """Do what a packet asks for, word by word."""
        read, failed = [], []
        for k in range(request.count):
            data = None if request.data is None else request.data[k]
            word, error = self.access((request.address + 4 * k) % (1 << NODE_BITS), data, request.strobe)
            read += [] if request.data else [word]
            failed += [k] if error else []
        answer = Answer(tuple(read), bool(failed), failed[0] if failed else 0)
        # A counter that is read does not count its own request.
        self.counters[Counter.RECEIVED] += 1 + (0 if request.data is None else request.count)
        self.counters[Counter.SENT] += len(answer.words())
        return answer

    def access(self, address: int, data: int | None, strobe: int = 15) -> tuple[int, bool]:
        """Access of a word of the tile or of the node: as :meth:`TileMemory.access`."""
        if not address >> NODE_BITS - 1:
            return (0, True) if self.power else self.tile.access(address, data, strobe)
        address -= 1 << NODE_BITS - 1
        if address >> PAGE_BITS:
            return 0, True
        for entry in self._map.entries:
            if entry.address <= address < entry.address + 4 * entry.words:
                return self._own(entry, (address - entry.address) // 4, data, strobe)
        return 0, True

    def _own(self, entry: Register | Window, row: int, data: int | None, strobe: int) -> tuple[int, bool]:
        if isinstance(entry, Register):
            value = sum(placed.field.reset << placed.low for placed in entry.placed)
            if entry.name.upper() in Counter.__members__:
                value = self.counters[Counter[entry.name.upper()]]
            elif entry.name == "power":
                value = self.power
                self.power = self.power if data is None or not strobe & 1 else data & 0b11  # stopped, off
            return value if data is None else 0, False
        if data is None:
            return 0, False
        if strobe != 15:
            return 0, True
        if entry.name == "reduction":
            self.entries[row] = data & 0xFF
        else:
            self.tables.write(TableRow(entry.name, row, data & 0x3F_FFFF))
        return 0, False


class HostModel:
    """The host's way to all registers (:class:`mho.hw.noc.host_port.HostPort`).

    Parameters
    ----------
    nodes
        Row by row.
    """

    def __init__(self, cfg: MeshConfig, nodes: Sequence[NodeModel]) -> None:
        self.cfg, self.nodes = cfg, nodes

    def access(self, request: Burst) -> Answer:
        """What a request gives, its address being one of the host."""
        assert 1 <= request.count <= BURST
        node, local = request.address >> NODE_BITS, request.address & ((1 << NODE_BITS) - 1)
        bits = coordinate_bits(self.cfg.columns)
        column, row = node & ((1 << bits) - 1), node >> bits
        outside = column >= self.cfg.columns or row >= self.cfg.rows
        if outside or local // 4 + request.count > 1 << NODE_BITS - 2:
            return Answer((), True, 0)
        return self.nodes[self.cfg.node(column, row)].serve(replace(request, address=local))
