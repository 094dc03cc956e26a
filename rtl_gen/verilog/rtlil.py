"""The netlist of a design, read from the RTLIL text that Amaranth writes.

Only what Amaranth emits is understood: operators, flip-flops, processes and instances. Anything else (a memory that
has not become a wrapper instance, a tristate buffer) is refused, because it would silently be missing from the
Verilog.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mho.macro_models.errors import ToolError

__all__ = [
    "NAMED_CONSTANT",
    "Assign",
    "Case",
    "Cell",
    "Const",
    "Module",
    "Process",
    "Sig",
    "Slice",
    "Statement",
    "Switch",
    "Wire",
    "parse",
    "slices",
    "whole",
    "width",
]

NAMED_CONSTANT = "named_constant"
"""Kind of the instance that is a constant with a name (see :class:`mho.hw.block.NamedConstant`)."""


@dataclass(frozen=True)
class Const:
    """Constant bits, most significant first."""

    bits: str


@dataclass(frozen=True)
class Slice:
    """Bits ``high`` down to ``low`` of a wire."""

    wire: str
    high: int
    low: int


Sig = tuple[Const | Slice, ...]
"""Bits in order, most significant part first."""


@dataclass(frozen=True)
class Wire:
    """A net. ``port`` is ``input``, ``output``, or empty."""

    name: str
    width: int
    port: str = ""


@dataclass
class Cell:
    """An operator, a flip-flop or an instance. ``outputs`` names the ports whose net this cell drives."""

    type: str
    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    ports: dict[str, Sig] = field(default_factory=dict)
    outputs: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Assign:
    """Bits of the process's target take a value."""

    target: Slice
    value: Sig


@dataclass
class Case:
    """One branch of a switch; no patterns: the default. A pattern has ``-`` where any bit matches."""

    patterns: tuple[str, ...]
    body: "list[Statement]"


@dataclass
class Switch:
    """The first case that matches ``test`` runs."""

    test: Sig
    cases: list[Case]


Statement = Assign | Switch


@dataclass
class Process:
    """Statements that give ``target`` its value; later assignments win."""

    body: list[Statement]

    @property
    def target(self) -> str:
        """Name of the one wire that the process drives (Amaranth writes one process a signal)."""
        first = self.body[0]
        assert isinstance(first, Assign)
        return first.target.wire


@dataclass
class Module:
    """One module of the netlist; wires in the order of their declaration."""

    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    connects: list[tuple[Slice, Sig]] = field(default_factory=list)


def width(sig: Sig) -> int:
    """Bits of a signal."""
    return sum(len(c.bits) if isinstance(c, Const) else c.high - c.low + 1 for c in sig)


_TOKEN = re.compile(r"\{|\}|\[[\d:]+\]|[^\s{}]+")


def _parse_sig(text: str, module: Module) -> Sig:
    chunks: list[Const | Slice] = []
    for token in _TOKEN.findall(text):
        if token in "{}":
            continue
        if token[0] == "[":
            high, _, low = token[1:-1].partition(":")
            last = chunks[-1]
            assert isinstance(last, Slice)
            chunks[-1] = Slice(last.wire, int(high), int(low or high))
        elif token[0] in "\\$":
            chunks.append(Slice(token, module.wires[token].width - 1, 0))
        else:
            size, _, bits = token.partition("'")
            if bits and int(size):
                chunks.append(Const(bits))
    return tuple(chunks)


def _parse_target(text: str, module: Module) -> Slice:
    """What is driven; a field of no bits, which is `{ }`, is left out before."""
    (target,) = _parse_sig(text, module)
    assert isinstance(target, Slice)
    return target


def _parse_wire(text: str) -> Wire:
    *options, name = text.split()
    port = next((option for option in options if option in ("input", "output", "inout")), "")
    return Wire(name, int(options[options.index("width") + 1]), port)


def _parse_cell(text: str, lines: Iterator[str], module: Module) -> Cell:
    kind, name = text.split()
    cell = Cell(kind, name)
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "end":
            return cell
        key, _, value = rest.partition(" ")
        if word == "parameter":
            cell.parameters[key.removeprefix("\\")] = value
        elif word == "connect":
            port = key.removeprefix("\\")
            cell.ports[port] = _parse_sig(value, module)
            # At an instance, Amaranth indexes every net that it reads and names the net that is driven as a whole.
            if port in ("Y", "Q") or (kind[0] == "\\" and value[0] in "\\$" and " " not in value):
                cell.outputs.add(port)
    raise ToolError(f"The netlist ends within cell {name}")


def _parse_body(lines: Iterator[str], module: Module) -> tuple[list[Statement], str]:
    """Statements up to the line that ends the branch (``case ...`` or ``end``), and that line."""
    body: list[Statement] = []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "assign":
            name, index, value = rest.split(" ", 2)
            if name != "{":
                body.append(Assign(_parse_target(f"{name} {index}", module), _parse_sig(value, module)))
        elif word == "switch":
            body.append(_parse_switch(rest, lines, module))
        elif word in ("case", "end"):
            return body, line
        elif word != "attribute":
            raise ToolError(f"The netlist has a statement that has no Verilog here: {line}")
    raise ToolError("The netlist ends within a process")


def _parse_switch(test: str, lines: Iterator[str], module: Module) -> Switch:
    switch = Switch(_parse_sig(test, module), [])
    _, line = _parse_body(lines, module)
    while line != "end":
        patterns = tuple(p.strip().partition("'")[2] for p in line.removeprefix("case").split(",") if p.strip())
        body, line = _parse_body(lines, module)
        switch.cases.append(Case(patterns, body))
    return switch


def parse(text: str) -> list[Module]:
    """Parse RTLIL as Amaranth writes it. The top module comes first.

    Raises
    ------
    ToolError
        If the design holds something that cannot be written as Verilog here.
    """
    modules: list[Module] = []
    lines = (line for raw in text.splitlines() if (line := raw.strip()))
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "module":
            modules.append(Module(rest))
        elif word == "wire":
            wire = _parse_wire(rest)
            modules[-1].wires[wire.name] = wire
        elif word == "cell":
            modules[-1].cells.append(_parse_cell(rest, lines, modules[-1]))
        elif word == "process":
            body, _ = _parse_body(lines, modules[-1])
            modules[-1].processes.append(Process(body))
        elif word == "connect":
            target, _, value = rest.partition(" ")
            if target != "{":
                modules[-1].connects.append((_parse_target(target, modules[-1]), _parse_sig(value, modules[-1])))
        elif word not in ("attribute", "end"):
            raise ToolError(f"The netlist has something that has no Verilog here: {line}")
    return modules


def whole(wire: Wire) -> Slice:
    """All bits of a wire."""
    return Slice(wire.name, wire.width - 1, 0)


def slices(sigs: Iterable[Sig]) -> Iterator[Slice]:
    """All chunks of signals that are of wires."""
    return (chunk for sig in sigs for chunk in sig if isinstance(chunk, Slice))
