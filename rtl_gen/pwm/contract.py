"""Assertions and cover points of the pins of a phase-change macro, in a file that a simulator binds to the core."""

from mho.hw.config import Chip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.pins import PwmPins
from mho.rtl_gen.macro.contract import connections
from mho.rtl_gen.macro.signals import contract_signals
from mho.rtl_gen.templates import fill, template

__all__ = ["write_pwm_contract"]

_UNUSED = (
    "op_id", "count_pos", "count_neg", "reference", "reference_pos", "reference_neg", "amplitude_write",
    "amplitude_column", "amplitude_data",
)
"""Pins that the contract says nothing of."""


def write_pwm_contract(chip: Chip, core: str, text: str, adapter: str, name: str) -> str:
    """SystemVerilog of the contract ``name`` and its binding; see :func:`mho.rtl_gen.macro.contract.write_contract`."""
    cfg = PwmCoreConfig.from_chip(chip)
    signals = {pin: at for pin, at in contract_signals(PwmPins(cfg)).items() if pin not in _UNUSED and pin != "clk"}
    reset = "~rst_n" if chip.verilog.reset == "async_low" else "rst"
    bound = {"clk": "clk", "in_reset": f"{reset} | soft_reset{' | test_mode' if chip.verilog.test else ''}"}
    bound |= {pin: net for pin, net in connections(text, adapter).items() if pin in signals}
    ports = [f"input wire {'' if width == 1 else f'[{width - 1}:0] '}{pin}" for pin, (width, _) in signals.items()]
    values = {
        "NAME": name, "CORE": core, "PORTS": ",\n".join(f"  {port}" for port in ports),
        "WINDOW": cfg.window_cycles, "CONVERT": cfg.convert_cycles, "WINDOWS": cfg.phases,
        "SINGLE": " | (verify & windows == 3'd1)" if cfg.engine else "",
        "PULSE": "    pulse_alone: assert (~pulse | (~running & ~start));\n" if cfg.engine else "",
        "CONNECTIONS": ",\n".join(f"  .{port}({net})" for port, net in bound.items()),
        "STABLE": "{wl_en, step_code, shift}", "STABLE_TOP": cfg.mask_lines + 18,
    }
    return fill(template("macro_contract_pwm.sv"), values)
