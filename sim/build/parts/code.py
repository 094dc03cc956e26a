"""The C++ of the parts of an edge: each runs for the models for which something that it reads has changed."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mho.sim.build.parts.nodes import Node, Unit, exposed, filtered
from mho.sim.build.parts.statements import Leaf, Statement, leaves

_DECLARED = re.compile(
    r"^ +(?:VL_(?:IN|OUT)\w*\((?P<port>\w+),(?P<high>\d+),\d+(?:,(?P<words>\d+))?\)|"
    r"(?P<kind>CData|SData|IData|QData|VlWide<(?P<wide>\d+)>)/\*[\d:]+\*/ (?P<name>\w+)|"
    r"VlUnpacked<.*> (?P<memory>\w+));$", re.MULTILINE)


def members_of(header: str) -> dict[str, int]:
    """The members of a model by name: how many words each has, 1: a scalar, 0: a memory."""
    members = {}
    for match in _DECLARED.finditer(header):
        if match["port"]:
            members[match["port"]] = int(match["words"] or 1)
        elif match["name"]:
            members[match["name"]] = int(match["wide"] or 1)
        else:
            members[match["memory"]] = 0
    return members


_FEW = 3
"""Readers of a variable that are marked without a branch."""


@dataclass(frozen=True)
class Part:
    """Statements that are run together."""

    statements: tuple[Statement, ...]
    """What is run."""
    reads: frozenset[str]
    """What it is run again for."""
    writes: frozenset[str]
    """What it may change."""


def part_of(units: Sequence[Unit], nodes: Sequence[Node], chosen: Sequence[int], words: dict[str, int]) -> Part:
    """The part that some nodes are, in their order; those of one unit are one again."""
    leaves_of: dict[int, frozenset[int]] = {}
    for k in chosen:
        leaves_of[nodes[k].unit] = leaves_of.get(nodes[k].unit, frozenset()) | nodes[k].kept
    statements = tuple(
        statement for unit, leaf in sorted(leaves_of.items()) for statement in filtered(units[unit], leaf)
    )
    reads, _ = exposed(statements, frozenset(), words)
    writes = (leaf.writes for statement in statements for leaf in leaves(statement))
    return Part(statements, reads, frozenset[str]().union(*writes))


class Writer:
    """Writes parts as C++.

    Parameters
    ----------
    parts
        All parts in their order.
    members
        See :func:`members_of`.
    local
        Declarations of locals.
    root
        Class of the model.
    """

    def __init__(self, parts: Sequence[Part], members: Mapping[str, int], local: Mapping[str, str], root: str) -> None:
        self.parts, self._members, self._local, self._root = parts, members, local, root
        self._writers: dict[str, set[int]] = {}
        for k, part in enumerate(parts):
            for name in part.writes:
                self._writers.setdefault(name, set()).add(k)
        self._readers: dict[str, set[int]] = {}
        for k, part in enumerate(parts):
            for name in part.reads:
                self._readers.setdefault(name, set()).add(k)
            for name in part.writes:
                if len(self._writers[name]) > 1:
                    self._readers.setdefault(name, set()).add(k)

    def readers(self, name: str) -> list[int]:
        """Parts that are run again when a variable changes."""
        return sorted(self._readers.get(name, ()))

    def function(self, k: int) -> str:
        """A part as a function of a model, its group's marks, and its own bit."""
        part = self.parts[k]
        sets: dict[tuple[int, ...], int] = {}
        places: dict[str, int] = {}
        for name in sorted(part.writes - self._local.keys()):
            readers = set(self.readers(name))
            if name not in part.reads:
                readers.discard(k)
            if readers:
                places[name] = sets.setdefault(tuple(sorted(readers)), len(sets))
        body = _Body(places, self._members, self._local)
        text = body.part(part.statements)
        lines = [
            f"static inline void part_{k}({self._root}& __restrict vlSelfRef, uint64_t* __restrict marks, "
            "uint64_t bit) {",
            *(f"    uint64_t changed_{number} = 0;" for number in sets.values()),
            *(["    bool outside = false, noted = false;"] if body.effects else []), text,
        ]
        for readers, number in sets.items():
            if len(readers) <= _FEW:
                lines.append(f"    const uint64_t for_{number} = changed_{number} ? bit : 0;")
                lines += [f"    marks[{reader}] |= for_{number};" for reader in readers]
            else:
                marked = " ".join(f"marks[{reader}] |= bit;" for reader in readers)
                lines.append(f"    if (changed_{number}) {{ {marked} }}")
        if body.effects:
            lines.append(f"    if (outside) marks[{k}] |= bit;")
            lines.append(f"    if (noted) marks[{len(self.parts)}] |= bit;")
        return "\n".join([*lines, "    (void)marks; (void)bit;", "}"])


