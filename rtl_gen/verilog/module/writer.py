"""Verilog-2005 of one module of the netlist, as a person would write it.

Registers of one clock and reset share an ``always`` block, expressions stand where they are used, states of a machine
have names. Nothing depends on a value at time 0: there is no ``initial``, and combinational logic is an ``assign``
unless it reads a register that reset changes (``always @*`` starts at a change of what it reads, so it would stay
unknown where nothing ever changes).
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mho.rtl_gen.verilog.module.analysis import RESET, RegisterGroup
from mho.rtl_gen.verilog.module.expressions import Expression, constant, infix
from mho.rtl_gen.verilog.module.namer import States
from mho.rtl_gen.verilog.module.statements import Statements
from mho.rtl_gen.verilog.names import LINE, paragraphs, range_text, wrap
from mho.rtl_gen.verilog.rtlil import Cell, Const, Module, Slice


@dataclass(frozen=True)
class Written:
    """A module as Verilog, and by which identifiers the nets, the instances and the registers of its netlist are."""

    text: str
    nets: Mapping[str, str]
    instances: Mapping[str, str]
    registers: tuple[str, ...]


_ORIGINS = {"register": "flip-flops", "logic": "logic in the same cycle", "block": "the blocks in it"}


_NAMED = 8
"""Outputs of one origin that are named."""


def write_module(
    module: Module,
    name: str,
    *,
    ports: Mapping[str, str],
    states: States,
    resets: Mapping[str, str] | None = None,
    layouts: Mapping[str, str] | None = None,
    reset_low: bool = False,
    clock_gate: str = "",
    remarks: Sequence[str] = (),
    port_remarks: Mapping[str, str] | None = None,
) -> Written:
    """``module``, which it uses up, as Verilog.

    Parameters
    ----------
    name
        Name of the module.
    ports
        Identifiers of its ports by the wires' names, in the order in which they are declared.
    states
        Names of states, for wires of this module.
    resets
        Names of the values of registers after reset, by wires.
    layouts
        Fields of structures, by wires, which stand beside their declarations.
    reset_low
        The reset is active low.
    clock_gate
        Name of the module of clock gates; empty: registers have enables.
    remarks, port_remarks
        Lines on the module, which stand before it; what ports carry, by identifier, which stands before these.
    """
    writer = _Writer(module, ports, states, reset_low=reset_low, gated=bool(clock_gate))
    writer.clock_gate, writer.resets, writer.layouts = clock_gate, resets or {}, layouts or {}
    text = writer.write(name, remarks, port_remarks or {})
    registers = tuple(writer.name(wire) for wire in writer.registers if writer.uses[wire])
    return Written(text, writer.identifiers, writer.instance_names, registers)


class _Writer(Statements):
    clock_gate = ""
    resets: Mapping[str, str]


    def _write_registers(self) -> None:
        declared = set[str]()
        for group in self.groups:
            for register in group.registers:
                if register.wire not in declared:
                    self.declare(register.wire, "reg")
                    declared.add(register.wire)
            self.logic.append(self._write_group(group))

    def _write_gate(self, group: RegisterGroup) -> str:
        """The gate of a group's clock, which resets open too; the name of the gated clock."""
        number = sum(text.startswith(f"{self.clock_gate} ") for text in self.gates)
        clock, instance = self.names.add(f"gated_clk_{number}"), self.names.add(f"clock_gate_{number}")
        enable = Expression("1'b1")
        for condition in group.enable:
            enable = infix(enable, "&", self.matches(condition.test, condition.patterns))
        for condition in group.conditions[1:] if group.asynchronous else group.conditions:
            enable = infix(enable, "|", self.read(condition))
        self.declarations.append(f"wire {clock};")
        listed = [f".clk({self.read(group.clock).text})", f".enable({enable.text})", f".gated({clock})"]
        ports = ",\n".join(wrap(text, 1) for text in listed)
        self.gates.append(f"{self.clock_gate} {instance} (\n{ports}\n);")
        return clock

    def _write_group(self, group: RegisterGroup) -> str:
        conditions, asynchronous, registers, body = group.conditions, group.asynchronous, group.registers, group.body
        edge = f"posedge {self._write_gate(group) if group.enable else self.read(group.clock).text}"
        if asynchronous:
            edge += f" or {'negedge' if self.reset_low else 'posedge'} {self.name(RESET)}"
        if not conditions:
            return "\n".join([f"always @({edge}) begin", *self.block(body, "<="), "end"])
        loads = []
        for register in registers:
            value, machine = register.resets[0].value, register.wire in self.states
            text = self.state(register.wire, int(value, 2)) if machine else self._after_reset(register.wire, value)
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

    def _after_reset(self, wire: str, value: str) -> str:
        """The value of a register after reset, by its name if it has one."""
        if wire not in self.resets:
            return constant(value)
        if wire not in self._reset_names:
            self._reset_names[wire] = self.names.add(self.resets[wire])
            self.named.append(_local(len(value), self._reset_names[wire], value))
        return self._reset_names[wire]

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
        values = {name: constant(value.bits) if isinstance(value, Const) else json.dumps(value)
                  for name, value in cell.parameters.items()}
        parameters = ", ".join(f".{name}({value})" for name, value in values.items())
        kind = cell.type.removeprefix("\\")
        head = f"{kind} {f'#({parameters}) ' if parameters else ''}{self.instance_names[cell.name]} ("
        listed = ",\n".join(wrap(f".{name}({text})", 1) for name, text in connections.items())
        return f"{head}\n{listed}\n);"

    def write(self, name: str, remarks: Sequence[str], port_remarks: Mapping[str, str]) -> str:
        """The text of the module."""
        self.gates: list[str] = []
        self._reset_names: dict[str, str] = {}
        self.named = [_local(len(bits), self.name(wire), bits) for wire, bits in self.constants.items()
                      if self.uses[wire]]
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
        instances = [*self.gates, *(self._write_instance(cell) for cell in self.instances)]
        head = [f"//{' ' * bool(line)}{line}\n" for line in (*remarks, *self._timing_remarks())]
        return "".join(head) + self._assemble(name, port_remarks, instances)

    def _state_names(self, wire: str) -> str:
        """The state as text, for waves."""
        name, states = self.name(wire), self.states[wire]
        size = 8 * max(map(len, states.values()))
        width = self.module.wires[wire].width
        lines = []
        for value, text in states.items():
            state = self.state(wire, value) if (wire, value) in self.states_read else constant(f"{value:0{width}b}")
            lines.append(f"    {state}: {name}_name = \"{text.upper()}\";")
        return "\n".join([
            "`ifdef STATE_NAMES", f"reg [{size - 1}:0] {name}_name;", "always @* begin", f"  case ({name})", *lines,
            f'    default: {name}_name = "?";', "  endcase", "end", "`endif",
        ])

    def _timing_remarks(self) -> list[str]:
        """Where outputs come from: flip-flops, logic (in the same cycle), or blocks within."""
        groups: dict[str, list[str]] = {}
        for wire, text in self.ports.items():
            if self.module.wires[wire].port == "output":
                groups.setdefault(_ORIGINS[self._origin(wire)], []).append(text)
        if len(groups) == 1:
            return [f"Outputs come from {origin}." for origin in groups]
        ordered = sorted(groups.items(), key=lambda group: len(group[1]))
        texts = [
            f"{', '.join([*names[:_NAMED], *['...'] * (len(names) > _NAMED)])} from {origin}"
            for origin, names in ordered[:-1]
        ]
        texts += [f"the others from {origin}" for origin, _ in ordered[-1:]]
        return textwrap.wrap(f"Outputs: {'; '.join(texts)}.", 100) if groups else []

    def _origin(self, wire: str) -> str:
        """What an output comes from: a register, a block within, or logic."""
        if wire in self.registers:
            return "register"
        if wire in self.cell_of:
            return "block" if self.cell_of[wire].type.startswith("\\") else "logic"
        if wire in self.process_of or wire not in self.connect_of:
            return "logic"
        kinds = {self._origin(chunk.wire) for chunk in self.connect_of[wire] if isinstance(chunk, Slice)}
        return kinds.pop() if len(kinds) == 1 else "logic" if kinds else "register"

    def _assemble(self, name: str, remarks: Mapping[str, str], instances: list[str]) -> str:
        ports: list[str] = []
        for port, text in self.ports.items():
            wire = self.module.wires[port]
            kind = "reg " if port in self.variables else "wire"
            for remark in filter(None, (remarks.get(text), self.layouts.get(port))):
                ports += [f"  // {line}" for line in textwrap.wrap(remark, LINE - 6)]
            ports.append(f"  {wire.port:<6} {kind} {range_text(wire.width)}{text}{',' * (port != [*self.ports][-1])}")
        constants = [
            _local(size, self.state(wire, value), f"{value:0{size}b}")
            for wire, states in self.states.items()
            for size in [self.module.wires[wire].width]
            for value in states
            if (wire, value) in self.states_read
        ]
        names = [self._state_names(wire) for wire in self.states if wire in self.registers and self.uses[wire]]
        declared = ("\n".join(lines) for lines in (self.named, constants, self.declarations))
        parts = [*declared, *paragraphs(self.logic), *instances, *names]
        body = "\n\n".join("\n".join("  " + line for line in part.splitlines()) for part in parts if part)
        listed = "\n".join(ports)
        return f"module {name} (\n{listed}\n);\n\n{body}\n\nendmodule\n"


def _local(size: int, name: str, bits: str) -> str:
    return f"localparam {range_text(size)}{name} = {constant(bits)};"
