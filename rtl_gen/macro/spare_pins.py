"""Pins that no signal has: constants, ports of the top, and inputs that nothing drives."""


from mho.hw.config import PinPart
from mho.hw.config.pin_map import parse_slice
from mho.macro_models.errors import nearest
from mho.rtl_gen.macro.port_map import Bit, PinBits, upwards


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
