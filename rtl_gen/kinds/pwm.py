"""The phase-change macro."""

from collections.abc import Sequence

from hw.config import Chip
from hw.pwm.config import PwmCoreConfig
from macro_models.exact.pwm.digital import PRODUCT_BITS
from rtl_gen.kinds import MacroTexts
from rtl_gen.pwm.contract import write_pwm_contract
from rtl_gen.pwm.ideal import IdealMacro
from rtl_gen.pwm.model import WEIGHT, weight, write_pwm_model


def _values(chip: Chip) -> dict[str, object]:
    cfg = PwmCoreConfig.from_chip(chip)
    return {"WEIGHT": WEIGHT, "PHASES": cfg.phases, "GAIN": cfg.gain_code}


def _step_code(lines: int) -> int:
    return max(1, 8 * lines // 16)


def _product(chip: Chip, codes: Sequence[int]) -> list[int]:
    """In half steps: counts of both oscillators, times the gain after reset."""
    cfg, result = PwmCoreConfig.from_chip(chip), []
    for column in range(len(codes)):
        parts = [code * weight(row, column) for row, code in enumerate(codes)]
        positive, negative = sum(part for part in parts if part > 0), -sum(part for part in parts if part < 0)
        if cfg.phases == 1:
            positive, negative = max(positive - negative, 0), max(negative - positive, 0)
        one, other = (min(16 * total // _step_code(chip.lines), 4095) for total in (positive, negative))
        code = (one - other) * cfg.gain_code + (1 << PRODUCT_BITS - 1) >> PRODUCT_BITS
        result.append(min(max(code, -255), 255))
    return result


TEXTS = MacroTexts(
    model=write_pwm_model, contract=write_pwm_contract, bench="bench_pwm", inputs=lambda lines: lines,
    step_code=_step_code, products="products_pwm", values=_values, product=_product,
    commanded=IdealMacro.from_chip,
)
