"""Trees of a reduction: each operand reaches the root once, and what cannot be set up is refused by name."""

import random
from itertools import pairwise

import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import OPPOSITE, STEP, Port
from mho.hw.noc.reduction.trees import Entry, Group, entries, path
from mho.macro_models.errors import InputError


def members_at_root(cfg: MeshConfig, group: Group) -> list[int]:
    """Nodes whose operand is in a sum at the root, found from the entries alone by walking from it."""
    table = entries(cfg, [group])
    visited: list[int] = []

    def walk(node: int) -> None:
        entry = table[node, group.context]
        if entry.local:
            visited.append(node)
        x, y = cfg.position(node)
        for child in entry.children:
            below = cfg.node(x + STEP[child][0], y + STEP[child][1])
            assert table[below, group.context].parent == OPPOSITE[child]
            walk(below)

    assert table[group.root, group.context].parent is Port.LOCAL
    walk(group.root)
    return visited


@pytest.mark.parametrize(("columns", "rows"), [(2, 1), (1, 4), (2, 2), (3, 2), (3, 3)])
def test_each_operand_reaches_the_root_once_in_every_tree(columns: int, rows: int) -> None:
    cfg = MeshConfig(columns=columns, rows=rows, contexts=1)
    for root in range(cfg.nodes):
        for mask in range(1, 1 << cfg.nodes):
            members = tuple(node for node in range(cfg.nodes) if mask >> node & 1)
            group = Group(name="g", members=members, root=root)
            assert sorted(members_at_root(cfg, group)) == list(members)
            # A tree: one channel less than routers.
            nodes = [[node for node, _ in path(cfg, member, group.root)] for member in group.members]
            channels = {pair for route in nodes for pair in pairwise(route)}
            assert len(channels) == len(entries(cfg, [group])) - 1


def test_large_trees() -> None:
    rng = random.Random(1)
    for _ in range(50):
        cfg = MeshConfig(columns=rng.randint(2, 16), rows=rng.randint(2, 16))
        members = tuple(rng.sample(range(cfg.nodes), rng.randint(1, cfg.nodes)))
        group = Group(name="g", members=members, root=rng.randrange(cfg.nodes), context=1)
        assert sorted(members_at_root(cfg, group)) == sorted(members)


def test_entry_bits() -> None:
    entry = Entry(children=frozenset((Port.NORTH, Port.WEST)), local=True, parent=Port.SOUTH)
    assert entry.pack() == 0b010_1_1001
    assert Entry().pack() == 0b111_0_0000


CFG = MeshConfig(columns=4, rows=3)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (
            [Group(name="a", members=(0, 1), root=3), Group(name="b", members=(1, 2), root=3)],
            "groups 'a' and 'b' share the router of node (1, 0) in context 0: "
            "give one of them another context or another time",
        ),
        (
            [Group(name="a", members=(4, 5), root=5, context=1), Group(name="b", members=(5, 6), root=6, context=1)],
            "groups 'a' and 'b' share the router of node (1, 1) in context 1: "
            "give one of them another context or another time",
        ),
        (
            [Group(name="a", members=(4,), root=5), Group(name="b", members=(6,), root=5)],
            "groups 'a' and 'b' share the router of node (1, 1) in context 0: "
            "give one of them another context or another time",
        ),
        (
            [Group(name="a", members=(4,), root=6), Group(name="b", members=(1,), root=9)],
            "groups 'a' and 'b' share the router of node (1, 1) in context 0: "
            "give one of them another context or another time",
        ),
        ([Group(name="a", members=(), root=0)], "group 'a' must have a member"),
        ([Group(name="a", members=(0, 12), root=0)], "nodes of group 'a' must be 0 to 11, not 12"),
        ([Group(name="a", members=(5, 5), root=0)], "members of group 'a' must differ, but (1, 1) is there twice"),
        ([Group(name="a", members=(5,), root=0, context=2)], "context of group 'a' must be 0 to 1, not 2"),
    ],
)
def test_refusals(groups: list[Group], sentence: str) -> None:
    with pytest.raises(InputError) as error:
        entries(CFG, groups)
    assert str(error.value) == sentence


def test_groups_that_fit() -> None:
    groups = [
        Group(name="a", members=(0, 4, 8), root=8),
        Group(name="b", members=(1, 5, 9), root=9),
        Group(name="c", members=(0, 1, 4, 5), root=5, context=1),
    ]
    assert len(entries(CFG, groups)) == 3 + 3 + 4


def test_a_mesh_without_contexts() -> None:
    with pytest.raises(InputError, match=r"^group 'a' needs a mesh with contexts of reduction, but contexts is 0$"):
        entries(MeshConfig(contexts=0), [Group(name="a", members=(0,), root=0)])
