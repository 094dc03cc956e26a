"""A macro's ports and what they are connected to, bit by bit: what :mod:`.resolve` finds."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mho.hw.config import MacroSection, PinPart
from mho.macro_models.errors import nearest
from mho.rtl_gen.verilog.ports import Port


@dataclass(frozen=True)
class Bit:
    """A bit of a signal or of a pin by its number; without a source, a constant."""

    source: str
    index: int
    inverted: bool = False


@dataclass(kw_only=True)
class PortMap:
    """A macro's ports and what they are connected to."""

    ports: dict[str, Port]
    """Its ports in their order, those of supplies left out."""
    read: bool
    """Whether they were read from its files; else they are what the map needs."""
    drivers: dict[str, dict[int, Bit]] = field(default_factory=dict)
    """Of each bit of an input: what drives it."""
    reads: dict[str, list[Bit]] = field(default_factory=dict)
    """Of each signal that the macro drives: its bits, the lowest first."""
    derived: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Signals of the adapter that stand for one of the contract: name to that signal, function and width."""
    lossy: dict[str, list[int]] = field(default_factory=dict)
    unconnected: list[str] = field(default_factory=list)
    """Bits of signals that reach no pin although others do; signals of which none does."""
    extra: dict[str, str] = field(default_factory=dict)
    """Pin to port of the top."""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What does not fit, and what may not be meant, one sentence each."""


class PinBits:
    """Reads parts of connections as bits of pins; what is wrong goes to the problems of a port map."""

    def __init__(self, macro: MacroSection, result: PortMap) -> None:
        self.macro, self.result = macro, result
        self.problems, self.ports = result.problems, result.ports
        self._owner: dict[tuple[str, int], str] = {}

    def of(self, where: str, parts: Iterable[PinPart], direction: str) -> list[Bit | None] | None:
        """Bits of a connection, the lowest first; None for one that is open. None if a part is wrong."""
        groups: list[list[Bit | None]] = []
        for part in parts:
            bits = self._part(where, part, direction)
            if bits is None:
                return None
            groups.append(bits)
        return [bit for bits in reversed(groups) for bit in bits]

    def _part(self, where: str, part: PinPart, direction: str) -> list[Bit | None] | None:
        if not part.name:
            if part.value is None:
                return [None for _ in range(part.size)]
            if direction == "input":
                self.problems.append(
                    f"{where}: a constant must not stand for a signal of the core; open({part.size}) leaves bits open"
                )
                return None
            value = part.value
            return [Bit("", value >> k & 1) for k in range(part.size)]
        port = self._port(where, part.name, direction)
        if port is None:
            return None
        numbers = self._numbers(where, port, part)
        if numbers is None:
            return None
        ordered = sorted(numbers, reverse=part.reversed)
        return [Bit(part.name, number, part.inverted) for number in ordered]

    def _port(self, where: str, name: str, direction: str) -> Port | None:
        module = self.macro.outer
        if name in self.macro.power or name in self.macro.ground:
            self.problems.append(f"{where}: pin {name} is a supply, in macro.power or macro.ground")
            return None
        port = self.ports.get(name)
        if port is None:
            near = nearest(name, self.ports)
            hint = f", did you mean {near}?" if near else ""
            self.problems.append(f"{where}: {module} has no pin {name}{hint}")
            return None
        if port.direction != direction:
            self.problems.append(f"{where}: pin {name} must be an {direction}, not an {port.direction}")
            return None
        if not port.known:
            self.problems.append(f"{where}: the range of pin {name} of {module} must be one of numbers, as [7:0]")
            return None
        return port

    def _numbers(self, where: str, port: Port, part: PinPart) -> list[int] | None:
        if part.left is None or part.right is None:
            return list(port.numbers)
        left, right = port.limits or (0, 0)
        for number in (part.left, part.right):
            if number not in port.numbers:
                self.problems.append(f"{where}: pin {port.name} has bits {left}:{right}, not {number}")
                return None
        if part.left != part.right and (part.left > part.right) != (left > right):
            self.problems.append(
                f"{where}: pin {port.name} is declared [{left}:{right}], so write "
                f"{port.name}[{part.right}:{part.left}] (reverse() turns it round)"
            )
            return None
        low, high = sorted((part.left, part.right))
        return list(range(low, high + 1))

    def claim(self, where: str, pin: str, number: int) -> bool:
        """Take a bit of an input; whether nothing else drives it."""
        owner = self._owner.setdefault((pin, number), where)
        if owner != where or self.result.drivers.get(pin, {}).get(number) is not None:
            who = "another signal" if where.startswith("macro.pins.") and owner.startswith("macro.pins.") else owner
            sentence = f"{where}: bits of pin {pin} have {who} already"
            if owner == where:
                sentence = f"{where}: a bit of pin {pin} stands in it twice"
            if sentence not in self.problems:
                self.problems.append(sentence)
            return False
        return True


def upwards(port: Port) -> bool:
    """Whether the bits of a port are numbered from left to right."""
    return port.limits is not None and port.limits[0] < port.limits[1]
