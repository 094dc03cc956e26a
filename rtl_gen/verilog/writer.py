"""Verilog-2005 of one module of the netlist, as a person would write it.

Registers of one clock and reset share an ``always`` block, expressions stand where they are used, states of a machine
have names. Nothing depends on a value at time 0: there is no ``initial``, and combinational logic is an ``assign``
unless it reads a register that reset changes (``always @*`` starts at a change of what it reads, so it would stay
unknown where nothing ever changes).
"""

from collections.abc import Iterable, Mapping

from rtl_gen.verilog.analysis import RESET, RegisterGroup, whole
from rtl_gen.verilog.expressions import constant
from rtl_gen.verilog.layout import LINE, paragraphs, range_text, wrap
from rtl_gen.verilog.processes import tests_bits
from rtl_gen.verilog.reader import Reader, States
from rtl_gen.verilog.rtlil import Assign, Case, Cell, Const, Module, Slice, Statement, Switch, width

__all__ = ["States", "write_module"]


def write_module(
    module: Module,
    name: str,
    *,
    ports: Mapping[str, str],
    states: States,
    reset_low: bool = False,
    comment: str = "",
) -> str:
    """Verilog text of ``module``, which it uses up.

    Parameters
    ----------
    name
        Name of the module.
    ports
        Identifiers of its ports by the wires' names, in the order in which they are declared.
    states
        Names of states, for wires of this module.
    reset_low
        The reset is active low.
    comment
        What the module is, for its first line.
    """
    return _Writer(module, ports, states, reset_low=reset_low).write(name, comment)


