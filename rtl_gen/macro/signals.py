"""Signals that pins of a macro may be named for."""

from amaranth.lib import wiring

from mho.hw.config import MacroSection
from mho.hw.macro.contract import ContractPins, command_members


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
        f"{'' if width == 1 else f'[{width - 1}:0] '}{name}" for name, (width, driven) in signals.items()
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
