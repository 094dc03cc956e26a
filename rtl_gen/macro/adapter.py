"""The macro's side: the adapter that knows its names, and its black box."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from amaranth.lib import wiring

from hw.config import Chip, MacroSection, PinConnection
from hw.macro.macro_pins import MacroPins

__all__ = ["MACRO_MODULE", "MacroPin", "adapter_pins", "contract_signals", "write_adapter", "write_stub"]

MACRO_MODULE = "tnsa_macro"
"""Module that stands behind the adapter where the chip names none: its pins are the contract's signals and ``clk``."""


@dataclass(frozen=True)
class MacroPin:
    """A port of the macro. ``driven``: the macro drives it. ``bits`` maps its bits to signals of the contract."""

    name: str
    width: int
    driven: bool
    parts: tuple[tuple[int, int, str], ...]
    """(high, low, expression), from the most significant."""


def contract_signals(pins: MacroPins) -> dict[str, tuple[int, bool]]:
    """Signals of the contract: width, and whether the macro drives the signal. ``clk`` comes first."""
    members = {
        name: (member.shape if isinstance(member.shape, int) else 1, member.flow is wiring.In)
        for name, member in pins.members.items()
    }
    return {"clk": (1, False), **members}


_TIED = {"hold": 0, "verify_code": 0, "verify_valid": 1}
"""Values of what the macro would drive, where it has no pin for it."""


def _connections(macro: MacroSection | None, pins: MacroPins) -> dict[str, PinConnection]:
    signals = contract_signals(pins)
    if macro is None:
        return {name: PinConnection(name=name) for name in signals}
    tied = {name: PinConnection(constant=value) for name, value in _TIED.items() if name in signals}
    return tied | {name: c for name, c in macro.connections.items() if name in signals}


def adapter_pins(macro: MacroSection | None, contract: MacroPins, widths: Mapping[str, int]) -> list[MacroPin]:
    """Ports of the macro that the adapter connects, in the order of the contract.

    ``widths`` are those of the macro's ports, as far as they are known; else a port is as wide as its map needs.
    """
    signals = contract_signals(contract)
    parts: dict[str, list[tuple[int, int, str]]] = {}
    driven: dict[str, bool] = {}
    for signal, connection in _connections(macro, contract).items():
        if connection.constant is not None:
            continue
        width, from_macro = signals[signal]
        high = width - 1 if connection.high is None else connection.high
        low = 0 if connection.low is None else connection.low
        text = f"{'~' if connection.inverted else ''}{signal}"
        parts.setdefault(connection.name, []).append((high, low, text))
        driven.setdefault(connection.name, from_macro)
    return [
        MacroPin(
            name, widths.get(name, max(part[0] for part in parts[name]) + 1), driven[name],
            tuple(sorted(parts[name], reverse=True)),
        )
        for name in parts
    ]


def _input_value(pin: MacroPin) -> str:
    """What drives an input of the macro; bits that no signal has are 0."""
    pieces: list[str] = []
    above = pin.width
    for high, low, text in pin.parts:
        if high + 1 < above:
            pieces.append(f"{above - high - 1}'d0")
        pieces.append(text)
        above = low
    if above > 0:
        pieces.append(f"{above}'d0")
    return pieces[0] if len(pieces) == 1 else "{" + ", ".join(pieces) + "}"


def write_adapter(macro: MacroSection | None, contract: MacroPins, *, name: str, widths: Mapping[str, int]) -> str:
    """Verilog of the adapter ``name``: the only module that knows the macro's module and pins."""
    signals = contract_signals(contract)
    connections = _connections(macro, contract)
    pins = adapter_pins(macro, contract, widths)
    wires, assigns, ports = [], [], []
    for pin in pins:
        if not pin.driven:
            ports.append(f"    .{pin.name}({_input_value(pin)})")
            continue
        ((high, low, text), *more) = pin.parts
        plain = not more and (low, high) == (0, pin.width - 1) and not text.startswith("~")
        net = text if plain else f"pin_{pin.name.lower()}"
        ports.append(f"    .{pin.name}({net})")
        if not plain:
            wires.append(f"  wire {_range(pin.width)}{net};")
            for high, low, text in pin.parts:
                part = "" if (high, low) == (pin.width - 1, 0) else f"[{high}]" if high == low else f"[{high}:{low}]"
                assigns.append(f"  assign {text.removeprefix('~')} = {'~' if text[0] == '~' else ''}{net}{part};")
    for signal, (width, driven) in signals.items():
        connection = connections.get(signal)
        if driven and connection is not None and connection.constant is not None:
            assigns.append(f"  assign {signal} = {width}'d{connection.constant};")
    used = {c for c in connections if connections[c].constant is None}
    open_signals = [s for s, (_, driven) in signals.items() if not driven and s not in used]
    note = [f"  // Not connected: {', '.join(open_signals)}."] if open_signals else []
    instance = [f"  {module_name(macro)} macro (", ",\n".join(ports), "  );"]
    body = "\n\n".join("\n".join(block) for block in (wires, assigns, note, instance) if block)
    header = _header({s: (w, "output" if d else "input") for s, (w, d) in signals.items()})
    return (
        "// The macro behind the pins of the contract: the only file that knows its module and its pins.\n"
        f"module {name} (\n{header}\n);\n\n{body}\n\nendmodule\n"
    )


def module_name(macro: MacroSection | None) -> str:
    """Module of the macro."""
    return MACRO_MODULE if macro is None else macro.module


def write_stub(chip: Chip, widths: Mapping[str, int]) -> str:
    """Verilog black box of the macro; supplies only where ``USE_POWER_PINS`` is defined, as tools for tape-out do."""
    macro = chip.macro
    power = dict(macro.power) if macro is not None and macro.power else {"VDD": "VDD", "VSS": "VSS"}
    pins = adapter_pins(macro, MacroPins.from_chip(chip), widths)
    ports = _header({pin.name: (pin.width, "output" if pin.driven else "input") for pin in pins})
    supplies = "\n".join(f"  inout wire {name}," for name in power)
    return (
        f"// Black box of the macro: its ports, and no body.\n(* blackbox *)\nmodule {module_name(macro)} (\n"
        f"`ifdef USE_POWER_PINS\n{supplies}\n`endif\n{ports}\n);\nendmodule\n"
    )


def _header(ports: Mapping[str, tuple[int, str]]) -> str:
    lines: Iterable[str] = (f"  {kind:<6} wire {_range(width)}{name}" for name, (width, kind) in ports.items())
    return ",\n".join(lines)


def _range(width: int) -> str:
    return "" if width == 1 else f"[{width - 1}:0] "