class _Writer(Reader):
    # ---- Statements

    def block(self, body: Iterable[Statement], relation: str, depth: int = 1) -> list[str]:
        lines: list[str] = []
        for statement in body:
            if isinstance(statement, Assign):
                lines.append(wrap(self._assignment(statement, relation), depth))
            elif len(statement.test) == 0:
                lines += self.block(statement.cases[0].body, relation, depth)
            else:
                write = self._chain if self._is_chain(statement) else self._case
                lines += write(statement, relation, depth)
        return lines

    def _assignment(self, statement: Assign, relation: str) -> str:
        target, value = statement.target, statement.value
        name = self.name(target.wire)
        if target != whole(self.module.wires[target.wire]):
            name += f"[{target.high}]" if target.high == target.low else f"[{target.high}:{target.low}]"
        elif target.wire in self.states and len(value) == 1 and isinstance(value[0], Const):
            return f"{name} {relation} {self.state(target.wire, int(value[0].bits, 2))};"
        return f"{name} {relation} {self.value(value).text};"

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
            (taken,) = cases[0].patterns
            cases = [Case(("1" if taken == "0" else "0",), cases[1].body)]
        for number, case in enumerate(cases):
            certain = width(switch.test) == 1 and number == 1 and len(cases) == 2
            if not case.patterns or certain:
                lines.append(f"{pad}{'end else' if number else 'if (1)'} begin")
            else:
                alone = switch.test if case.patterns == ("1",) else None
                condition = (self.value(alone) if alone else self.matches(switch.test, case.patterns)).text
                lines.append(wrap(f"{'end else ' if number else ''}if ({condition}) begin", depth))
            lines += self.block(case.body, relation, depth + 1)
        return [*lines, f"{pad}end"]

    def _case(self, switch: Switch, relation: str, depth: int) -> list[str]:
        pad = "  " * depth
        wild = any("-" in pattern for case in switch.cases for pattern in case.patterns)
        lines = [wrap(f"{'casez' if wild else 'case'} ({self.read(switch.test).text})", depth)]
        machine = self.machine(switch.test)
        for case in switch.cases:
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
        if all(case.patterns for case in switch.cases):
            lines.append(f"{pad}  default: ;")
        return [*lines, f"{pad}endcase"]

    # ---- Registers, instances, the whole

    def _write_registers(self) -> None:
        for group in self.groups:
            for register in group.registers:
                self.declare(register.wire, "reg")
            self.logic.append(self._write_group(group))

    def _write_group(self, group: RegisterGroup) -> str:
        conditions, asynchronous, registers, body = group.conditions, group.asynchronous, group.registers, group.body
        edge = f"posedge {self.read(group.clock).text}"
        if asynchronous:
            edge += f" or {'negedge' if self.reset_low else 'posedge'} {self.name(RESET)}"
        if not conditions:
            return "\n".join([f"always @({edge}) begin", *self.block(body, "<="), "end"])
        loads = []
        for register in registers:
            value, machine = register.resets[0].value, register.wire in self.states
            text = self.state(register.wire, int(value, 2)) if machine else constant(value)
            loads.append(f"    {self.name(register.wire)} <= {text};")
        tests = [self.read(sig) for sig in conditions]
        # Only the reset itself may stand in the test that goes with an asynchronous edge.
        tests = [test.text for test in tests] if asynchronous else [" | ".join(test.operand for test in tests)]
        lines = [f"always @({edge}) begin"]
        for number, test in enumerate(tests):
            lines += [f"  {'end else ' if number else ''}if ({test}) begin", *loads]
        if rest := self.block(body, "<=", 2):
            lines += ["  end else begin", *rest]
        return "\n".join([*lines, "  end", "end"])

    def _write_instance(self, cell: Cell) -> str:
        connections: dict[str, str] = {}
        for port, sig in cell.ports.items():
            if sig == (Slice(RESET, 0, 0),):
                # As it is: active low on both sides, or on none.
                text = self.name(RESET)
            elif port in cell.outputs:
                used = any(isinstance(c, Slice) and (self.uses[c.wire] or c.wire in self.identifiers) for c in sig)
                text = self.read(sig).text if used else ""
            else:
                text = self.read(sig).text
            connections[port] = text
            for chunk in sig if port in cell.outputs else ():
                if isinstance(chunk, Slice) and self.uses[chunk.wire]:
                    self.declare(chunk.wire, "wire")
        parameters = ", ".join(f".{name}({_parameter(value)})" for name, value in cell.parameters.items())
        kind = cell.type.removeprefix("\\")
        head = f"{kind} {f'#({parameters}) ' if parameters else ''}{self.instance_names[cell.name]} ("
        listed = ",\n".join(wrap(f".{name}({text})", 1) for name, text in connections.items())
        return f"{head}\n{listed}\n);"

    def write(self, name: str, comment: str) -> str:
        """The text of the module."""
        for wire in list(self.module.wires):
            cell, process = self.cell_of.get(wire), self.process_of.get(wire)
            free = wire.startswith("$") or (wire.startswith("\\$") and not self.module.wires[wire].port)
            if not self.uses[wire] or wire in self.registers or free:
                continue
            if wire in self.connect_of:
                self.drive(wire, self.value(self.connect_of[wire]))
            elif cell is not None and not cell.type.startswith("\\"):
                self.drive(wire, self.operator(cell))
            elif process is not None:
                self.drive(wire, self.as_expression(process))
        self._write_registers()
        instances = [self._write_instance(cell) for cell in self.instances]
        return self._assemble(name, comment, instances)

    def _assemble(self, name: str, comment: str, instances: list[str]) -> str:
        listed = []
        for port, text in self.ports.items():
            wire = self.module.wires[port]
            kind = "reg " if port in self.variables else "wire"
            listed.append(f"  {wire.port:<6} {kind} {range_text(wire.width)}{text}")
        constants = [
            f"localparam {range_text(size)}{self.state(wire, value)} = {constant(f'{value:0{size}b}')};"
            for wire, states in self.states.items()
            for size in [self.module.wires[wire].width]
            if self.uses[wire]
            for value in states
        ]
        parts = ["\n".join(constants), "\n".join(self.declarations), *paragraphs(self.logic), *instances]
        body = "\n\n".join("\n".join("  " + line for line in part.splitlines()) for part in parts if part)
        head = f"// {comment}\n" if comment else ""
        ports = ",\n".join(listed)
        return f"{head}module {name} (\n{ports}\n);\n\n{body}\n\nendmodule\n"


def _parameter(value: str) -> str:
    if value.startswith('"') or value.lstrip("-").isdigit():
        return value
    return constant(value.partition("'")[2])
