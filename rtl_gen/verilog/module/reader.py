"""Values of the nets of a module: an expression where it is short, a net of its own where it is not."""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

from mho.macro_models.errors import ToolError
from mho.rtl_gen.verilog import rtlil
from mho.rtl_gen.verilog.module.analysis import RESET
from mho.rtl_gen.verilog.module.expressions import (
    Expression,
    concatenation,
    conditional,
    constant,
    extend,
    infix,
    invert,
    operator,
    select,
)
from mho.rtl_gen.verilog.module.namer import Namer, States, anonymous, bits_of
from mho.rtl_gen.verilog.module.processes import boundaries, exclusive, prune, read_wires, restrict
from mho.rtl_gen.verilog.names import LINE, wrap

_INLINE_ONCE, _INLINE_ALWAYS, _ALONE = 90, 28, 400
"""Longest expression that moves to its only reader, that is repeated at each reader, and that is all that is read."""

_CHOICE = re.compile(r"(\w+|\([^()?]*\)) \? \d+'d(\d+) : \d+'d(\d+)")
"""A choice between two constants."""


def _number(sig: rtlil.Sig) -> int | None:
    """Value of a constant."""
    bits = "".join(chunk.bits if isinstance(chunk, rtlil.Const) else "-" for chunk in sig)
    return None if not bits or set(bits) - {"0", "1"} else int(bits, 2)


