"""The pin map of a macro, bit by bit: what drives each bit of its inputs, and where each bit that the core reads is.

Bits of a pin have the numbers that its own range gives them: ``input [0:63] YP`` has YP[0] on the left. A pin or a
slice takes the bits of a signal by number, the lowest number the lowest bit, however the range runs.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from amaranth.lib import wiring

from hw.config import MacroSection, PinConnection, PinPart
from hw.config.pin_map import parse_slice
from hw.macro.command_port import CommandPortConfig, command_members
from hw.macro.contract import ContractPins
from hw.macro.pins import TnsaPins
from rtl_gen.verilog.ports import Port

__all__ = ["Bit", "PortMap", "command_port_config", "contract_signals", "map_ports", "pin_signals"]

_TIED = {"hold": 0, "verify_code": 0, "verify_valid": 1}
"""Values of what the macro would drive, where it has no pin for it."""
_ONE_HOT = frozenset({"write_wl", "write_bl", "write_sl"})
"""Signals of which at most one bit is 1."""
_NUMBERS = frozenset({"amplitude", "step_code"})
"""Signals that are numbers, so that a pin with fewer bits changes their value."""
_VALUES = _NUMBERS | {"code", "command", "data", "dec_scale", "op_id", "plane", "verify_code", "write_pass"}
"""Signals that are numbers, so that the order of their bits matters."""


@dataclass(frozen=True)
class Bit:
    """A bit of a signal or of a pin by its number; without a source, a constant."""

    source: str
    index: int
    inverted: bool = False


@dataclass(kw_only=True)
class PortMap:
    """A macro's ports and what they are connected to.

    Attributes
    ----------
    ports
        Its ports in their order, those of supplies left out.
    read
        Whether they were read from its files; else they are what the map needs.
    drivers
        Of each bit of an input: what drives it.
    reads
        Of each signal that the macro drives: its bits, the lowest first.
    derived
        Signals of the adapter that stand for one of the contract: name to that signal, function and width.
    lossy, unconnected
        Bits of signals that reach no pin although others do; signals of which none does.
    extra
        Pin to port of the top.
    problems, warnings
        What does not fit, and what may not be meant, one sentence each.
    """

    ports: dict[str, Port]
    read: bool
    drivers: dict[str, dict[int, Bit]] = field(default_factory=dict)
    reads: dict[str, list[Bit]] = field(default_factory=dict)
    derived: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    lossy: dict[str, list[int]] = field(default_factory=dict)
    unconnected: list[str] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def contract_signals(pins: ContractPins, macro: MacroSection | None = None) -> dict[str, tuple[int, bool]]:
    """Signals of the contract: width, and whether the macro drives the signal. ``clk`` comes first.

    ``rst``, the core's reset, active high, is one where ``macro`` takes it, as state machines need it.
    """
    members = {
        name: (member.shape if isinstance(member.shape, int) else 1, member.flow is wiring.In)
        for name, member in pins.members.items()
    }
    reset = {"rst": (1, False)} if macro is not None and macro.takes_reset else {}
    return {"clk": (1, False), **reset, **members}


def command_port_config(macro: MacroSection, pins: ContractPins) -> CommandPortConfig | None:
    """What is made of ``[macro.commands]``; None where there is none, or where the macro's kind has no such strobes."""
    if macro.command_table is None or not TnsaPins(pins.lines).members.keys() <= pins.members.keys():
        return None
    return CommandPortConfig(lines=pins.lines, table=macro.command_table)


def pin_signals(pins: ContractPins, macro: MacroSection | None = None) -> dict[str, tuple[int, bool]]:
    """Signals that pins may be named for: those of the contract or, of a macro that takes commands, of these.

    Beside commands a pin may take any signal that the core drives; strobes and lines need none.
    """
    signals = contract_signals(pins, macro)
    if macro is None or macro.command_table is None:
        return signals
    kept = {
        name: signal for name, signal in signals.items()
        if name in ("clk", *pins.write_names) or (name in macro.pins and not signal[1])
    }
    return kept | command_members(macro.command_table)


