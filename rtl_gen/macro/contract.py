"""Contracts of a macro's pins: what all need, and that of a kind that says no more than its strobes.

A user's macro has a module around it that is the contract's macro within, so that the same is said of its pins.
"""

import re
from collections.abc import Container, Mapping

from amaranth.lib import wiring

from mho.hw.config import Chip, MacroSection
from mho.hw.kinds import core_blocks
from mho.hw.macro.contract import ContractPins, command_members
from mho.macro_models.errors import ToolError
from mho.rtl_gen.macro.port_map import PortMap
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.names import range_text


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


def declared_ports(signals: dict[str, tuple[int, bool]]) -> str:
    """Ports of a model of a macro in Verilog, as it declares them; ``hold`` and ``verify_valid`` are constants."""
    constant = ("hold", "verify_valid")
    return ",\n".join(
        f"  {'input  wire' if not driven else 'output wire' if name in constant else 'output reg '} "
        f"{range_text(width)}{name}" for name, (width, driven) in signals.items()
    )


def pin_signals(pins: ContractPins, macro: MacroSection | None = None) -> dict[str, tuple[int, bool]]:
    """Signals that pins may be named for: those of the contract or, of a macro that takes commands, of these.

    Beside commands a pin may take any signal that the core drives; strobes and lines need none.
    """
    signals = contract_signals(pins, macro)
    if macro is None or macro.command_table is None:
        return signals
    passed = {
        name: signal for name, signal in signals.items()
        if name in ("clk", *pins.write_names) or (name in macro.pins and not signal[1])
    }
    return passed | command_members(macro.command_table)


def pin_values(contract: ContractPins, ports: PortMap, adapter: str, within: str = "") -> dict[str, str]:
    """Verilog of what the core drives, bit by bit from the pins of the macro.

    What a signal has no pin for (``op_id`` in silicon) is taken from the adapter, whose path is ``adapter``; ``within``
    stands before the names of pins.
    """
    signals = contract_signals(contract)
    bits_of: dict[tuple[str, int], str] = {}
    for pin, bits in ports.drivers.items():
        for number, bit in bits.items():
            if bit.source:
                sign = "~" if bit.inverted else ""
                bits_of.setdefault((bit.source, bit.index), f"{sign}{within}{_bit(ports, pin, number)}")
    values: dict[str, str] = {}
    for name, (signal, function, size) in ports.derived.items():
        if function == "binary":
            number = "{" + ", ".join(bits_of[name, k] for k in reversed(range(size))) + "}"
            # A macro without an enable sees line 0 while none is selected, and has to look at something else.
            selected, width = bits_of.get((f"{signal}_one", 0), f"|{adapter}.{signal}"), signals[signal][0]
            values[signal] = f"{selected} ? {width}'d1 << {number} : {width}'d0"
    for signal, (width, driven) in signals.items():
        if not driven and signal not in values:
            above = [f"{adapter}.{signal}" + (f"[{k}]" if width > 1 else "") for k in range(width)]
            bits = [bits_of.get((signal, k), above[k]) for k in range(width)]
            values[signal] = f"{{{', '.join(reversed(bits))}}}"
    return values


def write_mirror(module: str, contract: ContractPins, ports: PortMap, adapter: str) -> str:
    """Verilog of ``module``: signals of the contract from its pins, and the contract's macro behind them.

    What a signal has no pin for is taken from the adapter, whose path is ``adapter``.
    """
    signals, values, lines = contract_signals(contract), pin_values(contract, ports, adapter), list[str]()
    # Pins may have the names of signals.
    inside = "inner_"
    while any(pin.startswith(inside) for pin in ports.ports):
        inside += "_"
    for signal, (width, driven) in signals.items():
        lines.append(f"  wire [{width - 1}:0] {inside}{signal}{'' if driven else f' = {values[signal]}'};")
    for signal, bits in ports.reads.items():
        for k, bit in enumerate(bits):
            if bit.source:
                sign = "~" if bit.inverted else ""
                lines.append(f"  assign {_bit(ports, bit.source, bit.index)} = {sign}{inside}{signal}[{k}];")
    listed = ",\n".join(f"  {port.direction:<6} wire {port.bits}{port.name}" for port in ports.ports.values())
    inner = ", ".join(f".{name}({inside}{name})" for name in signals)
    instance = f"\n  {contract.module} {inside} ({inner});\nendmodule\n"
    return f"module {module} (\n{listed}\n);\n" + "\n".join(lines) + instance


def _bit(ports: PortMap, pin: str, number: int) -> str:
    return pin if ports.ports[pin].limits is None else f"{pin}[{number}]"


def connections(text: str, module: str) -> dict[str, str]:
    """Nets of the instance of ``module`` in a text as this package writes it, by port."""
    instance = re.search(rf"^  {re.escape(module)} \w+ \(\n(.*?)^  \);", text, re.MULTILINE | re.DOTALL)
    if instance is None:
        raise ToolError(f"no instance of {module} was found")
    return dict(re.findall(r"\.(\w+)\((\w*)\)", instance[1]))


def bound_nets(
    chip: Chip, text: str, adapter: str, pins: Container[str], *off: str, beside: Mapping[str, str] = {}
) -> str:
    """Connections of a contract that is bound to a core of this ``text``: clock, reset, ``beside``, and some pins.

    ``off``: nets at which it looks at nothing, as in reset.
    """
    reset = " | ".join(("~rst_n" if chip.verilog.reset == "async_low" else "rst", "soft_reset", *off))
    nets = {pin: net for pin, net in connections(text, adapter).items() if pin in pins}
    bound = {"clk": "clk", "in_reset": reset, **beside, **nets}
    return ",\n".join(f"  .{port}({net})" for port, net in bound.items())


def write_pins_contract(chip: Chip, core: str, text: str, adapter: str, name: str) -> str:
    """SystemVerilog of the contract ``name`` and its binding: no strobe in reset, and each is met.

    Parameters
    ----------
    core, text
        Module that holds the adapter of the macro, and its Verilog.
    adapter
        Module of the adapter.
    """
    pins = core_blocks(chip).pins
    strobes = [name for name in pins.strobes if name in pins.members]
    bound = bound_nets(chip, text, adapter, strobes, *["test_mode"] * chip.verilog.test)
    return fill(template("macro_contract_pins.sv"), {
        "NAME": name, "CORE": core, "PORTS": ",\n".join(f"  input wire {strobe}" for strobe in strobes),
        "STROBES": ", ".join(strobes),
        "COVERS": "\n".join(f"    {strobe}_is_met: cover ({strobe});" for strobe in strobes),
        "CONNECTIONS": bound,
    })
