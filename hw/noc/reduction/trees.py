"""Trees of a reduction: from groups of nodes to the entries of all routers, and what a context may hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

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

    @property
    def cycles(self) -> int:
        """Cycles that the adder needs for a sum: it takes one child at a time, and the operand with the first."""
        return max(1, len(self.children))

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


def edges(cfg: MeshConfig, group: Group) -> set[Edge]:
    """Channels of a tree, as (node, next node): all that the XY paths of the members to the root use."""
    pairs = set()
    for member in group.members:
        nodes = [node for node, _ in path(cfg, member, group.root)]
        pairs |= set(pairwise(nodes))
    return pairs


def entries(cfg: MeshConfig, groups: Sequence[Group]) -> dict[tuple[int, int], Entry]:
    """Entries of all routers that have a part.

    Raises InputError if a group does not fit the mesh, or two do not fit one context.

    Parameters
    ----------
    groups
        All groups that are set up at the same time.

    Returns
    -------
    dict
        By node and context.
    """
    check_schedule(cfg, groups)
    table: dict[tuple[int, int], Entry] = {}
    for group in groups:
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
            entry = Entry(children=frozenset(children[node]), local=node in group.members, parent=leave)
            table[node, group.context] = entry
    return table


def check_schedule(cfg: MeshConfig, groups: Sequence[Group]) -> None:
    """Refuse groups that cannot be set up at the same time.

    Two groups of a context must not share a channel, a node's operand or result, nor a router, which has one entry a
    context.

    Raises InputError, naming the groups and what they share.
    """
    for group in groups:
        _check_group(cfg, group)
    used: dict[tuple[int, Edge], Group] = {}
    passed: dict[tuple[int, int], Group] = {}
    for group in groups:
        # Channels first, then ports of nodes, then routers: the first that two groups share says most.
        for edge in sorted(edges(cfg, group)):
            earlier = used.setdefault((group.context, edge), group)
            if earlier is not group:
                near, far = (_place(cfg, node) for node in edge)
                raise _refusal(group, earlier, f"the channel from {near} to {far}")
    for group in groups:
        for node in sorted({node for member in group.members for node, _ in path(cfg, member, group.root)}):
            earlier = passed.setdefault((group.context, node), group)
            if earlier is not group:
                raise _refusal(group, earlier, _shared(cfg, node, group, earlier))


def _shared(cfg: MeshConfig, node: int, group: Group, earlier: Group) -> str:
    if node in group.members and node in earlier.members:
        return f"the operand of node {_place(cfg, node)}"
    if node == group.root == earlier.root:
        return f"the result of node {_place(cfg, node)}"
    return f"the router of node {_place(cfg, node)}"


def _refusal(group: Group, earlier: Group, what: str) -> InputError:
    return InputError(
        f"groups {earlier.name!r} and {group.name!r} share {what} in context {group.context}: "
        "give one of them another context or another time"
    )


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
