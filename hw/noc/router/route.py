"""Which outputs a flit wants: XY routing of a set of destinations, seen from a position or from a neighbour's.

A flit goes along its row to every column that it has members in, and along those columns to its members. The position
is an input and no parameter, so that all routers of a mesh are one module.
"""

from typing import Any

from amaranth.hdl import Const, Value
from amaranth.lib import data

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import coordinate_bits
from mho.hw.noc.ports import WANTS, Port


class PlaceLayout(data.StructLayout):
    """Position of a router: one bit of ``column`` and of ``row`` is set, or, above 8 x 8, their numbers.

    One that is alone needs none.
    """

    def __init__(self, cfg: MeshConfig) -> None:
        if cfg.alone:
            super().__init__({})
        elif cfg.masks:
            super().__init__({"column": cfg.columns, "row": cfg.rows})
        else:
            super().__init__({"column": coordinate_bits(cfg.columns), "row": coordinate_bits(cfg.rows)})

    @staticmethod
    def pack(cfg: MeshConfig, column: int, row: int) -> dict[str, int]:
        """The value of a position."""
        if cfg.alone:
            return {}
        return {"column": 1 << column, "row": 1 << row} if cfg.masks else {"column": column, "row": row}


class _Side:
    """Members of a set before, at and beyond a coordinate."""

    def __init__(self, masks: bool, place: Value, side: tuple[Value, ...], ahead: int) -> None:
        if masks:
            (mask,) = side
            # Shifted, not recomputed: the bits at or beyond the edge are those of a router that is not there.
            shifted = place << ahead if ahead >= 0 else place >> -ahead
            here = shifted[: len(mask)]
            below = (here - 1)[: len(mask)]
            self.before = (mask & below).any()
            self.at = (mask & here).any()
            self.beyond = (mask & ~(below | here)).any()
        else:
            first, last = side
            here = place + Const(ahead)
            self.before = first < here
            self.at = (first <= here) & (here <= last)
            self.beyond = last > here


def wants(cfg: MeshConfig, place: Any, flit: Any, entry: Port, step: tuple[int, int] = (0, 0)) -> list[Value]:
    """Outputs that a flit wants which comes in at ``entry``.

    Parameters
    ----------
    place
        View of :class:`PlaceLayout`.
    flit
        View of a :class:`mho.hw.noc.flit.FlitLayout`.
    entry
        The input that it enters.
    step
        The router that is meant, in columns and rows relative to ``place``.

    Returns
    -------
    list of Value
        One bit for each of ``WANTS[entry]``.
    """
    y = _Side(cfg.masks, place.row, (flit.rows,) if cfg.masks else (flit.y_first, flit.y_last), step[1])
    # The host is a row before the first; a mask has no other rows then, and a rectangle says the first.
    here = y.at if cfg.masks else y.at & ~flit.host
    leaves = {Port.NORTH: y.before | flit.host, Port.SOUTH: y.beyond, Port.LOCAL: here}
    if entry not in (Port.NORTH, Port.SOUTH):
        x = _Side(cfg.masks, place.column, (flit.columns,) if cfg.masks else (flit.x_first, flit.x_last), step[0])
        # Along the row first; a flit leaves it in the columns that it has members in.
        leaves = {leave: x.at & want for leave, want in leaves.items()} | {Port.WEST: x.before, Port.EAST: x.beyond}
    return [leaves[leave] for leave in WANTS[entry]]
