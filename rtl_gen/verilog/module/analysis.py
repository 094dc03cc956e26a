"""What drives each net of a module, what is needed, and which nets are registers."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mho.rtl_gen.verilog.module.expressions import select
from mho.rtl_gen.verilog.module.gating import WORTH, Condition, enable_of, pieces
from mho.rtl_gen.verilog.module.processes import Reset, merge, moved, prune, read_wires, retarget, split_reset
from mho.rtl_gen.verilog.module.sharing import join_outputs, share, take_constants
from mho.rtl_gen.verilog.rtlil import Assign, Cell, Module, Process, Sig, Slice, Statement, Wire, slices, whole, width

RESET = "\\rst"
"""The reset of the one clock domain, as Amaranth calls it."""

_NARROWED = frozenset({"$add", "$sub", "$mul", "$and", "$or", "$xor", "$not", "$neg", "$mux", "$shl"})
"""Operators whose low bits depend on low bits of the operands only."""


@dataclass
class Register:
    """A net that a clock edge changes: what it does, and what resets it."""

    wire: str
    body: list[Statement]
    clock: Sig
    resets: list[Reset]
    asynchronous: bool


@dataclass
class RegisterGroup:
    """Registers of one clock and the same resets: what they do between resets, in one body."""

    clock: Sig
    conditions: tuple[Sig, ...]
    asynchronous: bool
    registers: list[Register]
    body: list[Statement]
    enable: tuple[Condition, ...] = ()
    """What all has to hold for the body to run, where a clock gate asks for it."""


_Enable = tuple[Condition, ...]


@dataclass
class _Member:
    """A register or a part of it in a group: what it does if the conditions hold, and without asking for them."""

    register: Register
    body: list[Statement]
    whole: list[Statement]
    part: Slice


class Analysis:
    """A module with its drivers and readers.

    Attributes
    ----------
    cell_of, process_of, connect_of, registers
        What drives a wire, by its name.
    instances
        Cells that are instances of modules.
    uses
        How often a wire is read; one that is not there is not needed.
    partly
        Wires of which some reader takes a part.
    constants
        Wires that are constants with a name, and their bits.
    """

    def __init__(self, module: Module, *, gated: bool = False) -> None:
        self.module = module
        share(module)
        join_outputs(module)
        self.constants = take_constants(module)
        self.cell_of: dict[str, Cell] = {}
        self.process_of: dict[str, Process] = {process.target: process for process in module.processes}
        self.connect_of: dict[str, Sig] = {target.wire: value for target, value in module.connects}
        self.instances = [cell for cell in module.cells if cell.type.startswith("\\")]
        for cell in module.cells:
            for chunk in slices(cell.ports[port] for port in cell.outputs):
                self.cell_of[chunk.wire] = cell
        self._narrow()
        self.registers = {r.wire: r for r in (self._register(c) for c in module.cells if c.type in ("$dff", "$adff"))}
        self._choose_resets()
        self.uses: Counter[str] = Counter()
        self.partly: set[str] = set()
        self._find_live()
        self.groups = self._group_registers(gated=gated)
        self._count_uses()

    def _narrow(self) -> None:
        """Give unnamed sums, of which only low bits are read, the width that is read; then their operands."""
        while True:
            top: Counter[str] = Counter()
            for chunk in slices(self._all_reads()):
                top[chunk.wire] = max(top[chunk.wire], chunk.high + 1)
            narrowed = [
                (wire, cell)
                for wire, cell in self.cell_of.items()
                if wire.startswith("$") and cell.type in _NARROWED and 0 < top[wire] < self.module.wires[wire].width
            ]
            for wire, cell in narrowed:
                size = top[wire]
                self.module.wires[wire] = Wire(wire, size)
                cell.parameters["WIDTH" if cell.type == "$mux" else "Y_WIDTH"] = size
                cell.ports["Y"] = (Slice(wire, size - 1, 0),)
                for port in ("A",) if cell.type == "$shl" else cell.ports.keys() & {"A", "B"}:
                    if width(cell.ports[port]) > size:
                        cell.ports[port] = select(cell.ports[port], size - 1, 0)
            if not narrowed:
                return

    def _all_reads(self) -> Iterator[Sig]:
        for cell in self.module.cells:
            yield from (sig for port, sig in cell.ports.items() if port not in cell.outputs)
        for process in self.module.processes:
            yield tuple(read_wires(process.body))
        yield from (value for _, value in self.module.connects)

    def _register(self, cell: Cell) -> Register:
        (q,) = cell.ports["Q"]
        assert isinstance(q, Slice)
        data = cell.ports["D"]
        body: list[Statement] = [Assign(q, data)]
        resets: list[Reset] = []
        if len(data) == 1 and isinstance(source := data[0], Slice) and source.wire in self.process_of:
            if source == whole(self.module.wires[source.wire]):
                body, resets = split_reset(self.process_of[source.wire])
        first = body[0]
        if isinstance(first, Assign) and first.value == (q,):
            body = body[1:]
        if asynchronous := cell.type == "$adff":
            value = cell.bits("ARST_VALUE")
            resets = [Reset(cell.ports["ARST"], value), *resets]
        return Register(q.wire, retarget(body, q.wire), cell.ports["CLK"], resets, asynchronous)

    def _choose_resets(self) -> None:
        """Keep as resets the module's and one that all registers share; put others back to the end of the bodies."""
        reset = [r for r in self.registers.values() if r.resets]
        shared = [
            condition
            for condition in (x.condition for r in reset[:1] for x in r.resets)
            if isinstance(chunk := condition[0], Slice) and chunk.wire.endswith((RESET, "reset"))
            if all(condition in [x.condition for x in r.resets] for r in reset)
        ]
        for register in reset:
            chosen = [r for r in register.resets if r.condition in shared and r.value == register.resets[0].value]
            target = whole(self.module.wires[register.wire])
            register.body += [r.statement(target) for r in reversed(register.resets) if r not in chosen]
            register.resets = chosen

    def _sources(self, wire: str) -> list[Slice]:
        """What the driver of a wire reads."""
        if wire in self.registers:
            register = self.registers[wire]
            return read_wires(register.body) + list(slices([register.clock, *(r.condition for r in register.resets)]))
        if wire in self.cell_of:
            cell = self.cell_of[wire]
            return list(slices(sig for port, sig in cell.ports.items() if port not in cell.outputs))
        if wire in self.process_of:
            return read_wires(self.process_of[wire].body)
        return list(slices([self.connect_of.get(wire, ())]))

    def _find_live(self) -> None:
        """Count readers from outputs and instances on: what nobody reads is left out."""
        todo = [whole(wire) for wire in self.module.wires.values() if wire.port == "output"]
        for cell in self.instances:
            todo += slices(sig for port, sig in cell.ports.items() if port not in cell.outputs)
        visited: set[str] = set()
        while todo:
            chunk = todo.pop()
            self.uses[chunk.wire] += 1
            if chunk != whole(self.module.wires[chunk.wire]):
                self.partly.add(chunk.wire)
            if chunk.wire not in visited:
                visited.add(chunk.wire)
                todo += self._sources(chunk.wire)


    def first_readers(self) -> dict[str, str]:
        """A net that reads each net: a register or another net, or ``instance_port`` of a block."""
        readers: dict[str, str] = {}

        def note(reader: str, chunks: Iterable[Slice]) -> None:
            for chunk in chunks:
                readers.setdefault(chunk.wire, reader)

        for cell in self.instances:
            for port, sig in cell.ports.items():
                if port not in cell.outputs:
                    note(f"{cell.name}_{port}", slices([sig]))
        for target, value in self.module.connects:
            note(target.wire, slices([value]))
        for register in self.registers.values():
            note(register.wire, read_wires(register.body))
        for process in self.module.processes:
            note(process.target, read_wires(process.body))
        for cell in self.module.cells:
            outputs = [chunk.wire for chunk in slices(cell.ports[port] for port in cell.outputs)]
            if outputs and cell not in self.instances:
                note(outputs[0], slices(sig for port, sig in cell.ports.items() if port not in cell.outputs))
        return readers

    def _group_registers(self, *, gated: bool) -> list[RegisterGroup]:
        """Registers that are needed, by clock and resets, and by their clock gates."""
        groups: dict[tuple[Sig, tuple[Sig, ...], bool, _Enable], list[_Member]] = {}
        for register in self.registers.values():
            if self.uses[register.wire]:
                resets = tuple(r.condition for r in register.resets)
                every = whole(self.module.wires[register.wire])
                plain = _Member(register, register.body, register.body, every)
                parts = self._gates(register, plain) if gated else [((), plain)]
                for enable, member in parts:
                    groups.setdefault((register.clock, resets, register.asynchronous, enable), []).append(member)
        for key in [key for key in groups if key[-1]]:
            if sum(len(_bits_assigned(member.body)) for member in groups[key]) < WORTH:
                ungated = [_Member(m.register, m.whole, m.whole, m.part) for m in groups.pop(key)]
                groups.setdefault((*key[:-1], ()), []).extend(ungated)
        self._split(groups.values())
        return [
            RegisterGroup(
                clock, resets, asynchronous, list({m.register.wire: m.register for m in members}.values()),
                prune(merge(member.body for member in members)), enable,
            )
            for (clock, resets, asynchronous, enable), members in groups.items()
        ]

    def _split(self, groups: Iterable[list[_Member]]) -> None:
        """Have a register of its own for each part of one that several clocks change: a tool sees one clock a net."""
        groups = list(groups)
        clocks = Counter(wire for members in groups for wire in {m.register.wire for m in members})
        parts: dict[str, list[Slice]] = {}
        for members in groups:
            for k, member in enumerate(members):
                wire, part = member.register.wire, member.part
                if clocks[wire] > 1:
                    inner = Wire(f"{wire}_{part.high}_{part.low}", part.high - part.low + 1)
                    self.module.wires[inner.name] = inner
                    body = moved(member.body, part.low)
                    register = replace(member.register, wire=inner.name, body=retarget(body, inner.name))
                    self.registers[inner.name] = register
                    members[k] = _Member(register, register.body, register.body, whole(inner))
                    parts.setdefault(wire, []).append(part)
        for wire, slices_of in parts.items():
            del self.registers[wire], self.cell_of[wire]
            ordered = sorted(slices_of, key=lambda part: -part.low)
            self.connect_of[wire] = tuple(whole(self.module.wires[f"{wire}_{p.high}_{p.low}"]) for p in ordered)
            self.module.connects.append((whole(self.module.wires[wire]), self.connect_of[wire]))

    def _gates(self, register: Register, plain: _Member) -> "list[tuple[_Enable, _Member]]":
        """A register, or its parts where they are assigned apart, by what has to hold for them to change."""
        parts = pieces(register.body, self.module.wires[register.wire])
        if len(parts) > 1 and register.resets:
            return [((), plain)]
        result: list[tuple[_Enable, _Member]] = []
        for part, whole_body in parts:
            enable, body = enable_of(whole_body)
            result.append((enable, _Member(register, body, whole_body, part)))
        return result

    def _count_uses(self) -> None:
        """Count readers again, now as they are written: registers of one group share their tests."""
        live = [wire for wire in self.uses if wire not in self.registers]
        instances = {id(cell) for cell in self.instances}
        free = [wire for wire in live if id(self.cell_of.get(wire)) not in instances]
        reads = [chunk.wire for wire in free for chunk in self._sources(wire)]
        for cell in self.instances:
            sigs = (sig for port, sig in cell.ports.items() if port not in cell.outputs)
            reads += [chunk.wire for chunk in slices(sigs)]
        for group in self.groups:
            reads += [chunk.wire for chunk in read_wires(group.body)]
            tests = [condition.test for condition in group.enable]
            reads += [chunk.wire for chunk in slices([group.clock, *group.conditions, *tests])]
        reads += [wire.name for wire in self.module.wires.values() if wire.port == "output"]
        self.uses = Counter(reads)


def _bits_assigned(body: Iterable[Statement]) -> set[int]:
    """Bits of its target that a body assigns somewhere."""
    bits: set[int] = set()
    for statement in body:
        if isinstance(statement, Assign):
            bits |= set(range(statement.target.low, statement.target.high + 1))
        else:
            bits = bits.union(*(_bits_assigned(case.body) for case in statement.cases))
    return bits
