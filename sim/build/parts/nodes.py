"""What a clock edge is made of: statements, taken apart as far as they do not depend on each other, and their order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mho.sim.build.parts.statements import Branch, Function, Leaf, Statement, leaves

EFFECT = "(outside)"
"""Stands for what is outside of the model, which calls reach in their order."""
_DELAYED = "__Vdly__"


@dataclass(frozen=True)
class Node:
    """Statements that are run together."""

    unit: int
    """Number of the statements that it was taken out of: several of one unit may become one again."""
    kept: frozenset[int]
    """Which leaves of the unit are in it."""
    reads: frozenset[str]
    writes: frozenset[str]
    """Names; ``reads`` has what may be read before it is written here."""
    cost: int
    """Leaves and conditions."""
    effect: bool
    """It calls something outside of the model."""


Unit = tuple[Statement, ...]


def units_of(functions: Iterable[Function]) -> list[Unit]:
    """Statements in their order; neighbours that write words of one variable, or one local, are one unit."""
    units: list[Unit] = []
    last: frozenset[str] = frozenset()
    for function in functions:
        for statement in function.statements:
            writes = frozenset().union(*(leaf.writes for leaf in leaves(statement)))
            single = isinstance(statement, Leaf) and len(writes) == 1
            if single and writes == last:
                units[-1] = (*units[-1], statement)
            else:
                units.append((statement,))
            last = writes if single else frozenset()
    return units


def filtered(unit: Unit, leaf_numbers: frozenset[int]) -> Unit:
    """The statements with only some of their leaves."""
    number = 0

    def walk(statements: Sequence[Statement]) -> tuple[Statement, ...]:
        nonlocal number
        statements_left: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Leaf):
                if number in leaf_numbers:
                    statements_left.append(statement)
                number += 1
            else:
                then, otherwise = walk(statement.then), walk(statement.other)
                if then or otherwise:
                    statements_left.append(Branch(statement.condition, statement.reads, then, otherwise))
        return tuple(statements_left)

    return walk(unit)


class _Sets:
    """Union-find."""

    def __init__(self) -> None:
        self._up: dict[object, object] = {}

    def find(self, item: object) -> object:
        up = self._up.setdefault(item, item)
        while up != item:
            self._up[item] = self._up[up]
            item, up = up, self._up[up]
        return item

    def join(self, items: Iterable[object]) -> None:
        roots = [self.find(item) for item in items]
        for root in roots[1:]:
            self._up[self.find(root)] = self.find(roots[0])


def nodes_of(units: Sequence[Unit]) -> list[Node]:
    """Each unit in as many nodes as it has variables that it writes, unless one is read where another is written."""
    return [node for number, unit in enumerate(units) for node in _split(number, unit)]


def _split(number: int, unit: Unit) -> list[Node]:
    written = frozenset().union(*(leaf.writes for statement in unit for leaf in leaves(statement)))
    sets, placed = _Sets(), list[tuple[Leaf, object]]()

    def walk(statements: Sequence[Statement], conditions: frozenset[str]) -> None:
        for statement in statements:
            if isinstance(statement, Branch):
                below = conditions | (statement.reads & written)
                walk(statement.then, below)
                walk(statement.other, below)
                continue
            effects = [EFFECT] if statement.effect else []
            keys = [*statement.writes, *(conditions | (statement.reads & written)), *effects]
            if not keys:
                keys = [EFFECT]
            sets.join(keys)
            placed.append((statement, keys[0]))

    walk(unit, frozenset())
    groups: dict[object, set[int]] = {}
    for k, (_, key) in enumerate(placed):
        groups.setdefault(sets.find(key), set()).add(k)
    return [_node(number, unit, frozenset(numbers)) for numbers in groups.values()]


def _node(number: int, unit: Unit, leaf_numbers: frozenset[int]) -> Node:
    statements = filtered(unit, leaf_numbers)
    inside = [leaf for statement in statements for leaf in leaves(statement)]
    reads, _ = exposed(statements, frozenset())
    writes = frozenset[str]().union(*(leaf.writes for leaf in inside))
    effect = any(leaf.effect for leaf in inside)
    return Node(number, leaf_numbers, reads, writes, _cost(statements), effect)


def _cost(statements: Iterable[Statement]) -> int:
    return sum(1 + len(statement.text) // 200 if isinstance(statement, Leaf)
               else 1 + _cost((*statement.then, *statement.other))
               for statement in statements)


def exposed(
    statements: Iterable[Statement], defined: frozenset[str], words: dict[str, int] | None = None
) -> tuple[frozenset[str], frozenset[str]]:
    """What may be read before it is written, and what has been written for certain at the end.

    ``words`` has the number of words of variables that are written word by word.
    """
    reads: frozenset[str] = frozenset()
    partly: dict[str, set[int]] = {}
    for statement in statements:
        reads |= statement.reads - defined
        if isinstance(statement, Branch):
            then, first = exposed(statement.then, defined, words)
            otherwise, second = exposed(statement.other, defined, words)
            reads |= then | otherwise
            defined |= first & second
        elif statement.whole:
            defined |= statement.writes
        elif statement.word is not None and words is not None:
            (name,) = statement.writes
            words_of = partly.setdefault(name, set())
            words_of.add(statement.word)
            if len(words_of) == words.get(name, -1):
                defined |= statement.writes
    return reads, defined


def copies_of(units: Sequence[Unit], nodes: Sequence[Node]) -> list[int]:
    """Nodes that copy a register to what becomes its next value, where that does nothing: it was copied back before.

    The copy back must be the only node that writes the register and the last that touches its next value, and both
    are without a condition.
    """
    writers: dict[str, list[int]] = {}
    for k, node in enumerate(nodes):
        for name in node.writes:
            writers.setdefault(name, []).append(k)
    replaced = list[int]()
    for name, writer_nodes in writers.items():
        register = name.removeprefix(_DELAYED)
        if register == name or len(writers.get(register, ())) != 1:
            continue
        first, last = writer_nodes[0], writers[register][0]
        round_trip = _copies(units, nodes[first], name, register) and _copies(units, nodes[last], register, name)
        if round_trip and first < last and all(k < last for k in writer_nodes):
            replaced.append(first)
    return replaced


def _copies(units: Sequence[Unit], node: Node, to: str, source: str) -> bool:
    """Whether a node does nothing but copy one variable to another."""
    if node.writes != {to} or node.reads != {source}:
        return False
    done = set[str]()
    for statement in filtered(units[node.unit], node.kept):
        if not isinstance(statement, Leaf):
            return False
        left, _, right = statement.text.rstrip(";").partition(" = ")
        left, right = left.strip(), right.strip()
        if left.removeprefix(f"vlSelfRef.{to}") != right.removeprefix(f"vlSelfRef.{source}"):
            return False
        if statement.word is None and not statement.whole:
            return False
        done.add(left)
    return len(done) == len(node.kept)


@dataclass
class Graph:
    """Which nodes must be before which: ``after[k]`` are those behind node ``k``."""

    after: list[set[int]]
    before: list[set[int]]


def graph_of(nodes: Sequence[Node]) -> Graph:
    """Nodes in the order of the edge: who reads what was written, who writes what was read, who writes it again."""
    after, before = [set[int]() for _ in nodes], [set[int]() for _ in nodes]
    writers: dict[str, list[int]] = {}
    readers: dict[str, list[int]] = {}
    for k, node in enumerate(nodes):
        reads = node.reads | ({EFFECT} if node.effect else set())
        writes = node.writes | ({EFFECT} if node.effect else set())
        earlier: set[int] = set()
        for name in reads | writes:
            earlier.update(writers.get(name, ()))
        for name in writes:
            earlier.update(readers.get(name, ()))
        for name in reads:
            readers.setdefault(name, []).append(k)
        for name in writes:
            writers.setdefault(name, []).append(k)
        earlier.discard(k)
        before[k] = earlier
        for entry in earlier:
            after[entry].add(k)
    return Graph(after, before)
