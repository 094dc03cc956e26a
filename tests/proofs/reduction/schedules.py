"""Trees of the reduction, for all groups: each member's operand reaches the root once, and nothing else does."""

from collections import Counter
from itertools import combinations

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import OPPOSITE, STEP, Port
from mho.hw.noc.reduction.trees import Entry, Group, entries

__all__ = ["check_sums"]


def check_sums(cfg: MeshConfig) -> int:
    """Check the entries of every group of nodes with every root.

    Returns
    -------
    int
        Groups that were checked.

    Raises
    ------
    AssertionError
        Naming a group whose sum is made of something else than its members.
    """
    checked = 0
    for size in range(1, cfg.nodes + 1):
        for members in combinations(range(cfg.nodes), size):
            for root in range(cfg.nodes):
                table = entries(cfg, [Group(name="g", members=members, root=root)])
                operands = _collect(cfg, {node: entry for (node, _), entry in table.items()}, root)
                assert operands == Counter(members), f"members {members}, root {root}: the sum is of {dict(operands)}"
                checked += 1
    return checked


def _collect(cfg: MeshConfig, table: dict[int, Entry], root: int) -> Counter[int]:
    """Operands in the sum of a root, following what the routers do, each with how often it is there."""
    assert table[root].parent is Port.LOCAL, f"the root {root} keeps no sum"
    total: Counter[int] = Counter()
    work, passed = [root], 0
    while work:
        node = work.pop()
        passed += 1
        entry = table[node]
        total[node] += entry.local
        for child in entry.children:
            x, y = cfg.position(node)
            neighbour = cfg.node(x + STEP[child][0], y + STEP[child][1])
            assert table[neighbour].parent is OPPOSITE[child], f"{neighbour} does not send to {node}"
            work.append(neighbour)
    # Whoever is set up and does not lead to the root would hold operands for ever.
    assert passed == len(table), "a router is set up that does not lead to the root"
    return +total
