"""Registers of nodes without time, in Python: what requests of the host are answered, whatever the stalls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from mho.hw.host.registers import Register, Window
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import coordinate_bits
from mho.hw.noc.interface.tables import Counter
from mho.hw.noc.registers.map import node_map
from mho.hw.noc.registers.packet import BURST, NODE_BITS, PAGE_BITS, Burst


class TableRow(NamedTuple):
    """A row that is written to a ``table``: flow, members or slot."""

    table: str
    row: int
    value: int


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
    """A node (:class:`mho.hw.noc.node.Node`): requests to answers.

    Parameters
    ----------
    tile
        Registers of its tile.

    Attributes
    ----------
    rows
        Rows that were written to the tables of its interface.
    """

    def __init__(self, cfg: MeshConfig, tile: TileMemory) -> None:
        self.cfg, self.tile = cfg, tile
        self.rows: list[TableRow] = []
        self.entries = [0] * cfg.contexts  # of the reduction router, as they were written
        self.counters = dict.fromkeys(Counter, 0)
        self.power = 0
        """Register ``power``: while it is not 0 the tile answers nothing but errors."""
        self._map = node_map(cfg)

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
            self.rows.append(TableRow(entry.name, row, data & 0x3F_FFFF))
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
