"""The pin map of a macro, bit by bit: what drives each bit of its inputs, where those are that the core reads.

Bits of a pin have the numbers that its own range gives them: ``input [0:63] YP`` has YP[0] on the left. A pin or a
slice takes the bits of a signal by number, the lowest number the lowest bit, however the range runs.
"""

from collections.abc import Container, Iterable, Mapping

from mho.hw.config import MacroSection, PinConnection, PinPart
from mho.hw.config.macros.pin_map import parse_slice
from mho.hw.macro.contract import ContractPins
from mho.macro_models.errors import nearest
from mho.rtl_gen.macro.contract import pin_signals
from mho.rtl_gen.macro.port_map import Bit, PinBits, PortMap, upwards
from mho.rtl_gen.verilog.ports import Port


class SparePins:
    """Connects them in the port map of ``bits``, and says what is left open.

    ``wrong``: pins with a problem of their own already.
    """

    def __init__(self, bits: PinBits, wrong: set[str]) -> None:
        self.macro, self.result, self._bits, self.wrong = bits.macro, bits.result, bits, wrong
        self.problems, self.ports = bits.problems, bits.ports

    def run(self) -> None:
        """All of them, once all signals are connected."""
        self._ties()
        self._extra()
        self._open_inputs()

    def _ties(self) -> None:
        for pin, value in self.macro.ties.items():
            where, before = f"macro.ties.{pin}", len(self.problems)
            name, left, right = parse_slice(pin)
            port = self.ports.get(name)
            if left is None and port is not None and upwards(port) and 0 < value < 2 ** len(port.numbers) - 1:
                whole = f"{name}{port.bits.strip()}"
                self.result.warnings.append(
                    f"{where}: pin {name} counts upwards and the lowest bit of {value} is at its lowest number, which "
                    f'Verilog reads as the highest bit; write "{whole}" = {value} if that is meant'
                )
            bits = self._bits.of(where, (PinPart(name=name, left=left, right=right),), "input")
            if bits is not None and value >= 2 ** len(bits):
                self.problems.append(f"{where} must fit in {len(bits)} bits, not {value}")
            elif bits is not None:
                for k, bit in enumerate(bits):
                    if bit is not None and self._bits.claim(where, name, bit.index):
                        self.result.drivers.setdefault(name, {})[bit.index] = Bit("", value >> k & 1)
            self.wrong |= {name} if len(self.problems) > before else set()

    def _extra(self) -> None:
        used = {self._pin_of(key): "macro.ties" for key in self.macro.ties}
        for connections in self.macro.connections.values():
            for connection in connections:
                parts = (*connection.parts, *((connection.enable,) if connection.enable else ()))
                used |= {part.name: "macro.pins" for part in parts}
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
                near = nearest(pin, self.ports)
                hint = f", did you mean {near}?" if near else ""
                self.problems.append(f"{where}: {self.macro.outer} has no pin {pin}{hint}")
            elif pin in used:
                self.problems.append(f"{where}: pin {pin} is in {used[pin]} already")
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
            if port.name in self.macro.extra or port.name in self.wrong:
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
                    rest = f" and {len(left) - first[1]} more" if more else ""
                    self.problems.append(
                        f"{module}: input {port.name}[{first[0]}]{rest} is driven by nothing; write "
                        f'"{port.name}[{first[0]}]" = 0 in macro.ties'
                    )
            elif not port.known:
                self.problems.append(f"{module}: the range of pin {port.name} must be one of numbers, as [7:0]")


