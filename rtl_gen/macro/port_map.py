"""A macro's ports and what they are connected to, bit by bit: what :mod:`.resolve` finds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mho.hw.config import Chip, MacroSection, PinPart
from mho.macro_models.errors import InputError, nearest
from mho.macro_models.files import FileKind, read_text
from mho.rtl_gen.verilog.ports import Port, has_body, module_ports


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


VERILOG = FileKind("Verilog file", 1 << 26)


def macro_files(chip: Chip) -> list[Path]:
    """Sources of the user's own macro for simulation."""
    return [] if chip.macro is None else [(chip.folder or Path()) / name for name in chip.macro.files]


def rtl_files(chip: Chip) -> list[Path]:
    """Sources of the user's own wrapper around the macro."""
    return [] if chip.macro is None else [(chip.folder or Path()) / name for name in chip.macro.rtl]


def read_module(paths: list[Path], module: str) -> tuple[str | None, list[str]]:
    """Text of the first file that holds a module, and what is wrong with files before it."""
    problems = []
    for path in paths:
        try:
            text = read_text(path, VERILOG)
        except InputError as error:
            problems.append(str(error))
            continue
        if module_ports(text, module) is not None:
            return text, problems
    return None, problems


def macro_ports(chip: Chip) -> tuple[dict[str, Port] | None, list[str]]:
    """Ports of the module that has the pins, None if no file tells them; and what is wrong with the files."""
    macro = chip.macro
    if macro is None:
        return None, []
    problems = _wrapper_problems(chip, macro)
    key, paths = ("rtl", rtl_files(chip)) if macro.wrapper else ("files", macro_files(chip))
    text, unread = read_module(paths, macro.outer)
    problems += [f"macro.{key}: {problem}" for problem in unread]
    if text is not None:
        return module_ports(text, macro.outer), problems
    if paths and not unread:
        name = "wrapper" if macro.wrapper else "module"
        problems.append(f"macro.{name}: no file in macro.{key} has a module {macro.outer}")
    return None, problems


def _wrapper_problems(chip: Chip, macro: MacroSection) -> list[str]:
    if not macro.wrapper:
        return ["macro.rtl needs macro.wrapper, the module in it that has the pins"] if macro.rtl else []
    if not macro.rtl:
        return [f"macro.wrapper needs macro.rtl, the files that hold {macro.wrapper} and what it uses"]
    if macro.wrapper == macro.module:
        return [f"macro.wrapper must be another module than macro.module, not {macro.wrapper}"]
    if read_module(rtl_files(chip), macro.module)[0] is not None:
        return [f"macro.rtl must not hold {macro.module}, which is hardened: name its file in macro.files"]
    text, problems = read_module(macro_files(chip), macro.module)
    sentences = [f"macro.files: {problem}" for problem in problems]
    if text is None and not sentences:
        sentences.append(
            f"macro.files must hold the module {macro.module} within the wrapper: a model, or its ports alone"
        )
    return sentences


def has_model(chip: Chip) -> bool:
    """Whether the files of the user's own macro hold more than its ports: a model of what it does."""
    if chip.macro is None:
        return False
    text, _ = read_module(macro_files(chip), chip.macro.module)
    return text is not None and has_body(text, chip.macro.module)
