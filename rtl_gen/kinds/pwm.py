"""The phase-change macro."""

from hw.config import Chip
from hw.pwm.config import PwmCoreConfig
from rtl_gen.kinds import MacroTexts
from rtl_gen.pwm.contract import write_pwm_contract
from rtl_gen.pwm.model import WEIGHT, write_pwm_model


def _values(chip: Chip) -> dict[str, object]:
    cfg = PwmCoreConfig.from_chip(chip)
    return {"WEIGHT": WEIGHT, "PHASES": cfg.phases, "GAIN": cfg.gain_code}


TEXTS = MacroTexts(
    model=write_pwm_model, contract=write_pwm_contract, bench="bench_pwm", inputs=lambda lines: lines,
    step_code=lambda lines: max(1, 8 * lines // 16), products="products_pwm", values=_values,
)
