"""The phase-change macro."""

from collections.abc import Sequence

import numpy as np

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.macro_models.integer.pwm.digital import PRODUCT_BITS
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.pwm.contract import write_pwm_contract
from mho.rtl_gen.pwm.engine_driver import engine_driver
from mho.rtl_gen.pwm.ideal import IdealMacro
from mho.rtl_gen.pwm.model import WEIGHT, ideal_counts, weight, window_charges, write_pwm_model


def _values(chip: Chip) -> dict[str, object]:
    cfg, config = PwmCoreConfig.from_chip(chip), PwmChip.of(chip).macro_config()
    return {
        "WEIGHT": WEIGHT, "PHASES": cfg.phases, "GAIN": cfg.gain_code, "TOP_COUNTS": cfg.top_counts,
        "STEP_OUT": config.step(_step_code(chip.lines)),
    }


def _defines(chip: Chip) -> dict[str, object]:
    cfg = PwmCoreConfig.from_chip(chip)
    sizes = {"MHO_DEVICE_LINES": cfg.mask_lines, "MHO_LANES": cfg.lanes, "MHO_LSB_CYCLES": cfg.lsb_cycles}
    return {**sizes, **({"MHO_ENGINE": ""} if cfg.engine else {})}


def _step_code(lines: int) -> int:
    # Codes spread over the range.
    return 6 * lines


def _product(chip: Chip, codes: Sequence[int]) -> list[int]:
    """In half steps: counts of both oscillators, times the gain after reset."""
    cfg, config, rows = PwmCoreConfig.from_chip(chip), PwmChip.of(chip).macro_config(), range(len(codes))
    weights = np.array([[weight(row, column) for column in rows] for row in rows])
    charges = window_charges(np.array(codes), weights, 1 if cfg.phases == 1 else 2)
    one, other = (ideal_counts(config, part, _step_code(chip.lines)) for part in charges)
    found = (one - other) * cfg.gain_code + (1 << PRODUCT_BITS - 1) >> PRODUCT_BITS
    return np.clip(found, -255, 255).tolist()


TEXTS = MacroTexts(
    model=write_pwm_model, contract=write_pwm_contract, bench="bench_pwm", inputs=lambda lines: lines,
    step_code=_step_code, products="products_pwm", values=_values, product=_product,
    body="body_pwm", defines=_defines, commanded=IdealMacro.from_chip, driver=engine_driver,
)
