"""The phase-change macro."""

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.pwm.contract import write_pwm_contract
from mho.rtl_gen.pwm.engine_driver import engine_driver
from mho.rtl_gen.pwm.ideal import IdealMacro
from mho.rtl_gen.pwm.model import WEIGHT, write_pwm_model
from mho.rtl_gen.templates import template


def _step_code(chip: Chip) -> int:
    # Codes spread over the range.
    return 6 * chip.lines


def _values(chip: Chip) -> dict[str, object]:
    cfg, config = PwmCoreConfig.from_chip(chip), PwmChip.of(chip).macro_config()
    return {
        "WEIGHT": WEIGHT, "PHASES": cfg.phases, "GAIN": cfg.gain_code, "TOP_COUNTS": cfg.top_counts,
        "STEP_OUT": config.step(_step_code(chip)),
    }


TEXTS = MacroTexts(
    model=write_pwm_model, contract=write_pwm_contract, step_code=_step_code, products=template("products_pwm.py"),
    values=_values, commanded=IdealMacro.from_chip, driver=engine_driver,
)
