# The stubs of Amaranth leave out what is in its inner modules.
# pyright: reportAttributeAccessIssue=false, reportIncompatibleMethodOverride=false
"""Amaranth's lowering of a design to nets and cells, without the work that it does again and again.

The cells are those of Amaranth, made by Amaranth. What is done here in its place makes one of few steps of many: nets
are resolved in one loop, fields of structures are cut from their signals, and cycles are looked for among cells before
they are among bits. It is two thirds of the calls of a generation.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.hdl import _ast, _ir, _nir

_Field = tuple[tuple[Any, ...], Any, int, int]
"""Path, format, lowest bit and width of a field."""


def lower(design: Any) -> _nir.Netlist:
    """The netlist of a design, as ``amaranth.hdl._ir.build_netlist`` gives it.

    Raises CombinationalCycle if a bit depends on itself.
    """
    netlist = _Netlist()
    with _unchecked_values():
        _Emitter(netlist, design).emit_fragment(design.fragment, None)
        if _may_have_cycles(netlist):
            netlist.check_comb_cycles()
        netlist.resolve_all_nets()
        for signal in netlist.signal_fields:
            netlist.signal_fields[signal] = _signal_fields(signal, netlist.signals[signal])
        if len(netlist.modules) > 1:
            _ir._compute_net_flows(netlist)
        _ir._compute_ports(netlist)
        _ir._compute_ionet_dirs(netlist)
        _ir._compute_io_ports(netlist, design.ports)
    return netlist


@contextmanager
def _unchecked_values() -> Iterator[None]:
    """Without the check that each net of each value is one, which is a quarter of all calls of a generation."""

    def unchecked(kind: Any, nets: Any = ()) -> Any:
        return tuple.__new__(kind, (nets,) if isinstance(nets, _nir.Net) else nets)

    checked, _nir.Value.__new__ = _nir.Value.__new__, unchecked
    try:
        yield
    finally:
        _nir.Value.__new__ = checked


class _Netlist(_nir.Netlist):
    """A netlist that makes and resolves the nets of a value in one loop."""

    def add_value_cell(self, width: int, cell: _nir.Cell) -> _nir.Value:
        first = self.add_cell(cell) << 16
        return _nir.Value(map(_nir.Net, range(first, first + width)))

    def alloc_late_value(self, signal: _ast.Signal) -> _nir.Value:
        self.last_late_net -= len(signal)
        value = _nir.Value(map(_nir.Net, range(self.last_late_net, self.last_late_net + len(signal))))
        self.late_to_signal |= {net: (signal, bit) for bit, net in enumerate(value)}
        return value

    def resolve_net(self, net: _nir.Net) -> _nir.Net:
        while net < 0:
            net = self.connections[net]
        return net

    def resolve_value(self, value: _nir.Value) -> _nir.Value:
        connections, nets, late = self.connections, [*value], False
        for k, net in enumerate(nets):
            while net < 0:
                net, late = connections[net], True
            nets[k] = net
        return _nir.Value(nets) if late else value


class _Emitter(_ir.NetlistEmitter):
    """Leaves the fields of signals for when these are resolved."""

    def emit_signal_fields(self) -> None:
        for signal in self.design.signal_lca:
            self.emit_signal(signal)
            self.netlist.signal_fields[signal] = {}


def _may_have_cycles(netlist: _nir.Netlist) -> bool:
    """Whether some cell depends on itself through cells whose outputs follow their inputs at once."""
    cells, connections = netlist.cells, netlist.connections
    sources: list[set[int]] = []
    for cell in cells:
        nets = () if isinstance(cell, (_nir.Top, _nir.FlipFlop, _nir.Instance)) else cell.input_nets()
        found = set()
        for net in nets:
            while net < 0:
                net = connections[net]
            found.add(net >> 16)
        sources.append(found - {0})
    # Cells that depend on nothing that is left go, until none is left or none can go.
    users: list[list[int]] = [[] for _ in cells]
    for number, before in enumerate(sources):
        for source in before:
            users[source].append(number)
    left = [len(before) for before in sources]
    ready = [number for number, count in enumerate(left) if not count]
    for number in ready:
        for user in users[number]:
            left[user] -= 1
            if not left[user]:
                ready.append(user)
    return len(ready) < len(cells)


def fields_of(signal: Any) -> Iterable[_Field]:
    """All fields of a signal, itself the first, which has no path."""
    return _within((), signal._format, 0, len(signal))


def _within(path: tuple[Any, ...], shown: Any, low: int, size: int) -> Iterator[_Field]:
    yield path, shown, low, size
    if isinstance(shown, _ast.Format.Struct):
        parts: Iterable[tuple[Any, Any]] = shown._fields.items()
    else:
        parts = enumerate(shown._fields) if isinstance(shown, _ast.Format.Array) else ()
    for name, part in parts:
        place = _place(part)
        if place is not None:
            yield from _within((*path, name), part, low + place[0], place[1])


def _place(shown: Any) -> tuple[int, int] | None:
    """Lowest bit and width of a field in the structure that holds it; None for what is shown otherwise."""
    if isinstance(shown, _ast.Format):
        values = [chunk[0] for chunk in shown._chunks if not isinstance(chunk, str)]
        value = values[0] if len(values) == 1 else None
    else:
        value = shown._value
    while isinstance(value, _ast.Operator) and value.operator in ("s", "u"):
        value = value.operands[0]
    return (value.start, len(value)) if isinstance(value, _ast.Slice) else None


def _signal_fields(signal: Any, nets: _nir.Value) -> dict[tuple[Any, ...], _nir.SignalField]:
    """What Amaranth's emitter knows of the fields of a signal, but for signs, which no Verilog here has."""
    return {
        path: _nir.SignalField(
            nets[low : low + size], signed=False, enum_name=getattr(shown, "_name", None),
            enum_variants=getattr(shown, "_variants", None),
        )
        for path, shown, low, size in fields_of(signal)
    }