def map_ports(macro: MacroSection | None, contract: ContractPins, ports: Mapping[str, Port] | None) -> PortMap:
    """Resolve the pin map of a macro; ``ports`` are those of the module that has the pins, None if they are unknown."""
    signals = pin_signals(contract, macro)
    if macro is None:
        plain = {
            name: Port(name, "output" if driven else "input", None if width == 1 else (width - 1, 0))
            for name, (width, driven) in signals.items()
        }
        result = PortMap(ports=plain, read=False)
        for name, (width, driven) in signals.items():
            if driven:
                result.reads[name] = [Bit(name, k) for k in range(width)]
            else:
                result.drivers[name] = {k: Bit(name, k) for k in range(width)}
        return result
    supplies = {*macro.power, *macro.ground}
    read = ports is not None
    known = dict(ports) if ports is not None else _needed_ports(macro, signals)
    result = PortMap(ports={name: port for name, port in known.items() if name not in supplies}, read=read)
    _Resolver(macro, signals, result).run()
    return result


def _needed_ports(macro: MacroSection, signals: Mapping[str, tuple[int, bool]]) -> dict[str, Port]:
    """Ports that a map needs, as far as it tells: a whole pin is as wide as its signal."""
    tops: dict[str, tuple[int, str]] = {}
    for signal, connections in macro.connections.items():
        width, driven = signals.get(signal, (1, False))
        direction = "output" if driven else "input"
        for connection in connections:
            alone = len(connection.parts) == 1
            size = max((width - 1).bit_length(), 1) if connection.function == "binary" else width
            for part in (*connection.parts, *((connection.enable,) if connection.enable else ())):
                if part.name:
                    whole = size - 1 if alone and part is not connection.enable else 0
                    top = whole if part.left is None else max(part.left, part.right or 0)
                    old = tops.get(part.name, (0, direction))
                    tops[part.name] = (max(top, old[0]), old[1])
    for pin, value in macro.ties.items():
        name, left, right = parse_slice(pin)
        top = max(value.bit_length() - 1, 0) if left is None else max(left, right or 0)
        tops[name] = (max(top, tops.get(name, (0, ""))[0]), "input")
    return {name: Port(name, way, (top, 0) if top else None) for name, (top, way) in tops.items()}


