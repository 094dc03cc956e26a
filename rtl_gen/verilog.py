"""Verilog-2005 of one module of the netlist, as a person would write it.

Registers of one clock and reset share an ``always`` block, expressions stand where they are used, states of a machine
have names. Nothing depends on a value at time 0: there is no ``initial``, and combinational logic is an ``assign``
unless it reads a register that reset changes (``always @*`` starts at a change of what it reads, so it would stay
unknown where nothing ever changes).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rtl_gen.expressions import Expression, conditional, constant, operator, select
from rtl_gen.names import Names, identifier
from rtl_gen.processes import Reset, boundaries, exclusive, merge, prune, read_wires, restrict, retarget, split_reset, tests_bits
from rtl_gen.rtlil import Assign, Cell, Const, Module, Process, Sig, Slice, Statement, Switch, Wire, width

__all__ = ["States", "port_names", "write_module"]

States = Mapping[str, Mapping[int, str]]
"""Names of the states of a machine, by the wire that holds the state."""

LINE = 110
"""Longest line that the writer aims at."""

RESET = "\\rst"
"""The reset of the one clock domain, as Amaranth calls it."""

_NARROWED = frozenset({"$add", "$sub", "$mul", "$and", "$or", "$xor", "$not", "$neg"})
"""Operators whose low bits depend on low bits of the operands only."""

_INLINE_ONCE, _INLINE_ALWAYS = 90, 28
"""Longest expression that moves to its only reader, and that is repeated at each reader."""


def port_names(module: Module, *, reset_low: bool) -> dict[str, str]:
    """Identifiers of a module's ports by the wires' names."""
    names = Names()
    return {
        wire.name: names.add("rst_n" if reset_low and wire.name == RESET else wire.name)
        for wire in module.wires.values()
        if wire.port
    }


@dataclass
class _Register:
    wire: str
    body: list[Statement]
    clock: Sig
    resets: list[Reset]
    asynchronous: bool


@dataclass
class _Text:
    """Parts of the module in the order in which they are written."""

    declarations: list[str] = field(default_factory=list)
    logic: list[str] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)


def write_module(
    module: Module,
    name: str,
    *,
    ports: Mapping[str, Mapping[str, str]],
    types: Mapping[str, str],
    states: States,
    reset_low: bool = False,
    comment: str = "",
) -> str:
    """Verilog text of ``module``.

    Parameters
    ----------
    ports
        Identifiers of the ports of every module of the netlist (see :func:`port_names`).
    types
        Names of the modules in Verilog, by their names in the netlist.
    states
        Names of states, for wires of this module.
    reset_low
        The reset is active low.
    comment
        What the module is, for its first line.
    """
    return _Writer(module, ports, types, states, reset_low).write(name, comment)


class _Writer:
    def __init__(
        self,
        module: Module,
        ports: Mapping[str, Mapping[str, str]],
        types: Mapping[str, str],
        states: States,
        reset_low: bool,
    ) -> None:
        self.module, self.types, self.states, self.reset_low = module, types, states, reset_low
        self.all_ports = ports
        self.text = _Text()
        self.cell_of: dict[str, Cell] = {}
        self.process_of: dict[str, Process] = {p.target: p for p in module.processes}
        self.connect_of: dict[str, Sig] = {target.wire: value for target, value in module.connects}
        self.instances: list[Cell] = []
        self.registers: dict[str, _Register] = {}
        self._index_cells()
        self._narrow()
        self.uses: Counter[str] = Counter()
        self.named: set[str] = set()
        self._find_live()
        self.identifiers = dict(ports[module.name])
        self.names = Names({n.lower() for n in self.identifiers.values()})
        self._name_wires()
        self.inline: dict[str, Expression | None] = {}
        self.pending: set[str] = set()
        self.unnamed = 0

    # ---- What drives each wire, and what is needed

    def _index_cells(self) -> None:
        for cell in self.module.cells:
            driven = [chunk for port in cell.outputs for chunk in cell.ports[port]]
            for chunk in driven:
                if isinstance(chunk, Slice):
                    self.cell_of[chunk.wire] = cell
            if cell.type.startswith("\\"):
                self.instances.append(cell)
        for cell in self.module.cells:
            if cell.type in ("$dff", "$adff"):
                register = self._register(cell)
                self.registers[register.wire] = register

    def _narrow(self) -> None:
        """Give unnamed sums, of which only low bits are read, the width that is read."""
        top: Counter[str] = Counter()
        for sig in self._all_reads():
            for chunk in sig:
                if isinstance(chunk, Slice):
                    top[chunk.wire] = max(top[chunk.wire], chunk.high + 1)
        for wire, cell in self.cell_of.items():
            size = top[wire]
            if wire.startswith("$") and cell.type in _NARROWED and 0 < size < self.module.wires[wire].width:
                self.module.wires[wire] = Wire(wire, size)
                cell.parameters["Y_WIDTH"] = str(size)
                cell.ports["Y"] = (Slice(wire, size - 1, 0),)

    def _all_reads(self) -> Iterable[Sig]:
        for cell in self.module.cells:
            yield from (sig for port, sig in cell.ports.items() if port not in cell.outputs)
        for process in self.module.processes:
            yield tuple(read_wires(process.body))
        yield from (value for _, value in self.module.connects)

    def _register(self, cell: Cell) -> _Register:
        (q,) = cell.ports["Q"]
        assert isinstance(q, Slice)
        data, body, resets = cell.ports["D"], None, []
        if len(data) == 1 and isinstance(data[0], Slice) and data[0].wire in self.process_of:
            source = data[0]
            if (source.low, source.high) == (0, self.module.wires[source.wire].width - 1):
                body, resets = split_reset(self.process_of[source.wire])
        if body is None:
            body = [Assign(q, data)]
        elif isinstance(body[0], Assign) and body[0].value == (q,):
            body = body[1:]
        body = retarget(body, q.wire)
        asynchronous = cell.type == "$adff"
        if asynchronous:
            resets = [*resets, Reset(cell.ports["ARST"], cell.parameters["ARST_VALUE"].partition("'")[2])]
            if resets[0].value != resets[-1].value:
                resets = resets[-1:]
        return _Register(q.wire, body, cell.ports["CLK"], resets, asynchronous)

    def _sources(self, wire: str) -> list[Slice]:
        """What the driver of a wire reads."""
        if wire in self.registers:
            register = self.registers[wire]
            sigs = [register.clock, *(reset.condition for reset in register.resets)]
            return read_wires(register.body) + [c for sig in sigs for c in sig if isinstance(c, Slice)]
        if wire in self.cell_of:
            cell = self.cell_of[wire]
            sigs = [sig for port, sig in cell.ports.items() if port not in cell.outputs]
            return [c for sig in sigs for c in sig if isinstance(c, Slice)]
        if wire in self.process_of:
            return read_wires(self.process_of[wire].body)
        return [c for c in self.connect_of.get(wire, ()) if isinstance(c, Slice)]

    def _find_live(self) -> None:
        """Count the readers of each wire, starting from outputs and instances: what nobody reads is left out."""
        todo = [Slice(w.name, w.width - 1, 0) for w in self.module.wires.values() if w.port == "output"]
        for cell in self.instances:
            todo += [c for p, sig in cell.ports.items() if p not in cell.outputs for c in sig if isinstance(c, Slice)]
        seen: set[str] = set()
        while todo:
            chunk = todo.pop()
            self.uses[chunk.wire] += 1
            if chunk.high - chunk.low + 1 != self.module.wires[chunk.wire].width:
                self.named.add(chunk.wire)
            if chunk.wire not in seen:
                seen.add(chunk.wire)
                todo += self._sources(chunk.wire)

    # ---- Names

    def _name_wires(self) -> None:
        for cell in self.instances:
            instance = identifier(cell.name)
            inner = self.all_ports.get(cell.type, {})
            for port in sorted(cell.outputs, key=list(cell.ports).index):
                for chunk in cell.ports[port]:
                    if isinstance(chunk, Slice) and self.uses[chunk.wire] and chunk.wire not in self.identifiers:
                        self.identifiers[chunk.wire] = self.names.add(f"{instance}_{inner.get(chr(92) + port, port)}")
        for wire in self.module.wires.values():
            if wire.name.startswith("\\") and self.uses[wire.name] and wire.name not in self.identifiers:
                self.identifiers[wire.name] = self.names.add(wire.name)

    def _name(self, wire: str) -> str:
        if wire not in self.identifiers:
            self.unnamed += 1
            self.identifiers[wire] = self.names.add(f"w{self.unnamed}")
        return self.identifiers[wire]

    # ---- Expressions

    def read(self, sig: Sig) -> Expression:
        """Expression of a signal; what it needs is written before it."""
        if len(sig) == 1:
            return self._read_chunk(sig[0])
        parts: list[str] = []
        position = 0
        while position < len(sig):
            run = position
            while run + 1 < len(sig) and sig[run + 1] == sig[position]:
                run += 1
            text = self._read_chunk(sig[position]).text
            count = run - position + 1
            parts.append(text if count == 1 else f"{{{count}{{{text}}}}}")
            position = run + 1
        return Expression("{" + ", ".join(parts) + "}") if len(parts) > 1 else Expression(parts[0])

    def _read_chunk(self, chunk: Const | Slice) -> Expression:
        if isinstance(chunk, Const):
            return Expression(constant(chunk.bits))
        wire = self.module.wires[chunk.wire]
        if chunk.wire == RESET and self.reset_low:
            return Expression(f"~{self._name(RESET)}")
        short = self._inlined(chunk.wire)
        if short is not None:
            return short
        name = self._name(chunk.wire)
        if chunk.high - chunk.low + 1 == wire.width:
            return Expression(name)
        return Expression(f"{name}[{chunk.high}]" if chunk.high == chunk.low else f"{name}[{chunk.high}:{chunk.low}]")

    def _inlined(self, wire: str) -> Expression | None:
        """Expression that stands for an unnamed wire wherever it is read, or None if it has to be a net."""
        if wire in self.inline:
            return self.inline[wire]
        cell, process = self.cell_of.get(wire), self.process_of.get(wire)
        if not wire.startswith("$") or wire in self.registers or not (cell or process):
            return None
        if cell is not None and cell.type.startswith("\\"):
            return None
        found: Expression | None = None
        if cell is not None:
            found = self._operator(cell)
        elif process is not None:
            found = self._as_expression(process, self._whole(wire), limit=2)
        limit = _INLINE_ONCE if self.uses[wire] == 1 else _INLINE_ALWAYS
        if found is None or wire in self.named or len(found.text) > limit:
            self.inline[wire] = None
            self._drive(wire, found)
            return None
        self.inline[wire] = found
        return found

    def _whole(self, wire: str) -> Slice:
        return Slice(wire, self.module.wires[wire].width - 1, 0)

    def _operator(self, cell: Cell) -> Expression:
        if cell.type in ("$eq", "$ne"):
            named = self._state_test(cell.ports["A"], cell.ports["B"], "==" if cell.type == "$eq" else "!=")
            if named is not None:
                return named
        if cell.type == "$shift":
            return self._part(cell)
        return operator(cell, self.read)

    def _state_test(self, a: Sig, b: Sig, relation: str) -> Expression | None:
        if len(a) != 1 or not isinstance(a[0], Slice) or a[0].wire not in self.states or a[0] != self._whole(a[0].wire):
            return None
        if any(isinstance(chunk, Slice) for chunk in b):
            return None
        value = int("".join(c.bits for c in b if isinstance(c, Const)) or "0", 2)
        return Expression(f"{self.read(a).text} {relation} {self._state(a[0].wire, value)}", atom=False)

    def _state(self, wire: str, value: int) -> str:
        name = self.states[wire].get(value)
        size = self.module.wires[wire].width
        return identifier(f"{self._name(wire)}_{name}").upper() if name else constant(f"{value:0{size}b}")

    def _part(self, cell: Cell) -> Expression:
        """A part of a vector at a variable place: an indexed select where it cannot lie outside."""
        vector, size = cell.ports["A"], int(cell.parameters["Y_WIDTH"])
        place, most = self._place(cell.ports["B"])
        if most + size <= width(vector):
            if not (len(vector) == 1 and isinstance(vector[0], Slice) and vector[0].low == 0):
                vector = (self._net(self.read(vector), width(vector)),)
            chunk = vector[0]
            assert isinstance(chunk, Slice)
            self.named.add(chunk.wire)
            base = self._read_chunk(self._whole(chunk.wire)).text
            index = self.read(select(place, max((width(vector) - 1).bit_length(), 1) - 1, 0)).text
            return Expression(f"{base}[{index}]" if size == 1 else f"{base}[{index} +: {size}]")
        longer = max(width(vector), size)
        shift = Cell("$sshr" if cell.parameters["A_SIGNED"] == "1" else "$shr", cell.name, cell.parameters | {"Y_WIDTH": str(longer)}, cell.ports)
        net = self._net(operator(shift, self.read), longer)
        return self.read((Slice(net.wire, size - 1, 0),))

    def _place(self, sig: Sig) -> tuple[Sig, int]:
        """A place without the multiplication by a power of two that makes it, and its largest value."""
        chunk = sig[0]
        cell = self.cell_of.get(chunk.wire) if isinstance(chunk, Slice) and len(sig) == 1 else None
        if cell is not None and cell.type == "$mul" and isinstance(stride := cell.ports["B"][0], Const):
            step = int(stride.bits, 2)
            if step & (step - 1) == 0:
                sig = (*cell.ports["A"], Const("0" * (step.bit_length() - 1)))
            return sig, (2 ** width(cell.ports["A"]) - 1) * step
        return sig, 2 ** width(sig) - 1

    def _net(self, value: Expression, size: int) -> Slice:
        """A new net with this value."""
        wire = f"$net{len(self.module.wires)}"
        self.module.wires[wire] = Wire(wire, size)
        self.inline[wire] = None
        self._drive(wire, value)
        return Slice(wire, size - 1, 0)

    # ---- Combinational logic

    def _drive(self, wire: str, value: Expression | None) -> None:
        """Write the net of a wire: an assign of ``value``, or the wire's process."""
        if value is not None:
            name = self._name(wire)
            self._declare(wire, "wire")
            self.text.logic.append(_wrap(f"assign {name} = {value.text};"))
            return
        process = self.process_of[wire]
        if self._wakes(process):
            lines = self._block(prune(process.body), "=")
            name = self._name(wire)
            self._declare(wire, "reg")
            self.text.logic.append("\n".join(["always @* begin", *lines, "end"]))
            return
        ends = sorted(boundaries(process.body))
        parts = [
            self._as_expression(process, Slice(wire, high - 1, low), limit=None)
            for low, high in zip(ends[-2::-1], ends[:0:-1], strict=True)
        ]
        texts = [part.text for part in parts if part is not None]
        self._drive(wire, Expression(texts[0] if len(texts) == 1 else "{" + ", ".join(texts) + "}"))

    def _wakes(self, process: Process) -> bool:
        """Whether the process reads a register that reset changes, so that ``always @*`` runs."""
        return any(self.registers[c.wire].resets for c in read_wires(process.body) if c.wire in self.registers)

    def _as_expression(self, process: Process, target: Slice, limit: int | None) -> Expression | None:
        """Nested conditionals for the bits of ``target``; None if there would be more than ``limit`` of them."""
        if target != self._whole(target.wire) or limit is None:
            body = restrict(process.body, target.high, target.low)
        else:
            body = process.body
            if len(boundaries(body)) > 2:
                return None
        found = self._conditional(prune(body), None)
        short = found is not None and found.text.count(" ? ") <= limit and len(found.text) <= _INLINE_ONCE if limit is not None else True
        return found if short else None

    def _conditional(self, body: Iterable[Statement], value: Expression | None) -> Expression | None:
        for statement in body:
            if isinstance(statement, Assign):
                value = self.read(statement.value)
                continue
            before = value
            arms = [(case, self._conditional(case.body, value)) for case in statement.cases]
            if exclusive(statement) and (statement.cases[-1].patterns or arms[-1][1] == before):
                arms = [(case, arm) for case, arm in arms if arm != before]
            for case, arm in reversed(arms):
                if not case.patterns:
                    value = arm
                elif arm is not None and value is not None and arm != value:
                    condition = self._matches(statement.test, case.patterns)
                    value = conditional(condition, arm, value)
        return value

    def _matches(self, test: Sig, patterns: tuple[str, ...]) -> Expression:
        terms: list[Expression] = []
        for pattern in patterns:
            named = self._state_test(test, (Const(pattern),), "==") if "-" not in pattern else None
            bits = [k for k, bit in enumerate(reversed(pattern)) if bit != "-"]
            kept = tuple(c for k in reversed(bits) for c in select(test, k, k))
            wanted = "".join(pattern[len(pattern) - 1 - k] for k in reversed(bits))
            if named is not None:
                terms.append(named)
            elif len(bits) == 1:
                bit = self.read(kept)
                terms.append(bit if wanted == "1" else Expression(f"~{bit.operand}"))
            else:
                source = test if len(bits) == len(pattern) else kept
                terms.append(Expression(f"{self.read(source).operand} == {constant(wanted)}", atom=False))
        if len(terms) == 1:
            return terms[0]
        return Expression(" | ".join(term.operand for term in terms), atom=False)

    # ---- Statements

    def _block(self, body: Iterable[Statement], relation: str, depth: int = 1) -> list[str]:
        lines: list[str] = []
        for statement in body:
            if isinstance(statement, Assign):
                lines.append(_wrap(f"{self._assignment(statement, relation)}", depth))
            elif len(statement.test) == 0:
                lines += self._block(statement.cases[0].body, relation, depth)
            else:
                write = self._chain if self._is_chain(statement) else self._case
                lines += write(statement, relation, depth)
        return lines

    def _assignment(self, statement: Assign, relation: str) -> str:
        target, value = statement.target, statement.value
        whole = target == self._whole(target.wire)
        name = self._name(target.wire)
        if not whole:
            name += f"[{target.high}]" if target.high == target.low else f"[{target.high}:{target.low}]"
        if whole and target.wire in self.states and len(value) == 1 and isinstance(value[0], Const):
            return f"{name} {relation} {self._state(target.wire, int(value[0].bits, 2))};"
        return f"{name} {relation} {self.read(value).text};"

    def _is_chain(self, switch: Switch) -> bool:
        chunk = switch.test[0]
        if len(switch.cases) > 1 and isinstance(chunk, Slice) and (chunk,) == switch.test and chunk.wire in self.states:
            return False
        alone = len(switch.cases) == 1 and len(switch.cases[0].patterns) == 1
        return alone or width(switch.test) == 1 or tests_bits(switch) is not None

    def _chain(self, switch: Switch, relation: str, depth: int) -> list[str]:
        """``if`` / ``else if`` / ``else``."""
        pad, lines, word = "  " * depth, [], "if"
        cases = switch.cases
        if width(switch.test) == 1 and len(cases) == 2 and not cases[0].body and cases[1].patterns:
            cases = cases[1:]
        for number, case in enumerate(cases):
            certain = width(switch.test) == 1 and number == 1 and len(cases) == 2
            if not case.patterns or certain:
                lines.append(f"{pad}{'end else' if number else 'if (1)'} begin")
            else:
                condition = self._matches(switch.test, case.patterns).text
                lines.append(_wrap(f"{'end else ' if number else ''}{word} ({condition}) begin", depth))
            lines += self._block(case.body, relation, depth + 1)
        return [*lines, f"{pad}end"]

    def _case(self, switch: Switch, relation: str, depth: int) -> list[str]:
        pad = "  " * depth
        wild = any("-" in pattern for case in switch.cases for pattern in case.patterns)
        lines = [_wrap(f"{'casez' if wild else 'case'} ({self.read(switch.test).text})", depth)]
        default = False
        chunk = switch.test[0]
        machine = chunk.wire if isinstance(chunk, Slice) and (chunk,) == switch.test and chunk.wire in self.states else ""
        for case in switch.cases:
            values = [self._state(machine, int(p, 2)) if machine and "-" not in p else constant(p) for p in case.patterns]
            default |= not case.patterns
            head = _wrap(", ".join(values) or "default", depth + 1)
            body = self._block(case.body, relation, depth + 2)
            if not body:
                lines.append(f"{head}: ;")
            elif len(body) == 1 and "\n" not in body[0] and len(head) + len(body[0]) < LINE and body[0].endswith(";"):
                lines.append(f"{head}: {body[0].strip()}")
            else:
                lines += [f"{head}: begin", *body, f"{pad}  end"]
        if not default:
            lines.append(f"{pad}  default: ;")
        return [*lines, f"{pad}endcase"]

    # ---- Registers, instances, the whole

    def _write_registers(self) -> None:
        groups: dict[tuple[Sig, tuple[Sig, ...], bool], list[_Register]] = {}
        for register in self.registers.values():
            if self.uses[register.wire]:
                key = (register.clock, tuple(r.condition for r in register.resets), register.asynchronous)
                groups.setdefault(key, []).append(register)
        for (clock, conditions, asynchronous), registers in groups.items():
            self.text.logic.append(self._write_group(clock, conditions, asynchronous, registers))

    def _write_group(self, clock: Sig, conditions: tuple[Sig, ...], asynchronous: bool, registers: list[_Register]) -> str:
        for register in registers:
            self._declare(register.wire, "reg")
        body = prune(merge(register.body for register in registers))
        edge = f"posedge {self.read(clock).text}"
        if asynchronous:
            edge += f" or {'negedge' if self.reset_low else 'posedge'} {self._name(RESET)}"
        if not conditions:
            return "\n".join([f"always @({edge}) begin", *self._block(body, "<="), "end"])
        condition = " | ".join(self.read(sig).operand for sig in conditions)
        lines = [f"always @({edge}) begin", f"  if ({condition}) begin"]
        for register in registers:
            value = register.resets[0].value
            text = self._state(register.wire, int(value, 2)) if register.wire in self.states else constant(value)
            lines.append(f"    {self._name(register.wire)} <= {text};")
        rest = self._block(body, "<=", 2)
        if rest:
            lines += ["  end else begin", *rest]
        return "\n".join([*lines, "  end", "end"])

    def _declare(self, wire: str, kind: str) -> None:
        if self.module.wires[wire].port:
            if kind == "reg":
                self.pending.add(wire)
            return
        self.text.declarations.append(f"{kind} {_range(self.module.wires[wire].width)}{self._name(wire)};")

    def _write_instances(self) -> None:
        for cell in self.instances:
            inner = self.all_ports.get(cell.type, {})
            connections = []
            for port, sig in cell.ports.items():
                name = inner.get("\\" + port, port)
                if port in cell.outputs:
                    used = any(isinstance(c, Slice) and (self.uses[c.wire] or c.wire in self.identifiers) for c in sig)
                    connections.append(f".{name}({self.read(sig).text if used else ''})")
                elif "\\" + port == RESET and cell.type in self.all_ports:
                    connections.append(f".{name}({self._name(RESET)})")
                else:
                    connections.append(f".{name}({self.read(sig).text})")
            connections.sort(key=lambda c: (not c.startswith((".clk(", ".rst")),))
            kind = self.types.get(cell.type, identifier(cell.type))
            parameters = ", ".join(f".{k}({_parameter(v)})" for k, v in cell.parameters.items())
            head = f"{kind} {f'#({parameters}) ' if parameters else ''}{identifier(cell.name)} ("
            body = ",\n".join(_wrap(c, 1) for c in connections)
            self.text.instances.append(f"{head}\n{body}\n);")
            for port in cell.outputs:
                for chunk in cell.ports[port]:
                    if isinstance(chunk, Slice) and self.uses[chunk.wire]:
                        self._declare(chunk.wire, "wire")

    def write(self, name: str, comment: str) -> str:
        for wire in list(self.module.wires.values()):
            if not self.uses[wire.name] or wire.name in self.registers or wire.name.startswith("$"):
                continue
            cell, process = self.cell_of.get(wire.name), self.process_of.get(wire.name)
            if wire.name in self.connect_of:
                self._drive(wire.name, self.read(self.connect_of[wire.name]))
            elif cell is not None and not cell.type.startswith("\\"):
                self._drive(wire.name, self._operator(cell))
            elif process is not None:
                self._drive(wire.name, self._as_expression(process, self._whole(wire.name), limit=2))
        self._write_registers()
        self._write_instances()
        return self._assemble(name, comment)

    def _assemble(self, name: str, comment: str) -> str:
        ports = sorted((w for w in self.module.wires.values() if w.port), key=_port_order(self.module))
        listed = ",\n".join(
            f"  {w.port} {'reg ' if w.name in self.pending else 'wire'} {_range(w.width)}{self._name(w.name)}" for w in ports
        )
        constants = [
            f"localparam {_range(self.module.wires[wire].width)}{self._state(wire, value)} = "
            f"{constant(format(value, f'0{self.module.wires[wire].width}b'))};"
            for wire, states in self.states.items()
            if self.uses[wire]
            for value in states
        ]
        parts = [
            *(["\n".join(constants)] if constants else []),
            *(["\n".join(self.text.declarations)] if self.text.declarations else []),
            *_paragraphs(self.text.logic),
            *self.text.instances,
        ]
        body = "\n\n".join("\n".join("  " + line if line else line for line in p.splitlines()) for p in parts)
        head = f"// {comment}\n" if comment else ""
        return f"{head}module {name} (\n{listed}\n);\n\n{body}\n\nendmodule\n"