class _Body:
    """Statements as C++, with what keeps whether variables have changed.

    Parameters
    ----------
    found
        Variables whose change somebody wants to know, with the number of what is set then.
    members
        See :func:`members_of`.
    local
        Declarations of locals, each made in the innermost block that has all its uses: wide ones are set to 0 there.
    """

    def __init__(self, widths: Mapping[str, int], members: Mapping[str, int], local: Mapping[str, str]) -> None:
        self._found, self._members, self._local, self.effects = widths, members, local, False

    def part(self, statements: Sequence[Statement]) -> str:
        """Each variable is kept before the first statement that writes it, and compared behind the last."""
        writes = [
            {name for leaf in leaves(statement) for name in leaf.writes if self._members.get(name)} & self._found.keys()
            for statement in statements
        ]
        first, last = dict[str, int](), dict[str, int]()
        for k, names in enumerate(writes):
            for name in names:
                first.setdefault(name, k)
                last[name] = k
        here, inner = _placed(statements, frozenset[str]().union(*map(_used, statements)) & self._local.keys())
        lines = [f"    {self._local[name]}" for name in here]
        for k, statement in enumerate(statements):
            before = [name for name in sorted(writes[k]) if first[name] == k]
            lines += [f"    const auto was_{name} = vlSelfRef.{name};" for name in before]
            lines.append(self._statement(statement, 1, inner[k]))
            lines += [self._compared(name) for name in sorted(writes[k]) if last[name] == k]
        return "\n".join(lines)

    def _compared(self, name: str) -> str:
        now = f"vlSelfRef.{name}"
        differs = f"was_{name} ^ {now}" if self._members[name] == 1 else f"mho_differ(was_{name}, {now})"
        return f"    changed_{self._found[name]} |= {differs};"

    def _statement(self, statement: Statement, depth: int, names: frozenset[str]) -> str:
        blank = "    " * depth
        if isinstance(statement, Leaf):
            return blank + self._leaf(statement, depth)
        text = f"{blank}if ({statement.condition}) {{\n{self._block(statement.then, depth, names)}{blank}}}"
        return text + (f" else {{\n{self._block(statement.other, depth, names)}{blank}}}" if statement.other else "")

    def _block(self, statements: Sequence[Statement], depth: int, names: frozenset[str]) -> str:
        here, inner = _placed(statements, names & frozenset[str]().union(*map(_used, statements)))
        blank = "    " * (depth + 1)
        return "".join([
            *(f"{blank}{self._local[name]}\n" for name in here),
            *(f"{self._statement(statement, depth + 1, inner[k])}\n" for k, statement in enumerate(statements)),
        ])

    def _leaf(self, leaf: Leaf, depth: int) -> str:
        if leaf.effect:
            self.effects = True
            return f"{leaf.text} outside = true;" + (" noted = true;" if depth > 1 else "")
        for name in leaf.writes & self._found.keys():
            if not self._members[name]:
                return f"{leaf.text} changed_{self._found[name]} = 1;"
        return leaf.text


def _used(statement: Statement) -> frozenset[str]:
    """What a statement reads and writes, its conditions among it."""
    if isinstance(statement, Leaf):
        return statement.reads | statement.writes
    return statement.reads.union(*map(_used, (*statement.then, *statement.other)))


def _placed(statements: Sequence[Statement], names: Collection[str]) -> tuple[list[str], list[frozenset[str]]]:
    """Which of the locals that statements use are declared before them, and which within each."""
    here, inner = list[str](), [set[str]() for _ in statements]
    for name in sorted(names):
        users = [k for k, statement in enumerate(statements) if name in _used(statement)]
        user = statements[users[0]]
        if len(users) > 1 or isinstance(user, Leaf) or name in user.reads:
            here.append(name)
        else:
            inner[users[0]].add(name)
    return here, [frozenset(names_inside) for names_inside in inner]
