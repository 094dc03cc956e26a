"""What of the instruction set programs have reached."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from mho.hw.tile.interpreter.state import Retired
from mho.hw.tile.isa import DESCRIPTORS, INSTRUCTIONS, Cause, Engine, Op, Operand, decode
from mho.hw.tile.isa.fields import Field
from mho.hw.tile.isa.legality import named
from mho.hw.tile.isa.program import Program
from mho.sim.tile_programs.compare import Expected
from mho.sim.tile_programs.simulation import Found

__all__ = ["Coverage"]

_CLASSES = ("least", "most", "between")
_NUMBERS, _COUNTERS = ("overlap", "wraps", "programs", "cycles"), ("ops", "causes", "operands")


class Coverage:
    """Counts of instructions by opcode, of fields by class of value, of traps, overlaps and rings that went round.

    Values of fields are counted in each instruction that retired and in the descriptors that it named, as they were at
    the start.

    Attributes
    ----------
    ops, causes, fields
        Instructions that retired, programs by why they stopped (``ended``, ``waited``), fields by (descriptor, or
        opcode in capitals, field, class of value: ``least``, ``most``, ``between``).
    overlap, wraps
        Cycles in which two engines or more had something; how often rings went round.
    """

    def __init__(self) -> None:
        self.ops: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.fields: Counter[tuple[str, str, str]] = Counter()
        self.operands: Counter[str] = Counter()
        self.overlap = self.wraps = self.programs = self.cycles = 0

    def add(self, program: Program, right: Expected, found: Found) -> None:
        """A program that was run."""
        self.programs += 1
        self.overlap += found.overlap
        self.cycles += found.cycles
        stopped = "ended" if right.ended else "waited"
        self.causes[right.status.cause.name.lower() if right.status else stopped] += 1
        for stream, count in enumerate(right.counts):
            blocks = program.descriptor("stream", stream)["blocks"]
            self.wraps += count // blocks if blocks else 0
        words: Counter[int] = Counter(one.pc for one in right.retired if _whole(one))
        for pc, times in words.items():
            self._instruction(program, pc, times)

    def _instruction(self, program: Program, pc: int, times: int) -> None:
        op, fields, _ = decode(program.words[pc] if pc < len(program.words) else 0)
        if op is None:
            return
        self.ops[op.name.lower()] += times
        self._values(op.name, INSTRUCTIONS[op].layout.fields, fields, times)
        for kind, number in named(op, fields, program.descriptors).values():
            values = program.descriptor(kind, number)
            self._values(kind, DESCRIPTORS[kind].layout.fields, values, times)
            if kind == "vec":
                for name in ("a", "b", "target"):
                    self.operands[f"{name} {_operand(values[name])}"] += times

    def _values(self, of: str, fields: tuple[Field, ...], values: dict[str, int], times: int) -> None:
        for field in fields:
            low, high = field.range
            value = values[field.name]
            self.fields[of, field.name, _CLASSES[0] if value == low else _CLASSES[1 + (value != high)]] += times

    def missing(self) -> list[str]:
        """Classes of values that no field of an instruction has had."""
        return [
            f"{of}.{name} {kind}" for of, fields in self._all() for name, count in fields for kind in _CLASSES[:count]
            if not self.fields[of, name, kind]
        ]

    def _all(self) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        # MVM and VEC name descriptors that are called as they are.
        layouts = {op.name: one.layout for op, one in INSTRUCTIONS.items()}
        layouts |= {kind: one.layout for kind, one in DESCRIPTORS.items()}
        for of, layout in layouts.items():
            yield of, [(f.name, 2 if f.range[1] - f.range[0] < 2 else 3) for f in layout.fields]

    def rows(self) -> Iterator[tuple[str, str, list[int | None]]]:
        """Of each field: what it belongs to, its name, and how often it had which class of value."""
        for of, fields in self._all():
            for name, count in fields:
                found = [self.fields[of, name, kind] for kind in _CLASSES[:count]]
                yield of, name, [*found, *[None] * (len(_CLASSES) - count)]

    def record(self) -> dict[str, Any]:
        """All counts, for a file."""
        found: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        found |= {name: dict(getattr(self, name)) for name in _COUNTERS}
        return found | {"fields": [[*key, count] for key, count in self.fields.items()]}

    def take(self, record: dict[str, Any]) -> None:
        """Add the counts of a file."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + record[name])
        for name in _COUNTERS:
            getattr(self, name).update(record[name])
        for of, name, kind, count in record["fields"]:
            self.fields[of, name, kind] += count

    def text(self) -> str:
        """A table."""
        total = sum(self.ops.values())
        lines = [
            f"{self.programs} programs, {total} instructions that retired, {self.cycles} cycles; in {self.overlap} of "
            f"them two engines or more had something; rings went round {self.wraps} times",
            "opcode: " + ", ".join(f"{op.name.lower()} {self.ops[op.name.lower()]}" for op in Op),
            "stopped: " + ", ".join(f"{name} {count}" for name, count in sorted(self.causes.items())),
            "causes that no program had: " + (", ".join(
                one.name.lower() for one in Cause if one and not self.causes[one.name.lower()]) or "none"),
            "operands: " + ", ".join(f"{name} {count}" for name, count in sorted(self.operands.items())),
            "fields (least, most, between):",
        ]
        for of, fields in self._all():
            shown = ", ".join(
                f"{name} " + "/".join(str(self.fields[of, name, kind]) for kind in _CLASSES[:count])
                for name, count in fields)
            if shown:
                lines.append(f"  {of}: {shown}")
        return "\n".join(lines)


def _whole(one: Retired) -> bool:
    """Whether it tells an instruction, and not a block of SEND."""
    return one.engine is not Engine.SEND


def _operand(value: int) -> str:
    if value < Operand.WALK:
        return "stream"
    if value < Operand.DRAIN:
        return "walk"
    names = {Operand.DRAIN: "drain", Operand.ACCUMULATORS: "accumulators", Operand.NONE: "none"}
    return names.get(Operand(value) if value in list(Operand) else Operand.RESULT, "result")
