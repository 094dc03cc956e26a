"""Trees of a reduction: from groups of nodes to the entries of all routers, and what a context may hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import OPPOSITE, STEP, Port
from mho.macro_models.errors import InputError

Edge = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Nodes whose operands are summed at one of them, or at another."""

    name: str
    """For messages."""
    members: tuple[int, ...]
    """Nodes that give operands, none twice."""
    root: int
    """Node that gets the sums."""
    context: int = 0
    """Context that holds the tree."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a router does in a context."""

    children: frozenset[Port] = frozenset()
    """Neighbours whose flits are summed, by the input."""
    local: bool = False
    """Whether the node's operand is summed too."""
    parent: Port | None = None
    """Output that the sum goes to, ``LOCAL`` at the root; ``None`` if the router has no part in the context."""

    def pack(self) -> int:
        """Its bits, in the order of :class:`mho.hw.noc.reduction.router.EntryLayout`."""
        parent = 7 if self.parent is None else int(self.parent)
        return sum(1 << child for child in self.children) | self.local << 4 | parent << 5


def path(cfg: MeshConfig, member: int, root: int) -> Iterator[tuple[int, Port]]:
    """Nodes from a member to the root, the root included, each with the output that leads on."""
    (x, y), (u, v) = cfg.position(member), cfg.position(root)
    while (x, y) != (u, v):
        if x != u:
            leave = Port.EAST if x < u else Port.WEST
        else:
            leave = Port.SOUTH if y < v else Port.NORTH
        yield cfg.node(x, y), leave
        x, y = x + STEP[leave][0], y + STEP[leave][1]
    yield root, Port.LOCAL


def entries(cfg: MeshConfig, groups: Sequence[Group]) -> dict[tuple[int, int], Entry]:
    """Entries of all routers that have a part.

    Raises InputError if a group does not fit the mesh, or two of a context share a router, which has one entry for it.

    Parameters
    ----------
    groups
        All groups that are set up at the same time.

    Returns
    -------
    dict
        By node and context.
    """
    table: dict[tuple[int, int], Entry] = {}
    owners: dict[tuple[int, int], Group] = {}
    for group in groups:
        _check_group(cfg, group)
        children: dict[int, set[Port]] = {}
        parents: dict[int, Port] = {}
        for member in group.members:
            arrival: Port | None = None
            for node, leave in path(cfg, member, group.root):
                parents[node] = leave
                here = children.setdefault(node, set())
                if arrival is not None:
                    here.add(OPPOSITE[arrival])
                arrival = leave
        for node, leave in parents.items():
            if (earlier := owners.setdefault((node, group.context), group)) is not group:
                raise InputError(
                    f"groups {earlier.name!r} and {group.name!r} share the router of node {_place(cfg, node)} in "
                    f"context {group.context}: give one of them another context or another time"
                )
            entry = Entry(children=frozenset(children[node]), local=node in group.members, parent=leave)
            table[node, group.context] = entry
    return table


def _check_group(cfg: MeshConfig, group: Group) -> None:
    if not group.members:
        raise InputError(f"group {group.name!r} must have a member")
    for node in (*group.members, group.root):
        if not 0 <= node < cfg.nodes:
            raise InputError(f"nodes of group {group.name!r} must be 0 to {cfg.nodes - 1}, not {node!r}")
    if len(set(group.members)) != len(group.members):
        twice = next(node for node in group.members if group.members.count(node) > 1)
        raise InputError(f"members of group {group.name!r} must differ, but {_place(cfg, twice)} is there twice")
    if not cfg.contexts:
        raise InputError(f"group {group.name!r} needs a mesh with contexts of reduction, but contexts is 0")
    if not 0 <= group.context < cfg.contexts:
        raise InputError(f"context of group {group.name!r} must be 0 to {cfg.contexts - 1}, not {group.context!r}")


def _place(cfg: MeshConfig, node: int) -> str:
    return str(cfg.position(node))