class _Resolver:
    """Goes through the sections of a macro and fills a :class:`PortMap`."""

    def __init__(self, macro: MacroSection, signals: Mapping[str, tuple[int, bool]], result: PortMap) -> None:
        self.macro, self.signals, self.result = macro, signals, result
        self.problems, self.ports = result.problems, result.ports
        self._owner: dict[tuple[str, int], str] = {}
        self._wrong: set[str] = set()

    def run(self) -> None:
        for signal, (width, driven) in self.signals.items():
            connections = self.macro.connections.get(signal, (PinConnection(constant=_TIED.get(signal, 0)),))
            if driven and len(connections) > 1:
                self.problems.append(f"macro.pins.{signal} must be one pin, because the macro drives it, not a list")
            for connection in connections[: 1 if driven else None]:
                if connection.constant is not None:
                    self._constant(signal, connection.constant, width, driven)
                else:
                    self._connect(signal, connection, width, driven)
        self._ties()
        self._extra()
        self._open_inputs()

    def _constant(self, signal: str, value: int, width: int, driven: bool) -> None:
        if driven:
            self.result.reads[signal] = [Bit("", value >> k & 1) for k in range(width)]
        else:
            self.result.unconnected.append(signal)

    # ---- Signals

    def _connect(self, signal: str, connection: PinConnection, width: int, driven: bool) -> None:
        before = len(self.problems)
        self._join(signal, connection, width, driven)
        if len(self.problems) > before:
            parts = (*connection.parts, *((connection.enable,) if connection.enable else ()))
            self._wrong |= {part.name for part in parts}

    def _join(self, signal: str, connection: PinConnection, width: int, driven: bool) -> None:
        where = f"macro.pins.{signal}"
        source, size = signal, width
        if connection.function:
            sentence = _misused(connection, signal, width)
            if sentence:
                self.problems.append(f"{where}: {sentence}")
                return
            size = (width - 1).bit_length() if connection.function == "binary" else 0
        if signal in _VALUES or connection.function == "binary":
            for part in connection.parts:
                if sentence := self._order_unknown(part):
                    self.result.warnings.append(f"{where}: {sentence}")
        bits = self._bits(where, connection.parts, size, "output" if driven else "input")
        if bits is None:
            return
        if connection.function == "saturate":
            if len(bits) >= width:
                self.problems.append(f"{where}: saturate() must have fewer than {width} bits, not {len(bits)}")
                return
            size = len(bits)
        elif len(bits) != size:
            self.problems.append(self._wrong_width(signal, connection, size, len(bits)))
            return
        if driven:
            self._read(signal, bits)
            return
        if connection.function:
            source = f"{signal}_{'number' if connection.function == 'binary' else f'in_{size}'}"
            self.result.derived[source] = (signal, connection.function, size)
        self._drive(where, signal, source, bits)
        if connection.enable is not None:
            one = self._bits(where, (connection.enable,), 1, "input")
            if one is not None and len(one) != 1:
                self.problems.append(f"{where}: pin {connection.enable.name} must be 1 bit wide, not {len(one)}")
            elif one is not None:
                self.result.derived[f"{signal}_one"] = (signal, "one", 1)
                self._drive(where, signal, f"{signal}_one", one)

    def _order_unknown(self, part: PinPart) -> str:
        """What to say of a whole pin that counts upwards, where it takes a number and nothing says which way round."""
        port = self.ports.get(part.name)
        if part.left is not None or part.reversed or port is None or not _upwards(port):
            return ""
        whole = f"{port.name}{port.bits.strip()}"
        return (
            f"pin {port.name} counts upwards and the lowest bit of a number is at its lowest number, which Verilog "
            f"reads as the highest bit; write reverse({port.name}) for that order, or {whole} if this one is meant"
        )

    def _drive(self, where: str, signal: str, source: str, bits: list[Bit | None]) -> None:
        for index, pin in enumerate(bits):
            if pin is None:
                self.result.lossy.setdefault(signal, []).append(index)
            elif self._claim(where, pin.source, pin.index):
                self.result.drivers.setdefault(pin.source, {})[pin.index] = Bit(source, index, pin.inverted)
        lost = self.result.lossy.get(signal, [])
        if signal in _NUMBERS and lost and max(lost) == len(bits) - 1:
            self.problems.append(
                f"{where}: open() above the bits of a number would wrap it; saturate(PIN) gives its lowest bits"
            )

    def _read(self, signal: str, bits: list[Bit | None]) -> None:
        where = f"macro.pins.{signal}"
        if any(bit is None for bit in bits):
            self.problems.append(f"{where}: open() must not stand for what the core reads; write a constant, as 2'd0")
            return
        found = [bit for bit in bits if bit is not None]
        pins = [(bit.source, bit.index) for bit in found if bit.source]
        if len(set(pins)) < len(pins):
            self.problems.append(f"{where}: a bit of a pin stands in it twice")
        self.result.reads[signal] = found

    def _claim(self, where: str, pin: str, number: int) -> bool:
        """Take a bit of an input; whether nothing else drives it."""
        other = self._owner.setdefault((pin, number), where)
        if other != where or self.result.drivers.get(pin, {}).get(number) is not None:
            who = "another signal" if where.startswith("macro.pins.") and other.startswith("macro.pins.") else other
            sentence = f"{where}: bits of pin {pin} have {who} already"
            if other == where:
                sentence = f"{where}: a bit of pin {pin} stands in it twice"
            if sentence not in self.problems:
                self.problems.append(sentence)
            return False
        return True

    # ---- Bits of pins

    def _bits(self, where: str, parts: Iterable[PinPart], size: int, direction: str) -> list[Bit | None] | None:
        """Bits of a connection, the lowest first; None for one that is open. None if a part is wrong."""
        found: list[list[Bit | None]] = []
        for part in parts:
            bits = self._part(where, part, direction)
            if bits is None:
                return None
            found.append(bits)
        return [bit for bits in reversed(found) for bit in bits]

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
            near = difflib.get_close_matches(name, self.ports, 1)
            hint = f", did you mean {near[0]}?" if near else ""
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

    def _wrong_width(self, signal: str, connection: PinConnection, width: int, found: int) -> str:
        where, (first, *more) = f"macro.pins.{signal}", connection.parts
        if connection.function == "binary":
            return f"{where}: binary() of {2**width} lines must have {width} bits, not {found}"
        if more or first.left is not None:
            text = self.macro.pins[signal]
            shown = text if isinstance(text, str) else "in its list"
            return f"{where} must be {width} bits wide, not {found} ({shown})"
        if signal in _NUMBERS and found < width:
            return (
                f"{where}: pin {first.name} must be {width} bits wide, not {found}: write saturate({first.name}) for "
                f"its lowest bits, or {{{first.name}, open({width - found})}} for its highest"
            )
        return f"{where}: pin {first.name} must be {width} bits wide, not {found}"

    # ---- Pins that no signal has

    def _ties(self) -> None:
        for pin, value in self.macro.ties.items():
            where, before = f"macro.ties.{pin}", len(self.problems)
            name, left, right = parse_slice(pin)
            port = self.ports.get(name)
            if left is None and port is not None and _upwards(port) and 0 < value < 2 ** len(port.numbers) - 1:
                whole = f"{name}{port.bits.strip()}"
                self.result.warnings.append(
                    f"{where}: pin {name} counts upwards and the lowest bit of {value} is at its lowest number, which "
                    f'Verilog reads as the highest bit; write "{whole}" = {value} if that is meant'
                )
            bits = self._bits(where, (PinPart(name=name, left=left, right=right),), 0, "input")
            if bits is not None and value >= 2 ** len(bits):
                self.problems.append(f"{where} must fit in {len(bits)} bits, not {value}")
            elif bits is not None:
                for k, bit in enumerate(bits):
                    if bit is not None and self._claim(where, name, bit.index):
                        self.result.drivers.setdefault(name, {})[bit.index] = Bit("", value >> k & 1)
            self._wrong |= {name} if len(self.problems) > before else set()

    def _extra(self) -> None:
        taken = {self._pin_of(key): "macro.ties" for key in self.macro.ties}
        for connections in self.macro.connections.values():
            for connection in connections:
                parts = (*connection.parts, *((connection.enable,) if connection.enable else ()))
                taken |= {part.name: "macro.pins" for part in parts}
        tops: dict[str, str] = {}
        for pin, top in self.macro.extra.items():
            where = f"macro.extra.{pin}"
            port = self.ports.get(pin)
            if not self.result.read:
                module = self.macro.outer
                self.problems.append(f"{where}: macro.files must hold {module}, which tells what pin {pin} is")
            elif pin in self.macro.power or pin in self.macro.ground:
                self.problems.append(f"{where}: pin {pin} is a supply, in macro.power or macro.ground")
            elif port is None:
                near = difflib.get_close_matches(pin, self.ports, 1)
                hint = f", did you mean {near[0]}?" if near else ""
                self.problems.append(f"{where}: {self.macro.outer} has no pin {pin}{hint}")
            elif pin in taken:
                self.problems.append(f"{where}: pin {pin} is in {taken[pin]} already")
            elif not port.known:
                self.problems.append(f"{where}: the range of pin {pin} must be one of numbers, as [7:0]")
            elif top in tops:
                self.problems.append(f"{where} must have a port of its own, not {top}, which is that of {tops[top]}")
            else:
                self.result.extra[pin] = tops[top] = top
                tops[top] = pin

    @staticmethod
    def _pin_of(key: str) -> str:
        return parse_slice(key)[0]

    def _open_inputs(self) -> None:
        module = self.macro.outer
        for port in self.ports.values():
            if port.name in self.macro.extra or port.name in self._wrong:
                continue
            if port.direction == "inout" or port.guarded:
                self.problems.append(
                    f"{module}: pin {port.name} is connected to nothing; is it one for macro.power, macro.ground or "
                    "macro.extra?"
                )
            elif port.direction == "input" and port.known:
                driven = self.result.drivers.get(port.name, {})
                left = [number for number in port.numbers if number not in driven]
                if len(left) == len(port.numbers):
                    self.problems.append(
                        f"{module}: input {port.name} is connected to nothing; a constant stands in macro.ties"
                    )
                elif left:
                    first, *more = _ranges(left)
                    others = f" and {len(left) - first[1]} more" if more else ""
                    self.problems.append(
                        f"{module}: input {port.name}[{first[0]}]{others} is driven by nothing; write "
                        f'"{port.name}[{first[0]}]" = 0 in macro.ties'
                    )
            elif not port.known:
                self.problems.append(f"{module}: the range of pin {port.name} must be one of numbers, as [7:0]")


def _upwards(port: Port) -> bool:
    """Whether the bits of a port are numbered from left to right."""
    return port.limits is not None and port.limits[0] < port.limits[1]


def _misused(connection: PinConnection, signal: str, width: int) -> str:
    """What is wrong with the function of a connection, if anything."""
    if connection.function == "binary" and signal not in _ONE_HOT:
        return f"binary() must be one of {', '.join(sorted(_ONE_HOT))}, of which one line is selected at a time"
    if connection.function == "saturate" and signal not in _NUMBERS:
        return f"saturate() must be one of {', '.join(sorted(_NUMBERS))}, which are numbers"
    return ""


def _ranges(numbers: list[int]) -> list[tuple[str, int]]:
    """Numbers as they follow each other, put together, and how many: ``("19:18", 2)``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and abs(number - runs[-1][-1]) == 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [(f"{run[0]}:{run[-1]}" if len(run) > 1 else str(run[0]), len(run)) for run in runs]
