"""Transformations of processes: reset at the end, registers in one block, small ones as expressions."""

from collections.abc import Iterable
from dataclasses import dataclass

from mho.rtl_gen.verilog.module.expressions import select
from mho.rtl_gen.verilog.rtlil import Assign, Case, Const, Process, Sig, Slice, Statement, Switch, width


@dataclass(frozen=True)
class Reset:
    """``value`` is loaded when ``condition``, a signal of one bit, is 1."""

    condition: Sig
    value: str

    def statement(self, target: Slice) -> Switch:
        """The reset as a statement."""
        return Switch(self.condition, [Case(("1",), [Assign(target, (Const(self.value),))])])


def tests_bits(switch: Switch) -> list[int] | None:
    """For a switch whose patterns each ask for one 1, as ``if``/``elif`` chains do: those bits, else None."""
    bits = []
    for case in switch.cases:
        if not case.patterns:
            continue
        (pattern,) = case.patterns if len(case.patterns) == 1 else ("",)
        if pattern.count("1") != 1 or "0" in pattern:
            return None
        bits.append(len(pattern) - 1 - pattern.index("1"))
    return bits


def _constant_reset(statement: Statement, target: Slice) -> Reset | None:
    if not isinstance(statement, Switch) or len(statement.cases) != 1 or width(statement.test) != 1:
        return None
    case = statement.cases[0]
    if case.patterns != ("1",) or len(case.body) != 1:
        return None
    (load,) = case.body
    if isinstance(load, Assign) and load.target == target and len(load.value) == 1 and isinstance(load.value[0], Const):
        return Reset(statement.test, load.value[0].bits)
    return None


def split_reset(process: Process) -> tuple[list[Statement], list[Reset]]:
    """The statements of a register's process without the resets that end it, and those, the last one first."""
    body = list(process.body)
    first = body[0]
    assert isinstance(first, Assign)
    resets: list[Reset] = []
    while len(body) > 1 and (reset := _constant_reset(body[-1], first.target)):
        resets.append(reset)
        body.pop()
    return body, resets


def exclusive(switch: Switch) -> bool:
    """Whether at most one case can match, so that cases may be left out and reordered."""
    patterns = [pattern for case in switch.cases for pattern in case.patterns]
    return len(set(patterns)) == len(patterns) and not any("-" in pattern for pattern in patterns)


def prune(body: Iterable[Statement]) -> list[Statement]:
    """Without branches that do nothing, and without assignments all of whose bits are assigned again."""
    pruned: list[Statement] = []
    for statement in body:
        if isinstance(statement, Switch):
            if all(isinstance(chunk, Const) for chunk in statement.test):
                pruned += prune(_taken(statement))
                continue
            cases = [Case(case.patterns, prune(case.body)) for case in statement.cases]
            while cases and not cases[-1].body:
                cases.pop()
            if cases and cases[-1].patterns and exclusive(statement):
                cases = [case for case in cases if case.body]
            if not cases:
                continue
            statement = Switch(statement.test, cases)
        pruned.append(statement)
    return _without_overwritten(pruned)


def _without_overwritten(body: list[Statement]) -> list[Statement]:
    """Without assignments all of whose bits later ones, which nothing holds back, assign too."""
    lasting: list[Statement] = []
    covered: dict[str, int] = {}
    for statement in reversed(body):
        if isinstance(statement, Assign):
            target = statement.target
            bits = (1 << target.high + 1) - (1 << target.low)
            before = covered.get(target.wire, 0)
            if before | bits == before:
                continue
            covered[target.wire] = before | bits
        lasting.append(statement)
    return lasting[::-1]


def _taken(switch: Switch) -> list[Statement]:
    """The branch of a switch on a constant."""
    bits = "".join(chunk.bits for chunk in switch.test if isinstance(chunk, Const))
    for case in switch.cases:
        for pattern in case.patterns or ("-" * len(bits),):
            if all(want in ("-", have) for want, have in zip(pattern, bits, strict=True)):
                return case.body
    return []


