"""An ideal phase-change macro in Verilog-2005, so that a generated design runs before its macro has a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.pins import PwmPins
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.macro_models.integer.pwm.converter import (
    COUNT_BITS,
    LEVEL_TOP,
    POSITIVE,
    Oscillators,
    counts,
    level,
)
from mho.macro_models.pwm.config import PwmConfig
from mho.rtl_gen.macro.signals import contract_signals, declared_ports
from mho.rtl_gen.templates import fill, template

__all__ = ["WEIGHT", "ideal_counts", "weight", "window_charges", "write_pwm_model"]

WEIGHT = "512 * ((row * 5 + column * 3 + row * column) % 13 - 6)"
"""Weight of a row and a column of the model, as the code of its device; it means the same in Python and in Verilog."""


def weight(row: int, column: int) -> int:
    """Weight of the model at a row and a column."""
    return 512 * ((row * 5 + column * 3 + row * column) % 13 - 6)


_FOUR = {"positive": ("grown(pp)", "grown(nn)"), "negative": ("grown(pn)", "grown(np)")}
_ONE = {"positive": ("grown(pp + nn - pn - np)",), "negative": ("grown(pn + np - pp - nn)",)}
"""What phases of the oscillators grow by in their windows, by the signs of inputs and devices."""


def window_charges(x: NDArray[Any], weights: NDArray[Any], windows: int) -> tuple[list[NDArray[Any]], ...]:
    """Accumulated products of the windows of the positive and of the negative oscillators, of weights [row, column]."""
    if windows == 1:
        total = x @ weights
        return [total], [-total]
    signs = [(np.maximum(s * x, 0), np.maximum(t * weights, 0)) for s, t in ((1, 1), (-1, -1), (1, -1), (-1, 1))]
    products = [rows @ devices for rows, devices in signs]
    return products[:2], products[2:]


def ideal_counts(config: PwmConfig, charges: Sequence[NDArray[Any]], step_code: int) -> NDArray[np.int64]:
    """Counts of oscillators without any error, for the accumulated product of each of their windows."""
    oscillators, step = Oscillators.ideal(len(charges[0]), config.top_counts), config.step(step_code)
    grown = sum(
        oscillators.grow(POSITIVE, level(np.maximum(q, 0).astype(np.float64), step, config.nominal_gain_code))
        for q in charges
    )
    return counts(np.full(len(charges[0]), 2.0 ** (COUNT_BITS - 1)), np.asarray(grown)).astype(np.int64)


def write_pwm_model(module: str, chip: Chip) -> str:
    """Verilog of an ideal macro with the pins of the contract.

    It has the law of the converter that networks are compiled for (:mod:`mho.macro_models.integer.pwm.converter`),
    without any error and without trim registers. A weight has one device of its sign, whose code is its magnitude;
    where ``CELLS_FILE`` is defined, devices have the codes of the file ``+cells=FILE`` (hexadecimal, word line by word
    line). With an engine it answers as :class:`mho.rtl_gen.pwm.ideal.IdealMacro` does.
    """
    cfg, config = PwmCoreConfig.from_chip(chip), PwmChip.of(chip).macro_config()
    engine = ("pwm_macro_engine.v", "pwm_macro_counted.v")
    storage, counted = (template(name) if cfg.engine else "" for name in engine)
    windows = _FOUR if cfg.phases > 1 else _ONE
    levels = "".join(
        f"        {name} = ({2 ** (COUNT_BITS - 1)} + {' + '.join(parts)}) >> {COUNT_BITS};\n"
        for name, parts in windows.items()
    )
    return fill(template("pwm_macro.v"), {
        "KEPT": storage, "COUNTED": counted, "LEVELS": levels, "MODULE": module,
        "PORTS": declared_ports(contract_signals(PwmPins(cfg))), "WEIGHT": WEIGHT, "LINES": cfg.lines,
        "CELLS": cfg.cells, "EACH": cfg.cells // 2, "WIDTH": cfg.count_bits, "GROUP": cfg.lanes * cfg.count_bits,
        "RATIO": repr(config.full_conductance_uS / config.lsb_uS), "FRACTION": 2**STEP_FRACTION_BITS,
        "GAIN": config.nominal_gain_code, "LSB_CYCLES": cfg.lsb_cycles, "LEVEL_TOP": LEVEL_TOP,
        "TOP_PHASE": cfg.top_counts << COUNT_BITS, "TOP_COUNTS": cfg.top_counts,
        "QUARTER": (1 if cfg.phases == 1 else 2) * (cfg.top_counts // 4),
    })
