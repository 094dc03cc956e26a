"""Clock gates: registers that keep their value unless a condition holds get a clock that only then has edges."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from mho.rtl_gen.verilog.module.processes import boundaries, exclusive, prune, restrict
from mho.rtl_gen.verilog.rtlil import Assign, Case, Sig, Slice, Statement, Switch, Wire, width

CLOCK_GATE = "clock_gate"
"""Name of the module of a clock gate without the prefix."""

WORTH = 8
"""Least flip-flops behind a gate."""

_SMALL = 4
"""Widest test of a switch whose patterns are looked through for whether they leave anything out."""


@dataclass(frozen=True)
class Condition:
    """``test`` has one of the patterns."""

    test: Sig
    patterns: tuple[str, ...]


def pieces(body: Iterable[Statement], wire: Wire) -> list[tuple[Slice, list[Statement]]]:
    """Parts of a register that are assigned together, each with what the body does to it."""
    body = list(body)
    ends = sorted(boundaries(body) | {0, wire.width})
    return [
        (Slice(wire.name, high - 1, low), prune(restrict(body, high - 1, low)))
        for low, high in pairwise(ends)
    ]


def enable_of(body: list[Statement]) -> tuple[tuple[Condition, ...], list[Statement]]:
    """Conditions that all have to hold for a body to do anything, and what it does if they do."""
    conditions: list[Condition] = []
    while len(body) == 1 and isinstance(switch := body[0], Switch):
        live = [case for case in switch.cases if case.body]
        if len(live) != 1 or not live[0].patterns or not (exclusive(switch) or live[0] is switch.cases[0]):
            break
        conditions.append(Condition(switch.test, live[0].patterns))
        body = live[0].body
    if len(body) == 1 and isinstance(switch := body[0], Switch) and _some_case(switch):
        conditions.append(Condition(switch.test, tuple(p for case in switch.cases for p in case.patterns)))
        *cases, last = switch.cases
        # One of them holds, so that the last need not be asked for.
        body = [Switch(switch.test, [*cases, Case((), last.body)])]
    return tuple(conditions), body


def _some_case(switch: Switch) -> bool:
    """Whether every case of a switch assigns, and none need match."""
    return (
        len(switch.cases) > 1
        and all(case.patterns and _assigns(case.body) for case in switch.cases)
        and not _exhaustive(switch)
    )


def _assigns(body: Iterable[Statement]) -> bool:
    """Whether a body, of one piece of a register, assigns to it in any case."""
    return any(
        isinstance(statement, Assign)
        or (_exhaustive(statement) and all(_assigns(case.body) for case in statement.cases))
        for statement in body
    )


def _exhaustive(switch: Switch) -> bool:
    """Whether some case of a switch always matches."""
    if any(not case.patterns for case in switch.cases):
        return True
    size = width(switch.test)
    if size > _SMALL:
        return False
    patterns = [pattern for case in switch.cases for pattern in case.patterns]
    values = (f"{value:0{size}b}" for value in range(2**size))
    return all(
        any(all(want in ("-", have) for want, have in zip(pattern, value, strict=True)) for pattern in patterns)
        for value in values
    )
