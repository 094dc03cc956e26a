"""Names of the nets of a module: those of their authors, of fields of structures, of states, or what they compute."""

import textwrap
from collections.abc import Mapping

from mho.rtl_gen.verilog.module.analysis import Analysis
from mho.rtl_gen.verilog.module.expressions import ROLES, constant, describe
from mho.rtl_gen.verilog.names import LINE, Names, identifier, range_text
from mho.rtl_gen.verilog.rtlil import Const, Module, Sig, Slice, slices, whole
from mho.rtl_gen.verilog.source import name_at

States = Mapping[str, Mapping[int, str]]
"""Names of the states of a machine, by the wire that holds the state."""
_LONGEST_NAME = 40
"""Characters of a name that says what is computed."""


def anonymous(wire: str) -> bool:
    """Whether a wire has no name that its author gave."""
    return wire.startswith(("$", "\\$"))


class Namer(Analysis):
    """Gives nets their identifiers, states their names, and collects the declarations.

    Parameters
    ----------
    ports
        Identifiers of the module's ports, by the wire.
    states
        Names of states.
    reset_low
        The reset is active low.
    """

    def __init__(
        self, module: Module, ports: Mapping[str, str], states: States, *, reset_low: bool, gated: bool = False
    ) -> None:
        super().__init__(module, gated=gated)
        self.ports, self.states, self.reset_low = ports, states, reset_low
        self.states_read: set[tuple[str, int]] = set()
        self.declarations: list[str] = []
        self.layouts: Mapping[str, str] = {}
        self.variables: set[str] = set()
        self._readers: dict[str, str] | None = None
        self._inner: set[str] | None = None
        self._descriptions: dict[str, str] = {}
        self.identifiers = dict(ports)
        self.names = Names({name.lower() for name in self.identifiers.values()})
        self._aliases: dict[str, str] = {}
        self._name_wires()
        self.fields = self._find_fields()

    def _find_fields(self) -> dict[str, list[tuple[int, int, str]]]:
        """Named fields of each net: highest and lowest bit, wire; small ones first."""
        fields: dict[str, list[tuple[int, int, str]]] = {}
        for target, value in self.module.connects:
            named = not anonymous(target.wire) and not self.module.wires[target.wire].port
            if named and len(value) == 1 and isinstance(net := value[0], Slice):
                if net != whole(self.module.wires[net.wire]) and not anonymous(net.wire):
                    fields.setdefault(net.wire, []).append((net.high, net.low, target.wire))
        for places in fields.values():
            places.sort(key=lambda place: (place[0] - place[1], place))
        return fields

    # ---- Names

    def _name_wires(self) -> None:
        for wire in self.constants:
            self.identifiers[wire] = self.names.add(identifier(wire).upper())
        self.instance_names = {cell.name: self.names.add(cell.name) for cell in self.instances}
        for cell in self.instances:
            for port, sig in cell.ports.items():
                for chunk in sig if port in cell.outputs else ():
                    if isinstance(chunk, Slice) and self.uses[chunk.wire] and chunk.wire not in self.identifiers:
                        name = f"{self.instance_names[cell.name]}_{port}"
                        self.identifiers[chunk.wire] = self.names.add(name)
        for target, value in self.module.connects:
            # The netlist named the net after an unnamed signal that shares it.
            if len(value) == 1 and isinstance(net := value[0], Slice) and net == whole(self.module.wires[net.wire]):
                if anonymous(net.wire) and not anonymous(target.wire) and not self.uses[target.wire]:
                    self._aliases.setdefault(net.wire, target.wire)
        for wire in self.module.wires:
            if not anonymous(wire) and self.uses[wire] and wire not in self.identifiers:
                self.identifiers[wire] = self.own_name(wire)

    def own_name(self, wire: str) -> str:
        """The name that a net's author gave; beside a port of that name it says what the net is."""
        return self.names.add(wire, f"{identifier(wire)}_{'held' if wire in self.registers else 'inner'}")

    def name(self, wire: str) -> str:
        """Identifier of a net."""
        if wire not in self.identifiers:
            alias = self._aliases.get(wire, wire)
            self.identifiers[wire] = self.names.add(self._describe(wire) if alias == wire else alias)
        return self.identifiers[wire]

    def _describe(self, wire: str) -> str:
        """A name for what has none: that in the source, what it computes where that is short, else what it is for."""
        if name := self._name_in_source(wire):
            return name
        cell = self.cell_of.get(wire)
        if cell is not None and (name := describe(cell, self._operand)) and len(name) <= _LONGEST_NAME:
            return name
        if self._readers is None:
            self._readers = self.first_readers()
        visited, reader = {wire}, self._readers.get(wire, "")
        while anonymous(reader) and not self._name_in_source(reader):
            if reader in visited or reader not in self._readers:
                break
            visited.add(reader)
            reader = self._readers[reader]
        read_by = self.identifiers.get(reader) or self._name_in_source(reader) or identifier(reader or "net")
        if wire in self.process_of:
            return f"next_{read_by}" if reader in self.registers else f"{read_by}_choice"
        return f"{read_by}_{ROLES.get(cell.type, 'part') if cell is not None else 'part'}"

    def _name_in_source(self, wire: str) -> str:
        """What an unnamed net is called where it is computed; empty for what is only a part of that."""
        driver = self.cell_of.get(wire) or (self.process_of.get(wire) if wire.startswith("\\$") else None)
        if driver is None or driver.source is None or not anonymous(wire):
            return ""
        if self._inner is None:
            self._inner = self._read_within_their_line()
        return "" if wire in self._inner else name_at(*driver.source, getattr(driver, "type", ""))

    def _read_within_their_line(self) -> set[str]:
        """Nets that an operator of the same line reads: parts of what has the name that is there."""
        inner: set[str] = set()
        for cell in self.module.cells:
            for chunk in slices(sig for port, sig in cell.ports.items() if port not in cell.outputs):
                driver = self.cell_of.get(chunk.wire)
                if driver is not None and driver.source is not None and driver.source == cell.source:
                    inner.add(chunk.wire)
        return inner

    def _operand(self, sig: Sig) -> str:
        """A named net, or a part of one with its place; empty for anything else."""
        chunk = sig[0]
        if len(sig) > 1 or not isinstance(chunk, Slice):
            return ""
        if chunk != whole(self.module.wires[chunk.wire]):
            chunk = next((Slice(wire, chunk.high - low, chunk.low - low)
                          for high, low, wire in self.fields.get(chunk.wire, ())
                          if chunk.high <= high and low <= chunk.low), chunk)
        name = self.identifiers.get(chunk.wire) or (
            identifier(chunk.wire) if not anonymous(chunk.wire) else self._description(chunk)
        )
        if not name or chunk == whole(self.module.wires[chunk.wire]):
            return name
        return f"{name}_{chunk.high}" if chunk.high == chunk.low else f"{name}_{chunk.high}_{chunk.low}"

    def _description(self, chunk: Slice) -> str:
        """What an unnamed net computes, where that is short; empty for a part of one."""
        cell = self.cell_of.get(chunk.wire)
        if cell is None or chunk != whole(self.module.wires[chunk.wire]):
            return ""
        if chunk.wire not in self._descriptions:
            name = self._name_in_source(chunk.wire) or describe(cell, self._operand)
            self._descriptions[chunk.wire] = name if len(name) <= _LONGEST_NAME else ""
        return self._descriptions[chunk.wire]

    def state(self, wire: str, value: int) -> str:
        """A state's name, or its number where it has none."""
        name = self.states[wire].get(value)
        if name:
            self.states_read.add((wire, value))
            return identifier(f"{self.name(wire)}_{name}").upper()
        return constant(f"{value:0{self.module.wires[wire].width}b}")

    def machine(self, sig: Sig) -> str:
        """The wire with named states that a signal is, or an empty string."""
        if len(sig) == 1 and isinstance(chunk := sig[0], Slice) and chunk.wire in self.states:
            return chunk.wire if chunk == whole(self.module.wires[chunk.wire]) else ""
        return ""

    def declare(self, wire: str, kind: str) -> None:
        """Declare a net, or note that a port is a variable."""
        if not self.module.wires[wire].port:
            if layout := self.layouts.get(wire):
                self.declarations += [f"// {line}" for line in textwrap.wrap(layout, LINE - 6)]
            self.declarations.append(f"{kind} {range_text(self.module.wires[wire].width)}{self.name(wire)};")
        elif kind == "reg":
            self.variables.add(wire)


def bits_of(sig: Sig) -> list[tuple[str, int]]:
    """Bits of a signal as (wire, place) or (digit, 0), the least significant first."""
    bits: list[tuple[str, int]] = []
    for chunk in reversed(sig):
        if isinstance(chunk, Const):
            bits += [(digit, 0) for digit in reversed(chunk.bits)]
        else:
            bits += [(chunk.wire, k) for k in range(chunk.low, chunk.high + 1)]
    return bits
