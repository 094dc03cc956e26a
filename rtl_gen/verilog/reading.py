# The stubs of Amaranth leave out what is in its inner modules.
# pyright: reportAttributeAccessIssue=false
"""The netlist of a block, taken from Amaranth's emitter of RTLIL without the text between them.

Only what Amaranth makes of a block is understood: operators, flip-flops, processes and instances. Anything else (a
memory that has not become a wrapper instance, a tristate buffer) is refused, because it would silently be missing from
the Verilog.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from amaranth.back.rtlil import ModuleEmitter  # pyright: ignore[reportMissingImports]
from amaranth.hdl._ast import Const as AmaranthConst
from amaranth.hdl._ast import SignalDict
from amaranth.hdl._nir import Net

from mho.macro_models.errors import ToolError
from mho.rtl_gen.verilog.lowering import lower
from mho.rtl_gen.verilog.rtlil import Assign, Case, Cell, Const, Module, Process, Sig, Slice, Statement, Switch, Wire


def read_netlist(design: Any, name: str) -> tuple[Module, dict[str, Any]]:
    """The one module of a design (an Amaranth ``Design``), and its signals by their wires.

    Raises ToolError if the design holds something that cannot be written as Verilog here, or nothing but wires.
    """
    netlist = lower(design)
    if len(netlist.modules) != 1:
        raise ToolError(f"{name} must hold more than wires")
    builder, names = _Builder(name), SignalDict()
    _Emitter(builder, netlist, netlist.modules[0], names, empty_checker=None).emit()
    return builder.module, {f"\\{path[-1]}": signal for signal, path in names.items()}


class _Emitter(ModuleEmitter):
    """Amaranth's emitter, with signals as :data:`Sig` in the place of their text."""

    nets: dict[Net, tuple[Wire, int]]

    def sigspec(self, *parts: "Net | Iterable[Net]") -> Sig:
        """Bits of nets, the least significant first in ``parts``."""
        chunks: list[Const | Slice] = []
        source, low, high, bits = None, 0, -1, ""
        for part in parts:
            for net in (part,) if isinstance(part, Net) else part:
                wire, bit = self.nets[net] if net > 1 else (None, 0)
                if wire is None:
                    if source is not None:
                        chunks.append(Slice(source.name, high, low))
                        source = None
                    bits = f"{net:d}{bits}"
                    continue
                if wire is source and bit == high + 1:
                    high = bit
                    continue
                if source is not None:
                    chunks.append(Slice(source.name, high, low))
                elif bits:
                    chunks.append(Const(bits))
                    bits = ""
                source, low, high = wire, bit, bit
        if source is not None:
            chunks.append(Slice(source.name, high, low))
        elif bits:
            chunks.append(Const(bits))
        return tuple(reversed(chunks))

    def collect_init_attrs(self) -> None:
        """Values at power-on are no business of Verilog without ``initial``."""


class _Builder:
    """What the emitter takes for a module of RTLIL; items are numbered as there."""

    def __init__(self, name: str) -> None:
        self.module = Module(name)
        self._numbers = count(1)

    def _name(self, name: str | None) -> str:
        return f"${next(self._numbers)}" if name is None else f"\\{name}"

    def wire(self, width: int, *, name: str | None = None, port_kind: str | None = None, **_: object) -> Wire:
        wire = Wire(self._name(name), width, port_kind or "")
        self.module.wires[wire.name] = wire
        return wire

    def cell(
        self, kind: str, name: str | None = None, *, ports: "Mapping[str, Sig | str]",
        parameters: "Mapping[str, Any] | None" = None, src_loc: "tuple[str, int] | None" = None, **_: object,
    ) -> None:
        # A net that is driven is named as a whole; nets that are read are signals.
        cell = Cell(
            kind, self._name(name), {key: _parameter(value) for key, value in (parameters or {}).items()},
            {port: self._signal(value) for port, value in ports.items()},
        )
        instance = kind.startswith("\\")
        named = {port for port, value in ports.items() if isinstance(value, str)}
        cell.outputs = named if instance else named & {"Y", "Q"}
        cell.source = src_loc
        self.module.cells.append(cell)

    def _signal(self, value: Sig | str) -> Sig:
        if not isinstance(value, str):
            return value
        if value[0].isdigit():
            return (Const(value.partition("'")[2]),)
        return (Slice(value, self.module.wires[value].width - 1, 0),)

    def process(self, src_loc: "tuple[str, int] | None" = None, **_: object) -> "_Body":
        self._name(None)
        process = Process([], src_loc)
        self.module.processes.append(process)
        return _Body(process.body)

    def connect(self, target: str, value: Sig) -> None:
        self.module.connects.append((Slice(target, self.module.wires[target].width - 1, 0), value))

    def memory(self, *_: object, name: str | None = None, **__: object) -> None:
        raise ToolError(f"The netlist has the memory {name}, which has no Verilog here")


class _Body:
    """Statements of a process or of a case."""

    def __init__(self, statements: list[Statement]) -> None:
        self._statements = statements

    def assign(self, target: Sig, value: Sig) -> None:
        """An assignment; behind a switch it is the one case of a switch on nothing, which keeps its place in RTLIL."""
        if not target:
            return
        (chunk,) = target
        assert isinstance(chunk, Slice)
        last = self._statements[-1] if self._statements else None
        if not isinstance(last, Switch):
            self._statements.append(Assign(chunk, value))
        elif last.test:
            self._statements.append(Switch((), [Case((), [Assign(chunk, value)])]))
        else:
            last.cases[0].body.append(Assign(chunk, value))

    def switch(self, test: Sig) -> "_Cases":
        switch = Switch(test, [])
        self._statements.append(switch)
        return _Cases(switch)


class _Cases:
    """Cases of a switch."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    def case(self, patterns: Iterable[str]) -> _Body:
        """A case; one without patterns never matches, and is left out."""
        case = Case(tuple(patterns), [])
        if case.patterns:
            self._switch.cases.append(case)
        return _Body(case.body)

    def default(self) -> _Body:
        """The case for what no other one matches."""
        case = Case((), [])
        self._switch.cases.append(case)
        return _Body(case.body)


def _parameter(value: object) -> int | str | Const:
    """A parameter of a cell: a number, a text, or bits."""
    if isinstance(value, AmaranthConst):
        return Const(f"{value.value & ((1 << len(value)) - 1):0{len(value)}b}")
    if isinstance(value, int):
        size = max(32, value.bit_length() + 1)
        # A number without a size has 32 bits in Verilog.
        return int(value) if 0 <= value < 2**31 else Const(f"{value & ((1 << size) - 1):0{size}b}")
    if not isinstance(value, str):
        raise ToolError(f"The netlist has the parameter {value!r} of a cell, which has no Verilog here")
    return value
