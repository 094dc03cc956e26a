"""What the C driver of a core has for commands to its engine."""

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Bank, Command
from mho.macro_models.integer.pwm.calibration import VECTORS
from mho.macro_models.pwm.programming import verify_step_code
from mho.rtl_gen.templates import fill, template

__all__ = ["engine_driver"]


def engine_driver(chip: Chip) -> str:
    """Its text, with names and sizes of a driver still to be filled in; empty without an engine."""
    if not PwmCoreConfig.from_chip(chip).engine:
        return ""
    own = PwmChip.of(chip)
    return fill(template("driver_engine.h"), {
        **{command.name: int(command) for command in Command}, **{f"BANK_{bank.name}": int(bank) for bank in Bank},
        "MODE": COMMAND_MODE, "VECTORS": VECTORS,
        "VERIFY": verify_step_code(own.macro_config(), own.write_parameters),
    })
