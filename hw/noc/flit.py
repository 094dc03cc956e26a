"""Flits, which carry their own destinations; the ports of a router, and the channels between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import data
from amaranth.lib.wiring import connect

from mho.hw.noc.config import MeshConfig
from mho.hw.ports import Bundle, In, Out


class Port(IntEnum):
    """Ports of a router; ``LOCAL`` is the node's own."""

    NORTH = 0
    EAST = 1
    SOUTH = 2
    WEST = 3
    LOCAL = 4


N, E, S, W, L = Port

OPPOSITE = {N: S, E: W, S: N, W: E}
"""The port at the other end of a channel."""

STEP = {N: (0, -1), E: (1, 0), S: (0, 1), W: (-1, 0)}
"""Column and row of a neighbour, relative."""

WANTS = {N: (S, L), E: (W, N, S, L), S: (N, L), W: (E, N, S, L), L: (E, W, N, S)}
"""Outputs that a flit may want, by the input that holds it: along the row first, then along the column (XY), no way
back, and a node does not send to itself."""

TURNS = {o: tuple(i for i in Port if o in WANTS[i]) for o in Port}
"""Inputs that compete for an output, in the order of its arbiter."""


def join_neighbours(m: Module, parts: Mapping[tuple[int, int], Any], prefix: str = "") -> None:
    """Join the ports ``{prefix}north_i``, ``{prefix}north_o`` and so on of parts to those of their neighbours.

    Those at the edge stay idle.
    """
    for (x, y), part in parts.items():
        for port, (dx, dy) in STEP.items():
            if (x + dx, y + dy) in parts:
                arrival = getattr(parts[x + dx, y + dy], f"{prefix}{OPPOSITE[port].name.lower()}_i")
                connect(m, here=getattr(part, f"{prefix}{port.name.lower()}_o"), there=arrival)


class Channel(Bundle):
    """A stream with a ``ready`` for each queue of the receiver.

    A payload moves in a cycle in which ``valid`` and the ``ready`` of the queue that it goes to are set. ``valid``
    looks at ``ready``, which comes from a flip-flop.

    Parameters
    ----------
    shape
        Of the payload.
    queues
        Of the receiver.
    """

    payload: Any = Out(lambda self: self.shape)
    """A flit, on channels between routers with the outputs that it wants next."""
    valid = Out(1)
    """There is one, and the receiver has room for it."""
    ready = In(lambda self: self.queues)
    """The receiver's queues with room."""

    def __init__(self, shape: ShapeLike, queues: int = 1) -> None:
        self.shape, self.queues = shape, queues
        super().__init__()


class Arrival(Bundle):
    """A stream that is always taken.

    Parameters
    ----------
    shape
        Of the payload.
    """

    payload: Any = Out(lambda self: self.shape)
    """What arrives."""
    valid = Out(1)
    """Something does."""

    def __init__(self, shape: ShapeLike) -> None:
        self.shape = shape
        super().__init__()


def coordinate_bits(size: int) -> int:
    """Width of the number of a column or row out of ``size``."""
    return max(1, (size - 1).bit_length())


def _destination_fields(cfg: MeshConfig, port: Port) -> dict[str, int]:
    x, y = coordinate_bits(cfg.columns), coordinate_bits(cfg.rows)
    rows = {"rows": cfg.rows} if cfg.masks else {"y_first": y, "y_last": y}
    columns = {"columns": cfg.columns} if cfg.masks else {"x_first": x, "x_last": x}
    return rows if port in (Port.NORTH, Port.SOUTH) else rows | columns


def _body(cfg: MeshConfig) -> dict[str, int]:
    return {"payload": cfg.payload_bits, "tag": cfg.tag_bits}


class BodyLayout(data.StructLayout):
    """What a node or the host receives of a flit: ``payload``; ``tag``, the slot of the receivers."""

    def __init__(self, cfg: MeshConfig) -> None:
        super().__init__(_body(cfg))


class FlitLayout(data.StructLayout):
    """A flit as it enters a router's ``port``: a :class:`BodyLayout` and its destinations.

    They are all nodes in one of ``columns`` and one of ``rows`` (bit masks), or, in a mesh of more than 8 columns or
    rows, all nodes of the rectangle ``x_first..x_last``, ``y_first..y_last``. Within a column only the rows are left.
    With ``host`` the destination is the host, beyond the north edge of column 0: as if that were a row of its own
    (:func:`host_destination`).
    """

    def __init__(self, cfg: MeshConfig, port: Port = Port.LOCAL) -> None:
        super().__init__(_body(cfg) | {"host": 1} | _destination_fields(cfg, port))


class ChannelLayout(data.StructLayout):
    """A flit on a channel.

    With it go the outputs that it wants at the router at the channel's end (bits in the order of ``WANTS[port]``,
    ``port`` being the input that it enters).
    """

    def __init__(self, cfg: MeshConfig, port: Port) -> None:
        super().__init__({"flit": FlitLayout(cfg, port), "want": len(WANTS[port])})


def from_host(cfg: MeshConfig) -> Channel:
    """What the host sends to the router at its corner, seen from the host; one node alone needs no destinations."""
    return Channel(BodyLayout(cfg) if cfg.alone else ChannelLayout(cfg, Port.WEST))


def to_host(cfg: MeshConfig) -> Channel:
    """What that router sends to the host, seen from the router."""
    return Channel(BodyLayout(cfg) if cfg.alone else ChannelLayout(cfg, Port.SOUTH))


@dataclass(frozen=True)
class Destinations:
    """A set of destinations: columns x rows."""

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    """Columns and rows, none twice, rising."""

    @classmethod
    def one(cls, column: int, row: int) -> "Destinations":
        """A single node."""
        return cls((column,), (row,))

    @property
    def nodes(self) -> frozenset[tuple[int, int]]:
        """Columns and rows of all members."""
        return frozenset((x, y) for x in self.columns for y in self.rows)

    def pack(self, cfg: MeshConfig) -> int:
        """Their bits at the end of a :class:`FlitLayout`, rows first."""
        value, at = 0, 0
        for side, size in ((self.rows, cfg.rows), (self.columns, cfg.columns)):
            bits = coordinate_bits(size)
            value |= (sum(1 << i for i in side) if cfg.masks else side[0] | side[-1] << bits) << at
            at += size if cfg.masks else 2 * bits
        return value


def host_destination(cfg: MeshConfig) -> int:
    """What stands behind a set ``host`` bit in a flit to the host: column 0, and no row of nodes."""
    return 1 << cfg.rows if cfg.masks else 0
