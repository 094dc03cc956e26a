"""Statements of processes as lines of Verilog."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mho.rtl_gen.verilog.module.analysis import whole
from mho.rtl_gen.verilog.module.expressions import Expression, constant, infix, invert
from mho.rtl_gen.verilog.module.processes import tests_bits
from mho.rtl_gen.verilog.module.reader import Reader
from mho.rtl_gen.verilog.names import LINE, wrap
from mho.rtl_gen.verilog.rtlil import Assign, Case, Const, Sig, Slice, Statement, Switch, width


@dataclass(frozen=True)
class _Indexed(Assign):
    """An assignment to the part of a vector that a signal names: ``target`` is the part of number 0."""

    index: Sig = ()


class Statements(Reader):
    """Writes the bodies of ``always`` blocks."""

    def block(self, body: Iterable[Statement], relation: str, depth: int = 1) -> list[str]:
        lines: list[str] = []
        for statement in body:
            if isinstance(statement, Assign):
                lines.append(wrap(self._assignment(statement, relation), depth))
            elif len(statement.test) == 0:
                lines += self.block(statement.cases[0].body, relation, depth)
            elif relation == "<=" and (parts := self._as_parts(statement)) is not None:
                lines += self.block(parts, relation, depth)
            else:
                write = self._chain if self._is_chain(statement) else self._case
                lines += write(statement, relation, depth)
        return lines

    def _assignment(self, statement: Assign, relation: str) -> str:
        target, value = statement.target, statement.value
        name = self.name(target.wire)
        if isinstance(statement, _Indexed):
            size = target.high - target.low + 1
            place = (self.module.wires[target.wire].width >> width(statement.index)).bit_length() - 1
            low = (Const(f"{target.low:0{place}b}"),) if place else ()
            index = self.read((*statement.index, *low)).text
            name += f"[{index}]" if size == 1 else f"[{index} +: {size}]"
        elif target != whole(self.module.wires[target.wire]):
            name += f"[{target.high}]" if target.high == target.low else f"[{target.high}:{target.low}]"
        elif target.wire in self.states and len(value) == 1 and isinstance(value[0], Const):
            return f"{name} {relation} {self.state(target.wire, int(value[0].bits, 2))};"
        return f"{name} {relation} {self.value(value).text};"

    def _as_parts(self, switch: Switch) -> list[Statement] | None:
        """What a switch does that does the same to each part of a vector, for the part that its test names."""
        size = width(switch.test)
        numbers = [case.patterns[0] if len(case.patterns) == 1 else "" for case in switch.cases]
        if size < 2 or numbers != [f"{number:0{size}b}" for number in range(2**size)]:
            return None
        return self._folded([case.body for case in switch.cases], switch.test)

    def _folded(self, bodies: Sequence[Sequence[Statement]], test: Sig) -> list[Statement] | None:
        """One body for bodies that differ only in the number of the part that they write."""
        folded: list[Statement] = []
        if len({len(body) for body in bodies}) != 1:
            return None
        for same in zip(*bodies, strict=True):
            first = same[0]
            if isinstance(first, Assign):
                target, size = first.target, self.module.wires[first.target.wire].width
                stride = size // len(bodies)
                steps = range(0, size, max(stride, 1))
                places = (Slice(target.wire, target.high + step, target.low + step) for step in steps)
                exact = stride & (stride - 1) == 0 and size == stride * len(bodies) and target.high < stride
                if not exact or list(same) != [Assign(place, first.value) for place in places]:
                    return None
                folded.append(_Indexed(first.target, first.value, test))
                continue
            switches = [statement for statement in same if isinstance(statement, Switch)]
            alike = [s for s in switches if (s.test, len(s.cases)) == (first.test, len(first.cases))]
            cases: list[Case] = []
            for arms in zip(*(s.cases for s in alike), strict=True):
                inner = self._folded([arm.body for arm in arms], test)
                if inner is None or len(alike) < len(same) or len({arm.patterns for arm in arms}) > 1:
                    return None
                cases.append(Case(arms[0].patterns, inner))
            folded.append(Switch(first.test, cases))
        return folded

    def _is_chain(self, switch: Switch) -> bool:
        if len(switch.cases) > 1 and self.machine(switch.test):
            return False
        alone = len(switch.cases) == 1 and len(switch.cases[0].patterns) == 1
        return alone or width(switch.test) == 1 or tests_bits(switch) is not None

    def _chain(self, switch: Switch, relation: str, depth: int) -> list[str]:
        """``if`` / ``else if`` / ``else``."""
        pad, lines = "  " * depth, []
        cases = switch.cases
        if width(switch.test) == 1 and len(cases) == 2 and not cases[0].body:
            (pattern,) = cases[0].patterns
            cases = [Case(("1" if pattern == "0" else "0",), cases[1].body)]
        opened = False
        for number, case in enumerate(cases):
            certain = width(switch.test) == 1 and number == 1 and len(cases) == 2
            if not case.patterns or certain:
                lines.append(f"{pad}{'end else' if opened else 'if (1)'} begin")
            else:
                alone = switch.test if case.patterns == ("1",) else None
                condition = self.value(alone) if alone else self.matches(switch.test, case.patterns)
                rest = cases[number + 1 :]
                if not case.body and rest:
                    # An arm that does nothing: the others are within its opposite.
                    return [*lines, *self._unless(condition, Switch(switch.test, rest), relation, depth, opened)]
                lines.append(wrap(f"{'end else ' if opened else ''}if ({condition.text}) begin", depth))
            opened = True
            lines += self.block(case.body, relation, depth + 1)
        return [*lines, f"{pad}end"]

    def _unless(self, not_if: Expression, rest: Switch, relation: str, depth: int, opened: bool) -> list[str]:
        """What the remaining cases of a chain do where a condition does not hold."""
        pad, word = "  " * depth, "end else " if opened else ""
        opposite = invert(not_if)
        (case, *more) = rest.cases
        if more:
            inner = self._chain(rest, relation, depth + 1)
        else:
            inner = self.block(case.body, relation, depth + 1)
            if case.patterns:
                opposite = infix(opposite, "&", self.matches(rest.test, case.patterns))
        return [wrap(f"{word}if ({opposite.text}) begin", depth), *inner, f"{pad}end"]

    def _case(self, switch: Switch, relation: str, depth: int) -> list[str]:
        pad = "  " * depth
        wild = any("-" in pattern for case in switch.cases for pattern in case.patterns)
        lines = [wrap(f"{'casez' if wild else 'case'} ({self.read(switch.test).text})", depth)]
        machine = self.machine(switch.test)
        for case in _without_empty(switch.cases):
            values = [
                self.state(machine, int(pattern, 2)) if machine and "-" not in pattern else constant(pattern)
                for pattern in case.patterns
            ]
            head = wrap(", ".join(values) or "default", depth + 1)
            body = self.block(case.body, relation, depth + 2)
            short = len(body) == 1 and "\n" not in body[0] and body[0].endswith(";")
            if not body:
                lines.append(f"{head}: ;")
            elif short and len(head) + len(body[0].strip()) < LINE:
                lines.append(f"{head}: {body[0].strip()}")
            else:
                lines += [f"{head}: begin", *body, f"{pad}  end"]
        if all(case.patterns for case in switch.cases) and not _complete(switch):
            lines.append(f"{pad}  default: ;")
        return [*lines, f"{pad}endcase"]


def _without_empty(cases: Sequence[Case]) -> list[Case]:
    """Cases in their order, of which those that do nothing stand together; the last one is the default."""
    empty = [case for case in cases if case.patterns and not case.body]
    if len(empty) < 2 or any("-" in pattern for case in cases for pattern in case.patterns):
        return list(cases)
    together = Case(tuple(pattern for case in empty for pattern in case.patterns), [])
    full = [case for case in cases if case.body or not case.patterns]
    return [together, *full]


def _complete(switch: Switch) -> bool:
    """Whether the cases are all that there can be."""
    patterns = {pattern for case in switch.cases for pattern in case.patterns}
    return not any("-" in pattern for pattern in patterns) and len(patterns) == 2 ** width(switch.test)