def _port_order(module: Module) -> Callable[[Wire], tuple[int, int]]:
    """Clock and reset, then ports by interface, a stream's as payload, valid, ready."""
    groups: dict[str, int] = {"clk": -2, "rst": -1}
    for wire in module.wires.values():
        if wire.port:
            groups.setdefault(wire.name.removeprefix("\\").rpartition("__")[0] or wire.name, len(groups))
    members = {"payload": 0, "valid": 1, "ready": 2}

    def key(wire: Wire) -> tuple[int, int]:
        group, _, member = wire.name.removeprefix("\\").rpartition("__")
        return groups[group or (member if member in groups else wire.name)], members.get(member, 3)

    return key


def _paragraphs(logic: list[str]) -> list[str]:
    """Assigns together, blocks apart."""
    parts: list[list[str]] = []
    for text in logic:
        if parts and text.startswith("assign") and parts[-1][-1].startswith("assign"):
            parts[-1].append(text)
        else:
            parts.append([text])
    return ["\n".join(part) for part in parts]


def _parameter(value: str) -> str:
    if value.startswith('"') or value.lstrip("-").isdigit():
        return value
    return constant(value.partition("'")[2])


def _range(size: int) -> str:
    return "" if size == 1 else f"[{size - 1}:0] "


def _wrap(text: str, depth: int = 0) -> str:
    """A statement, indented, broken after commas and before operators where it is long."""
    pad = "  " * depth
    if len(pad) + len(text) <= LINE:
        return pad + text
    lines, line = [], pad
    for word in text.split(" "):
        if len(line) + len(word) > LINE and line.strip():
            lines.append(line.rstrip())
            line = pad + "    "
        line += word + " "
    return "\n".join([*lines, line.rstrip()])
