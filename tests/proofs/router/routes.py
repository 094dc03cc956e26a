"""What a flit wants, stated from its destinations; and what follows from that for any mesh, checked for all cases.

:func:`expected` is the statement. That the hardware's shifts and masks are equal to it is proven
(:class:`RouteClaims`); that trees are right and the channels have an order follows from it, by all cases.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Elaboratable, Module, Mux, Signal
from numpy.typing import NDArray

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import OPPOSITE, STEP, WANTS, FlitLayout, Port
from mho.hw.noc.router.router import PlaceLayout, wants
from tests.proofs.harness import Harness, State, assume, claim, constant

__all__ = [
    "RouteClaims",
    "at_place",
    "beyond",
    "check_channels",
    "check_trees",
    "expected",
    "in_its_column",
    "in_mesh",
    "sides",
    "wanted_at",
    "well_formed",
]

Bit = Any
Side = Callable[[int], Bit]


def expected(cfg: MeshConfig, x: int, y: int, column: Side, row: Side, entry: Port) -> dict[Port, Bit]:
    """Outputs that a flit wants at the router in column ``x`` and row ``y``, when it has come in at ``entry``.

    ``column(i)`` and ``row(i)`` say whether the destinations have a column or row, row -1 being that of the host; their
    bits may be of Amaranth or of numpy.
    """
    # Within a column a flit has no columns left.
    across = () if entry in (Port.NORTH, Port.SOUTH) else _across(cfg, x, column)
    return _combine(across, _along(cfg, y, row), entry)


def _across(cfg: MeshConfig, x: int, column: Side) -> tuple[Bit, Bit, Bit]:
    """Whether there are destinations in the columns west of ``x``, in it, and east of it."""
    return _any(column(i) for i in range(x)), column(x), _any(column(i) for i in range(x + 1, cfg.columns))


def _along(cfg: MeshConfig, y: int, row: Side) -> tuple[Bit, Bit, Bit]:
    """Whether there are destinations in the rows north of ``y``, in it, and south of it."""
    return _any(row(i) for i in range(-1, y)), row(y), _any(row(i) for i in range(y + 1, cfg.rows))


def _combine(across: Sequence[Bit], along: Sequence[Bit], entry: Port) -> dict[Port, Bit]:
    leaves = {Port.NORTH: along[0], Port.LOCAL: along[1], Port.SOUTH: along[2]}
    if entry not in (Port.NORTH, Port.SOUTH):
        leaves = {leave: across[1] & want for leave, want in leaves.items()}
        leaves |= {Port.WEST: across[0], Port.EAST: across[2]}
    return {leave: leaves[leave] for leave in WANTS[entry]}


def _any(bits: Any) -> Bit:
    total: Bit = None
    for bit in bits:
        total = bit if total is None else total | bit
    return False if total is None else total


# --- In hardware ------------------------------------------------------------------------------------------------------


def sides(cfg: MeshConfig, flit: Any) -> tuple[Side, Side]:
    """Columns and rows of the destinations of a flit."""
    if cfg.masks:
        return (lambda i: flit.columns[i]), (lambda i: flit.host if i < 0 else flit.rows[i])
    return (
        lambda i: (flit.x_first <= i) & (flit.x_last >= i),
        lambda i: flit.host if i < 0 else ~flit.host & (flit.y_first <= i) & (flit.y_last >= i),
    )


def at_place(cfg: MeshConfig, place: Any, flit: Any, entry: Port, step: tuple[int, int] = (0, 0)) -> Any:
    """:func:`expected` where ``place`` (a view of ``PlaceLayout``) is not known, in the order of ``WANTS[entry]``.

    ``step`` is the way from there to the router that is meant; beyond the edge nothing is wanted.
    """
    column, row = sides(cfg, flit)
    along = _select(cfg, place.row, cfg.rows, step[1], lambda y: _along(cfg, y, row))
    across: Any = Const(0, 3)
    if entry not in (Port.NORTH, Port.SOUTH):
        across = _select(cfg, place.column, cfg.columns, step[0], lambda x: _across(cfg, x, column))
    return Cat(_combine(across, along, entry).values())


def _select(cfg: MeshConfig, at: Any, size: int, ahead: int, bits: Callable[[int], tuple[Bit, Bit, Bit]]) -> Any:
    """What is said of the coordinate that is ``ahead`` of one, which is a signal."""
    total: Any = Const(0, 3)
    for i in range(size):
        if 0 <= i + ahead < size:
            matches = at == (1 << i if cfg.masks else i)
            said = Cat(Const(0, 1) if bit is False else bit for bit in bits(i + ahead))
            total = total | Mux(matches, said, 0)
    return total[:3]


def wanted_at(cfg: MeshConfig, x: int, y: int, flit: Any, entry: Port) -> Any:
    """:func:`expected` of a flit at a router that is known, in the order of ``WANTS[entry]``."""
    leaves = expected(cfg, x, y, *sides(cfg, flit), entry).values()
    return Cat(Const(0, 1) if bit is False else bit for bit in leaves)


def in_mesh(cfg: MeshConfig, place: Any) -> Any:
    """Whether a place is one of the mesh."""
    if cfg.masks:
        return _one_hot(place.column) & _one_hot(place.row)
    return (place.column < cfg.columns) & (place.row < cfg.rows)


def _one_hot(bits: Any) -> Any:
    return bits.any() & ((bits & (bits - 1)) == 0)


def well_formed(cfg: MeshConfig, flit: Any, port: Port) -> Any:
    """Whether the destinations lie in the mesh, with a row among them; or they are the host, north of column 0."""
    across = port not in (Port.NORTH, Port.SOUTH)
    if cfg.masks:
        fits, host = flit.rows.any(), ~flit.rows.any()
        if across:
            host = host & (flit.columns == 1)
    else:
        fits, host = (flit.y_first <= flit.y_last) & (flit.y_last < cfg.rows), (flit.y_first | flit.y_last) == 0
        if across:
            fits = fits & (flit.x_first <= flit.x_last) & (flit.x_last < cfg.columns)
            host = host & ((flit.x_first | flit.x_last) == 0)
    # Nothing comes from the north that goes there.
    return Mux(flit.host, host if port is not Port.NORTH else 0, fits)


def in_its_column(cfg: MeshConfig, place: Any, flit: Any, port: Port) -> Any:
    """Whether a flit to the host, where it has no columns any more, is in column 0."""
    first = place.column == (1 if cfg.masks else 0)
    return ~flit.host | first if port in (Port.NORTH, Port.SOUTH) else Const(1)


def beyond(cfg: MeshConfig, place: Any, flit: Any) -> Any:
    """Whether a flit is for the host and the place is where it leaves the mesh."""
    return flit.host & (place.row == (1 if cfg.masks else 0)) & (place.column == (1 if cfg.masks else 0))


class RouteClaims(Harness):
    """What is carried is what is wanted: for any place, any destinations, each input, seen from each neighbour.

    Parameters
    ----------
    cfg
        The mesh.
    ports
        The inputs.
    """

    def __init__(self, cfg: MeshConfig, ports: Sequence[Port] = tuple(Port)) -> None:
        self.cfg, self.ports = cfg, ports
        super().__init__(_Nothing())

    def specify(self, m: Module, state: State) -> None:
        cfg = self.cfg
        place = constant(m, PlaceLayout(cfg), "place")
        assume(m, in_mesh(cfg, place))
        for port in self.ports:
            flit = constant(m, FlitLayout(cfg, port), f"flit_{port.name.lower()}")
            assume(m, well_formed(cfg, flit, port) & in_its_column(cfg, place, flit, port))
            # An input faces the router that the flit comes from: that one looks ahead.
            step = (0, 0) if port is Port.LOCAL else STEP[OPPOSITE[port]]
            ahead = Cat(wants(cfg, place, flit, port, step))
            exists = (True, _exists(cfg, place, step))[port is not Port.LOCAL]
            with m.If(exists):
                outputs = at_place(cfg, place, flit, port, step)
                claim(m, f"carried to the {port.name} input: what is wanted", ahead == outputs)
            here = Cat(wants(cfg, place, flit, port))
            outputs = at_place(cfg, place, flit, port)
            claim(m, f"at the {port.name} input: what is wanted", here == outputs)
            for k, leave in enumerate(WANTS[port]):
                if leave in STEP:
                    inside = _exists(cfg, place, STEP[leave])
                    if leave is Port.NORTH:
                        inside = inside | beyond(cfg, place, flit)
                    claim(m, f"from {port.name} nothing leaves the mesh but to the host", inside | ~here[k])


def _exists(cfg: MeshConfig, place: Any, step: tuple[int, int]) -> Any:
    """Whether there is a router at a place's neighbour."""

    def side(at: Any, size: int, ahead: int) -> Any:
        legal = [i for i in range(size) if 0 <= i + ahead < size]
        return _any((at[i] if cfg.masks else at == i) for i in legal) if legal else Const(0)

    return side(place.column, cfg.columns, step[0]) & side(place.row, cfg.rows, step[1])


