"""The five ports of a router, where a flit may go from each of them, and how neighbours are joined."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import connect


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