def _alike(a: Statement, b: Statement) -> bool:
    return (
        isinstance(a, Switch)
        and isinstance(b, Switch)
        and a.test == b.test
        and [case.patterns for case in a.cases] == [case.patterns for case in b.cases]
    )


def merge(bodies: Iterable[Iterable[Statement]]) -> list[Statement]:
    """One body that does what several do, each for a target of its own; equal switches become one."""
    merged: list[Statement] = []
    for body in bodies:
        _merge_into(merged, list(body))
    return merged


def _merge_into(merged: list[Statement], body: list[Statement]) -> None:
    earliest = 0
    for number, statement in enumerate(body):
        if isinstance(statement, Assign):
            # The value unless something below says otherwise: at the top of the block, beside its likes.
            while earliest < len(merged) and isinstance(merged[earliest], Assign):
                earliest += 1
            merged.insert(earliest, statement)
            earliest += 1
            continue
        place = _find(merged, statement, earliest)
        if place is None:
            # Before what a later statement will join, so that it still can.
            later = (_find(merged, after, earliest) for after in body[number + 1 :])
            place = next((position for position in later if position is not None), len(merged))
            merged.insert(place, statement)
        else:
            old = merged[place]
            assert isinstance(old, Switch)
            cases = [Case(x.patterns, merge([x.body, y.body])) for x, y in zip(old.cases, statement.cases, strict=True)]
            merged[place] = Switch(old.test, cases)
        earliest = place + 1


def _find(merged: list[Statement], statement: Statement, earliest: int) -> int | None:
    return next((k for k in range(earliest, len(merged)) if _alike(merged[k], statement)), None)


def boundaries(body: Iterable[Statement]) -> set[int]:
    """Bit positions of the target at which some assignment begins or ends."""
    ends: set[int] = set()
    for statement in body:
        if isinstance(statement, Assign):
            ends |= {statement.target.low, statement.target.high + 1}
        else:
            for case in statement.cases:
                ends |= boundaries(case.body)
    return ends


def restrict(body: Iterable[Statement], high: int, low: int) -> list[Statement]:
    """What a body does to bits ``high`` down to ``low``, which no assignment covers in part."""
    restricted: list[Statement] = []
    for statement in body:
        if isinstance(statement, Switch):
            cases = [Case(case.patterns, restrict(case.body, high, low)) for case in statement.cases]
            restricted.append(Switch(statement.test, cases))
        elif statement.target.low <= low and high <= statement.target.high:
            base = statement.target.low
            target = Slice(statement.target.wire, high, low)
            restricted.append(Assign(target, select(statement.value, high - base, low - base)))
    return restricted


def read_wires(body: Iterable[Statement]) -> list[Slice]:
    """Every slice that a body reads, as often as it does."""
    chunks: list[Slice] = []
    for statement in body:
        if isinstance(statement, Assign):
            chunks += [chunk for chunk in statement.value if isinstance(chunk, Slice)]
        else:
            chunks += [chunk for chunk in statement.test if isinstance(chunk, Slice)]
            for case in statement.cases:
                chunks += read_wires(case.body)
    return chunks


def retarget(body: Iterable[Statement], wire: str) -> list[Statement]:
    """The same body, for another target."""
    moved: list[Statement] = []
    for statement in body:
        if isinstance(statement, Switch):
            moved.append(Switch(statement.test, [Case(c.patterns, retarget(c.body, wire)) for c in statement.cases]))
        else:
            moved.append(Assign(Slice(wire, statement.target.high, statement.target.low), statement.value))
    return moved


def moved(body: Iterable[Statement], low: int) -> list[Statement]:
    """The same body, for a target whose bit 0 is bit ``low`` of the one that it has."""
    below: list[Statement] = []
    for statement in body:
        if isinstance(statement, Switch):
            below.append(Switch(statement.test, [Case(c.patterns, moved(c.body, low)) for c in statement.cases]))
        else:
            target = statement.target
            below.append(Assign(Slice(target.wire, target.high - low, target.low - low), statement.value))
    return below