class _Nothing(Elaboratable):
    """Where there are only expressions."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # An empty module is left out.
        m.d.sync += Signal(name="tick").eq(1)
        return m


# --- All cases --------------------------------------------------------------------------------------------------------


def check_channels(sides: int = 16, turns: dict[Port, tuple[Port, ...]] | None = None) -> int:
    """Check that the numbers of channels rise at every legal turn, in all meshes of up to ``sides`` x ``sides``.

    ``turns`` are the outputs that an input may want (by default those of the hardware).

    Returns
    -------
    int
        Turns that were checked.

    Raises
    ------
    AssertionError
        Naming a turn that does not rise.
    """
    turns = WANTS if turns is None else turns
    checked = 0
    for columns in range(1, sides + 1):
        for rows in range(1, sides + 1):
            for x, y in np.ndindex(columns, rows):
                for entry, leaves in turns.items():
                    for leave in leaves:
                        numbers = (_number(columns, rows, x, y, entry, comes=True), _number(columns, rows, x, y, leave))
                        if None in numbers:
                            continue
                        checked += 1
                        assert numbers[0] < numbers[1], f"{columns}x{rows}, ({x}, {y}): {entry.name} to {leave.name}"
    return checked


def _number(columns: int, rows: int, x: int, y: int, port: Port, comes: bool = False) -> Any:
    """Place in the order of the channel at a port: injection, then X, then Y, then ejection; none if there is none."""
    if port is Port.LOCAL:
        return (0, 0) if comes else (3, 0)
    dx, dy = STEP[port]
    if not (0 <= x + dx < columns and 0 <= y + dy < rows):
        return None
    if comes:
        # The channel that ends here runs the other way.
        dx, dy = -dx, -dy
    else:
        x, y = x + dx, y + dy
    ahead = {(1, 0): columns - 1 - x, (-1, 0): x, (0, 1): rows - 1 - y, (0, -1): y}[dx, dy]
    # By falling distance from the end of the channel to the edge that it runs to.
    return (1 if dx else 2, -ahead)


def check_trees(cfg: MeshConfig) -> int:
    """Check that the tree of every set of destinations from every source reaches its members once and nothing else.

    The host is a set of its own, and a source too, from the west of the corner.

    Returns
    -------
    int
        Trees that were checked.

    Raises
    ------
    AssertionError
        Naming a source and a node that some set reaches otherwise.
    """
    columns, rows = _all_sets(cfg.columns, cfg.masks), _all_sets(cfg.rows, cfg.masks)
    count = len(columns) * len(rows)
    # Every set of columns with every set of rows.
    in_column = [np.repeat(columns[:, i], len(rows)) for i in range(cfg.columns)]
    in_row = [np.tile(rows[:, i], len(columns)) for i in range(cfg.rows)]
    # The last set, and the last of what is reached, is the host.
    in_column = [np.append(bits, x == 0) for x, bits in enumerate(in_column)]
    in_row = [np.append(bits, False) for bits in in_row]
    to_host = np.arange(count + 1) == count
    for source in range(-1, cfg.nodes):
        place, entry = ((0, 0), Port.WEST) if source < 0 else (cfg.position(source), Port.LOCAL)
        reached = _reach(cfg, place, entry, in_column, [*in_row, to_host])
        for node in range(cfg.nodes):
            x, y = cfg.position(node)
            member = in_column[x] & in_row[y] & (node != source)
            if source < 0:
                member = member & ~to_host  # the host does not send to itself
                reached[node] = reached[node] * ~to_host
            assert np.array_equal(reached[node], member.astype(np.int8)), f"from {place} to {(x, y)}"
        assert source < 0 or np.array_equal(reached[-1], to_host.astype(np.int8)), f"from {place} to the host"
    return (count + 1) * (cfg.nodes + 1) - 1


def _all_sets(size: int, masks: bool) -> NDArray[np.bool_]:
    """Sets of columns or rows that a flit can name, of shape (sets, size)."""
    if masks:
        return (np.arange(1 << size)[:, None] >> np.arange(size) & 1).astype(np.bool_)
    places = np.arange(size)
    return np.array([(places >= first) & (places <= last) for first in range(size) for last in range(first, size)])


def _reach(
    cfg: MeshConfig, source: tuple[int, int], entry: Port, in_column: list[NDArray[np.bool_]],
    in_row: list[NDArray[np.bool_]],
) -> list[NDArray[np.int8]]:
    """How often each node is reached, and the host, for all sets; the last of ``in_row`` is row -1."""
    count = len(in_row[0])
    reached = [np.zeros(count, dtype=np.int8) for _ in range(cfg.nodes + 1)]
    work = [(source, entry, np.ones(count, dtype=np.bool_))]
    while work:
        (x, y), entry, comes = work.pop()
        for leave, want in expected(cfg, x, y, in_column.__getitem__, in_row.__getitem__, entry).items():
            goes = comes & want
            if leave is Port.LOCAL:
                reached[cfg.node(x, y)] += goes
            elif leave is Port.NORTH and y == 0:
                reached[-1] += goes * (1 if x == 0 else 2)
            elif goes.any():
                dx, dy = STEP[leave]
                work.append(((x + dx, y + dy), OPPOSITE[leave], goes))
    return reached