def _ranges(numbers: list[int]) -> list[tuple[str, int]]:
    """Numbers as they follow each other, put together, and how many: ``("19:18", 2)``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and abs(number - runs[-1][-1]) == 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [(f"{run[0]}:{run[-1]}" if len(run) > 1 else str(run[0]), len(run)) for run in runs]


_TIED = {"hold": 0, "verify_code": 0, "verify_valid": 1}
"""Values of what the macro would drive, where it has no pin for it."""
_ONE_HOT = frozenset({"write_wl", "write_bl", "write_sl"})
"""Signals of which at most one bit is 1."""
_NUMBERS = frozenset({"amplitude", "bias_columns", "bias_rows", "step_code"})
"""Signals that are numbers, so that a pin with fewer bits changes their value."""
_VALUES = _NUMBERS | {"code", "command", "data", "dec_scale", "op_id", "plane", "verify_code", "write_pass"}
"""Signals that are numbers, so that the order of their bits matters."""


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
    ports_known = dict(ports) if ports is not None else _needed_ports(macro, signals)
    # Where nobody names them, supplies of USE_POWER_PINS are nowhere.
    supplies |= {name for name, port in ports_known.items() if port.guarded}
    result = PortMap(ports={name: port for name, port in ports_known.items() if name not in supplies}, read=read)
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
        self._pins = PinBits(macro, result)
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
        SparePins(self._pins, self._wrong).run()

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
            sentence = _misused(connection, signal, self.signals)
            if sentence:
                self.problems.append(f"{where}: {sentence}")
                return
            size = (width - 1).bit_length() if connection.function == "binary" else 0
        if signal in _VALUES or connection.function == "binary":
            for part in connection.parts:
                if sentence := self._order_unknown(part):
                    self.result.warnings.append(f"{where}: {sentence}")
        bits = self._pins.of(where, connection.parts, "output" if driven else "input")
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
            enable = self._pins.of(where, (connection.enable,), "input")
            if enable is not None and len(enable) != 1:
                self.problems.append(f"{where}: pin {connection.enable.name} must be 1 bit wide, not {len(enable)}")
            elif enable is not None:
                self.result.derived[f"{signal}_one"] = (signal, "one", 1)
                self._drive(where, signal, f"{signal}_one", enable)

    def _order_unknown(self, part: PinPart) -> str:
        """What to say of a whole pin that counts upwards, where it takes a number and nothing says which way round."""
        port = self.ports.get(part.name)
        if part.left is not None or part.reversed or port is None or not upwards(port):
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
            elif self._pins.claim(where, pin.source, pin.index):
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
        sources = [bit for bit in bits if bit is not None]
        pins = [(bit.source, bit.index) for bit in sources if bit.source]
        if len(set(pins)) < len(pins):
            self.problems.append(f"{where}: a bit of a pin stands in it twice")
        self.result.reads[signal] = sources

    def _wrong_width(self, signal: str, connection: PinConnection, width: int, bits: int) -> str:
        where, (first, *more) = f"macro.pins.{signal}", connection.parts
        if connection.function == "binary":
            return f"{where}: binary() of {2**width} lines must have {width} bits, not {bits}"
        if more or first.left is not None:
            text = self.macro.pins[signal]
            shown = text if isinstance(text, str) else "in its list"
            return f"{where} must be {width} bits wide, not {bits} ({shown})"
        if signal in _NUMBERS and bits < width:
            return (
                f"{where}: pin {first.name} must be {width} bits wide, not {bits}: write saturate({first.name}) for "
                f"its lowest bits, or {{{first.name}, open({width - bits})}} for its highest"
            )
        return f"{where}: pin {first.name} must be {width} bits wide, not {bits}"


def _names(named: Iterable[str], signals: Container[str]) -> str:
    return ", ".join(name for name in sorted(named) if name in signals)


def _misused(connection: PinConnection, signal: str, signals: Container[str]) -> str:
    """What is wrong with the function of a connection, if anything."""
    if connection.function == "binary" and signal not in _ONE_HOT:
        return f"binary() must be one of {_names(_ONE_HOT, signals)}, of which one line is selected at a time"
    if connection.function == "saturate" and signal not in _NUMBERS:
        return f"saturate() must be one of {_names(_NUMBERS, signals)}, which are numbers"
    return ""