class Reader(Namer):
    """Gives expressions of signals and collects the logic that they need; parameters as of :class:`.namer.Namer`."""

    def __init__(
        self, module: rtlil.Module, ports: Mapping[str, str], states: States, *, reset_low: bool, gated: bool = False
    ) -> None:
        super().__init__(module, ports, states, reset_low=reset_low, gated=gated)
        self.logic: list[str] = []
        self.inline: dict[str, Expression | None] = {}
        self._concatenations = {
            wire: bits_of(value) for wire, value in self.connect_of.items()
            # One that is read by its name has a net anyway.
            if len(value) > 3 and not anonymous(wire) and not self.uses[wire]
        }

    def read(self, sig: rtlil.Sig) -> Expression:
        """Expression of a signal; what it needs is written before it."""
        if len(sig) > 3:
            sig = self._named_part(sig)
        if len(sig) == 1:
            return self._read_chunk(sig[0])
        parts: list[Expression] = []
        for text, run in groupby(self._read_chunk(chunk).text for chunk in sig):
            count = len(list(run))
            parts.append(Expression(text if count == 1 else f"{{{count}{{{text}}}}}"))
        return concatenation(parts)

    def _named_part(self, sig: rtlil.Sig) -> rtlil.Sig:
        """The same bits as part of a named concatenation, if they lie in one."""
        bits = bits_of(sig)
        for wire, inside in self._concatenations.items():
            for low in (k for k, bit in enumerate(inside) if bit == bits[0]):
                if inside[low : low + len(bits)] == bits and not self.module.wires[wire].port:
                    if wire not in self.identifiers:
                        self.identifiers[wire] = self.own_name(wire)
                        value = self._concatenations.pop(wire)
                        self.drive(wire, self.read(self.connect_of[wire]))
                        self._concatenations[wire] = value
                    return (rtlil.Slice(wire, low + len(bits) - 1, low),)
        return sig

    def _read_chunk(self, chunk: rtlil.Const | rtlil.Slice) -> Expression:
        if isinstance(chunk, rtlil.Const):
            return Expression(constant(chunk.bits))
        if chunk.wire == RESET and self.reset_low:
            return Expression(f"~{self.name(RESET)}")
        if chunk == rtlil.whole(self.module.wires[chunk.wire]):
            short = self._inlined(chunk.wire)
            if short is not None:
                return short
        else:
            self._make_net(chunk.wire)
            chunk = self._field(chunk)
        name = self.name(chunk.wire)
        if chunk == rtlil.whole(self.module.wires[chunk.wire]):
            return Expression(name)
        return Expression(f"{name}[{chunk.high}]" if chunk.high == chunk.low else f"{name}[{chunk.high}:{chunk.low}]")

    def _field(self, chunk: rtlil.Slice) -> rtlil.Slice:
        """The same bits as part of a named field, if they lie in one: structures have no other trace in Verilog."""
        for high, low, wire in self.fields.get(chunk.wire, ()):
            if chunk.high <= high and low <= chunk.low:
                if wire not in self.identifiers:
                    self.identifiers[wire] = self.own_name(wire)
                    self.declare(wire, "wire")
                    part = f"[{high}]" if high == low else f"[{high}:{low}]"
                    self.logic.append(f"assign {self.name(wire)} = {self.name(chunk.wire)}{part};")
                return rtlil.Slice(wire, chunk.high - low, chunk.low - low)
        return chunk

    def value(self, sig: rtlil.Sig) -> Expression:
        """Expression of a signal that is not part of another one, so that it may be long."""
        if len(sig) == 1 and isinstance(chunk := sig[0], rtlil.Slice):
            if chunk == rtlil.whole(self.module.wires[chunk.wire]):
                return self._inlined(chunk.wire, _ALONE) or self.read(sig)
        return self.read(sig)

    def _inlined(self, wire: str, once: int = _INLINE_ONCE) -> Expression | None:
        """Expression that stands for an unnamed wire wherever it is read, or None if it has to be a net."""
        if wire in self.inline:
            return self.inline[wire]
        cell, process = self.cell_of.get(wire), self.process_of.get(wire)
        instance = cell is not None and cell.type.startswith("\\")
        if not anonymous(wire) or wire in self.registers or instance or self.module.wires[wire].port:
            return None
        expression: Expression | None = None
        if cell is not None:
            expression = self.operator(cell)
        elif process is not None:
            expression = self.as_expression(process)
        elif wire in self.connect_of:
            expression = self.read(self.connect_of[wire])
        limit = once if self.uses[wire] == 1 else _INLINE_ALWAYS
        if expression is not None and expression.chain and self.uses[wire] == 1:
            # More links of a chain are as easy to read.
            limit = _ALONE
        if expression is None or wire in self.partly or len(expression.text) > limit:
            self.inline[wire] = None
            self.drive(wire, expression)
            return None
        self.inline[wire] = expression
        return expression

    def operator(self, cell: rtlil.Cell) -> Expression:
        """Expression of an operator."""
        if cell.type in ("$eq", "$ne"):
            relation = "==" if cell.type == "$eq" else "!="
            if self.machine(cell.ports["A"]):
                test = self._state_test(cell.ports["A"], cell.ports["B"], relation)
                if test is not None:
                    return test
            number = _number(cell.ports["B"])
            if number is not None and not cell.number("A_SIGNED"):
                chosen = _chosen(self.read(cell.ports["A"]), number, same=cell.type == "$eq")
                if chosen is not None:
                    return chosen
        if cell.type == "$shift":
            return self._part(cell)
        return operator(cell, self.read)

    def _state_test(self, a: rtlil.Sig, b: rtlil.Sig, relation: str) -> Expression | None:
        if any(isinstance(chunk, rtlil.Slice) for chunk in b):
            return None
        value = int("".join(c.bits for c in b if isinstance(c, rtlil.Const)) or "0", 2)
        return Expression(f"{self.read(a).text} {relation} {self.state(self.machine(a), value)}", atom=False)

    def _part(self, cell: rtlil.Cell) -> Expression:
        """A part of a vector at a variable place: an indexed select where it cannot lie outside."""
        vector, size = cell.ports["A"], cell.number("Y_WIDTH")
        place, highest = self._place(cell.ports["B"])
        if highest + size <= rtlil.width(vector):
            chunk = vector[0]
            if not (len(vector) == 1 and isinstance(chunk, rtlil.Slice) and chunk.low == 0):
                chunk = self._net(self.read(vector), rtlil.width(vector))
            self._make_net(chunk.wire)
            base = self.name(chunk.wire)
            index = self.read(extend(place, max((rtlil.width(vector) - 1).bit_length(), 1))).text
            return Expression(f"{base}[{index}]" if size == 1 else f"{base}[{index} +: {size}]")
        longer = max(rtlil.width(vector), size)
        if cell.number("A_SIGNED"):
            raise ToolError(
                "A part of a signed vector must lie within it: beyond its end Amaranth has the sign, and Yosys zeros"
            )
        shift = rtlil.Cell("$shr", cell.name, cell.parameters | {"Y_WIDTH": longer}, cell.ports)
        net = self._net(operator(shift, self.read), longer)
        return self.read((rtlil.Slice(net.wire, size - 1, 0),))

    def _make_net(self, wire: str) -> None:
        """Have a net for a wire of which a part is read; where it was read as a whole, its expression may stand."""
        self.partly.add(wire)
        expression = self._inlined(wire)
        if expression is not None:
            self.inline[wire] = None
            self.drive(wire, expression)

    def _place(self, sig: rtlil.Sig) -> tuple[rtlil.Sig, int]:
        """A place without the multiplication by a power of two that makes it, and its largest value."""
        chunk = sig[0]
        cell = self.cell_of.get(chunk.wire) if isinstance(chunk, rtlil.Slice) and len(sig) == 1 else None
        if cell is not None and cell.type == "$mul" and isinstance(stride := cell.ports["B"][0], rtlil.Const):
            step = int(stride.bits, 2)
            if step & (step - 1) == 0:
                sig = (*cell.ports["A"], rtlil.Const("0" * (step.bit_length() - 1)))
            return sig, (2 ** rtlil.width(cell.ports["A"]) - 1) * step
        return sig, 2 ** rtlil.width(sig) - 1

    def _net(self, value: Expression, size: int) -> rtlil.Slice:
        """A new net with this value."""
        wire = rtlil.Wire(f"$net{len(self.module.wires)}", size)
        self.module.wires[wire.name] = wire
        self.inline[wire.name] = None
        self.drive(wire.name, value)
        return rtlil.whole(wire)

    # ---- Combinational logic

    def block(self, body: Iterable[rtlil.Statement], relation: str, depth: int = 1) -> list[str]:
        """Lines of statements."""
        raise NotImplementedError

    def drive(self, wire: str, value: Expression | None) -> None:
        """Write the net of a wire: an assign of ``value``, or the wire's process."""
        if value is not None:
            name = self.name(wire)
            self.declare(wire, "wire")
            self.logic.append(wrap(f"assign {name} = {value.text};"))
            return
        process = self.process_of[wire]
        if self._wakes(process):
            lines = self.block(prune(process.body), "=")
            self.declare(wire, "reg")
            self.logic.append("\n".join(["always @* begin", *lines, "end"]))
            return
        self.drive(wire, self._by_parts(process))

    def _by_parts(self, process: rtlil.Process) -> Expression:
        """The value of a process as conditionals, part by part."""
        ends = sorted(boundaries(process.body))
        parts = [self._conditional(prune(restrict(process.body, high - 1, low)), None)
                 for low, high in zip(ends[-2::-1], ends[:0:-1], strict=True)]
        return concatenation([part for part in parts if part is not None])

    def _wakes(self, process: rtlil.Process) -> bool:
        """Whether the process reads a register that reset changes, so that ``always @*`` runs."""
        return any(self.registers[c.wire].resets for c in read_wires(process.body) if c.wire in self.registers)

    def as_expression(self, process: rtlil.Process) -> Expression | None:
        """A conditional with at most two tests, or None if the process is more than that."""
        if all(isinstance(statement, rtlil.Assign) for statement in process.body):
            return self._by_parts(process)
        if len(boundaries(process.body)) > 2:
            return None
        expression = self._conditional(prune(process.body), None)
        short = expression is not None and expression.text.count(" ? ") <= 2 and len(expression.text) <= LINE
        return expression if short else None

    def _conditional(self, body: Iterable[rtlil.Statement], value: Expression | None) -> Expression | None:
        for statement in body:
            if isinstance(statement, rtlil.Assign):
                value = self.read(statement.value)
                continue
            before = value
            arms = [(case, self._conditional(case.body, value)) for case in statement.cases]
            if exclusive(statement):
                arms = _gather(arms, before)
            for case, arm in reversed(arms):
                if not case.patterns:
                    value = arm
                elif arm is not None and value is not None and arm != value:
                    value = conditional(self.matches(statement.test, case.patterns), arm, value)
        return value

    def matches(self, test: rtlil.Sig, patterns: tuple[str, ...]) -> Expression:
        """Whether ``test`` has one of the patterns."""
        terms = [self._match(test, pattern) for pattern in patterns]
        any_match = terms[0]
        for term in terms[1:]:
            any_match = infix(any_match, "|", term)
        return any_match

    def _match(self, test: rtlil.Sig, pattern: str) -> Expression:
        if "-" not in pattern and self.machine(test):
            state = self.state(self.machine(test), int(pattern, 2))
            return Expression(f"{self.read(test).text} == {state}", atom=False)
        bits = [k for k in range(len(pattern) - 1, -1, -1) if pattern[len(pattern) - 1 - k] != "-"]
        digits = "".join(pattern[len(pattern) - 1 - k] for k in bits)
        tested = test if len(bits) == len(pattern) else tuple(c for k in bits for c in select(test, k, k))
        if len(bits) == 1:
            bit = self.read(tested)
            return bit if digits == "1" else invert(bit)
        value = self.read(tested)
        chosen = _chosen(value, int(digits, 2))
        return chosen or Expression(f"{value.operand} == {constant(digits)}", atom=False)


def _chosen(value: Expression, number: int, *, same: bool = True) -> Expression | None:
    """Whether a choice between two constants is ``wanted``: what chooses between them. None for anything else."""
    choice = _CHOICE.fullmatch(value.text)
    if choice is None:
        return None
    yes, no = (Expression(f"1'b{int((int(value) == number) == same)}") for value in (choice[2], choice[3]))
    return yes if yes == no else conditional(Expression(choice[1]), yes, no)


_Arms = list[tuple[rtlil.Case, Expression | None]]


def _gather(arms: _Arms, before: Expression | None) -> _Arms:
    """Cases of which at most one matches: those of one value together, those that change nothing left out."""
    otherwise = next((arm for case, arm in arms if not case.patterns), before)
    gathered: dict[Expression | None, tuple[str, ...]] = {}
    for case, arm in arms:
        if case.patterns and arm != otherwise:
            gathered[arm] = gathered.get(arm, ()) + case.patterns
    return [(rtlil.Case(patterns, []), arm) for arm, patterns in gathered.items()] + [(rtlil.Case((), []), otherwise)]
