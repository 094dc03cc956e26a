"""Whether the pins of a user's own macro fit the contract: what is missing, unconnected, of the wrong width."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from hw.config import Chip, MacroSection, PinConnection, PulseChip
from hw.macro.macro_pins import MacroPins
from hw.macro.write_pins import WritePins
from macro_models.errors import InputError
from macro_models.files import FileKind, read_text
from rtl_gen.macro.adapter import contract_signals
from rtl_gen.verilog.ports import Port, module_ports

__all__ = ["check_macro_pins", "macro_files", "macro_warnings", "macro_widths"]

_OPTIONAL = frozenset({"clk", "op_id", "hold", "write_pass", "verify_valid"})
"""Signals that a macro in silicon does without."""


def macro_files(chip: Chip) -> list[Path]:
    """Sources of the user's own macro."""
    if chip.macro is None:
        return []
    return [(chip.folder or Path()) / name for name in chip.macro.files]


_VERILOG = FileKind("Verilog file", 1 << 26)
_READ = {"cmp": "the converters read", "verify_code": "write-verify reads"}
"""Signals that cannot be tied, and why."""

_WRITE = frozenset(WritePins(1, 1).members)


def check_macro_pins(chip: Chip) -> list[str]:
    """Problems of ``[macro]``, one sentence each; none if the chip has no macro of its own.

    Without ``files``, or where the files do not hold the module, only the map itself can be checked; the latter is a
    problem of its own.
    """
    macro = chip.macro
    if macro is None:
        return []
    pins = MacroPins.from_chip(chip)
    problems = _check_signals(macro, pins)
    ports, unread = _read_ports(chip, macro)
    problems += unread
    if ports is not None:
        problems += _check_ports(macro, pins, ports)
    return problems


def macro_warnings(chip: Chip) -> list[str]:
    """A sentence if the chip's engine has no cells that it could program, because its own macro lacks the pins."""
    macro = chip.macro
    if macro is None or not PulseChip.of(chip).programming.engine or _programmable(macro, MacroPins.from_chip(chip)):
        return []
    return [
        "macro.pins names no pin of programming (write_mode to verify_valid), so the write-verify engine of the core "
        "programs nothing: connect them, or leave the engine out by programming.engine = false"
    ]


def _programmable(macro: MacroSection, pins: MacroPins) -> bool:
    return any(name in macro.pins for name in pins.write_names)


def macro_widths(chip: Chip) -> dict[str, int]:
    """Widths of the ports of the user's own macro, as far as its files tell."""
    ports, _ = (None, []) if chip.macro is None else _read_ports(chip, chip.macro)
    return {port.name: port.width for port in (ports or {}).values() if port.width is not None}


def _read_ports(chip: Chip, macro: MacroSection) -> tuple[dict[str, Port] | None, list[str]]:
    problems = []
    for path in macro_files(chip):
        try:
            text = read_text(path, _VERILOG)
        except InputError as error:
            problems.append(f"macro.files: {error}")
            continue
        ports = module_ports(text, macro.module)
        if ports is not None:
            return ports, problems
    if macro.files and not problems:
        problems.append(f"macro.module: no file in macro.files has a module {macro.module}")
    return None, problems


def _check_signals(macro: MacroSection, pins: MacroPins) -> list[str]:
    """The left sides: known, and all there."""
    signals, problems = contract_signals(pins), []
    optional = _OPTIONAL if _programmable(macro, pins) else _OPTIONAL.union(pins.write_names)
    for name in macro.pins:
        if name not in signals and name in _WRITE:
            problems.append(f"macro.pins.{name}: the core drives no such signal where programming.engine = false")
        elif name not in signals:
            near = difflib.get_close_matches(name, signals, 1)
            hint = f"did you mean {near[0]}?" if near else f"signals are {', '.join(signals)}"
            problems.append(f"macro.pins.{name}: the contract has no such signal, {hint}")
    for name, (width, driven) in signals.items():
        connection = macro.connections.get(name)
        if connection is None:
            if name not in optional:
                problems.append(f'macro.pins.{name} is missing: name its pin, or write 0 to leave it unconnected')
        elif connection.constant is not None:
            problems += _check_constant(name, connection, width, driven)
        elif connection.high is not None and connection.low is not None:
            size = connection.high - connection.low + 1
            if size != width:
                problems.append(f"macro.pins.{name} must be {width} bits wide, not {size} ({macro.pins[name]})")
    return problems


def _check_constant(name: str, connection: PinConnection, width: int, driven: bool) -> list[str]:
    if name in _READ:
        return [f"macro.pins.{name} must be a pin, because {_READ[name]} it, not {connection.constant}"]
    if driven and connection.constant is not None and connection.constant >= 2**width:
        return [f"macro.pins.{name} must fit in {width} bits, not {connection.constant}"]
    return []


def _check_ports(macro: MacroSection, pins: MacroPins, ports: Mapping[str, Port]) -> list[str]:
    """The right sides: pins that exist, with the width and the direction that the signal needs."""
    signals, problems = contract_signals(pins), []
    used: dict[str, set[int]] = {}
    for name, connection in macro.connections.items():
        if name not in signals or connection.constant is not None:
            continue
        width, driven = signals[name]
        port = ports.get(connection.name)
        if port is None:
            near = difflib.get_close_matches(connection.name, ports, 1)
            hint = f", did you mean {near[0]}?" if near else ""
            problems.append(f"macro.pins.{name}: {macro.module} has no pin {connection.name}{hint}")
            continue
        wanted = "output" if driven else "input"
        if port.direction != wanted:
            problems.append(f"macro.pins.{name}: pin {port.name} must be an {wanted}, not an {port.direction}")
        problems += _check_width(name, connection, port, width)
        high = (port.width or width) - 1 if connection.high is None else connection.high
        bits = set(range(connection.low or 0, high + 1))
        if not driven and bits & used.setdefault(port.name, set()):
            problems.append(f"macro.pins.{name}: bits of pin {port.name} have another signal already")
        used.setdefault(port.name, set()).update(bits)
    for port in ports.values():
        if port.name in macro.power or port.direction == "inout":
            if port.name not in macro.power:
                problems.append(f"{macro.module}: pin {port.name} is connected to nothing; is it one for macro.power?")
        elif port.direction == "input" and port.name not in used:
            problems.append(f"{macro.module}: input {port.name} is connected to nothing")
    problems += [f"macro.power.{pin}: {macro.module} has no pin {pin}" for pin in macro.power if pin not in ports]
    return problems


def _check_width(name: str, connection: PinConnection, port: Port, width: int) -> list[str]:
    if port.width is None:
        return []
    if connection.high is not None:
        if connection.high >= port.width:
            return [f"macro.pins.{name}: pin {port.name} has bits {port.width - 1}:0, not {connection.high}"]
    elif port.width != width:
        return [f"macro.pins.{name}: pin {port.name} must be {width} bits wide, not {port.width}"]
    return []
