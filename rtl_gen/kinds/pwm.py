"""The phase-change macro: an ideal model in Verilog-2005 and Python, the contract of its pins, its commands in C."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.config.kinds.pwm import PwmChip
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Bank, Command
from mho.hw.kinds.pwm.pins import PwmPins
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.macro_models.integer.pwm.calibration import VECTORS
from mho.macro_models.integer.pwm.converter import (
    COUNT_BITS,
    LEVEL_BITS,
    LEVEL_TOP,
    POSITIVE,
    Oscillators,
    Trim,
    counts,
    level,
)
from mho.macro_models.pwm.config import PwmConfig
from mho.macro_models.pwm.programming import verify_step_code
from mho.macro_models.types import Integers
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.macro.contract import bound_nets, contract_signals, declared_ports
from mho.rtl_gen.templates import fill, template
from mho.rtl_gen.verilog.names import range_text

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
    line). With an engine it answers as :class:`IdealMacro` does.
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


@dataclass(kw_only=True, eq=False)
class IdealMacro:
    """Of :func:`write_pwm_model`, for a ``CommandReference`` of :mod:`mho.hw.kinds.pwm.engine`.

    Reference currents count their quarters of the highest frequency, less the last two bits of the column. A device
    counts 255 less the amplitude of its last pulse, whatever the step code.
    """

    config: PwmConfig
    weights: Integers
    cells: Integers
    """Counts of the devices, ``[driven line, column]``."""
    windows: int
    calibration: object = None
    """What commands need of a macro, see :class:`mho.hw.kinds.pwm.engine.reference.CommandReference`."""

    @classmethod
    def from_chip(cls, chip: Chip) -> "IdealMacro":
        """The macro of a chip."""
        cfg, n = PwmCoreConfig.from_chip(chip), chip.lines
        return cls(
            config=PwmChip.of(chip).macro_config(), windows=1 if cfg.phases == 1 else 2,
            weights=np.array([[weight(row, column) for column in range(n)] for row in range(n)]),
            cells=np.zeros((cfg.mask_lines, n), dtype=np.int64),
        )

    def reference_counts(
        self, trim: Trim, positive: int, negative: int, op_id: NDArray[np.uint64]
    ) -> tuple[Integers, Integers]:
        """Counters of conversions of reference currents, (conversions, columns) each."""
        top, columns = self.config.top_counts, np.arange(self.config.lines)

        def counted(level: int) -> Integers:
            quarter = level // ((top << LEVEL_BITS) // 4)
            counts = np.maximum(self.windows * (top // 4) * quarter - columns % 4, 0) if quarter else 0 * columns
            return np.broadcast_to(counts, (len(op_id), len(columns)))

        return counted(positive), counted(negative)

    def read_vector(self, x: Integers, numbers: NDArray[np.uint64], step_code: int) -> Integers:
        """Differences of the counters of a vector, the same in all reads, (reads, columns)."""
        positive, negative = (
            ideal_counts(self.config, charges, step_code) for charges in window_charges(x, self.weights, self.windows)
        )
        return np.broadcast_to(positive - negative, (len(numbers), len(positive)))

    def pulse(self, line: int, amplitude: Integers, on: NDArray[np.bool_]) -> None:
        """Pulse the devices of a driven line in the columns ``on``."""
        self.cells[line] = np.where(on, 255 - amplitude, self.cells[line])

    def read_numbered(self, line: int, number: int, step_code: int) -> Integers:
        """Counts of the devices of a driven line."""
        return self.cells[line].copy()


_UNUSED = (
    "op_id", "count_pos", "count_neg", "reference", "reference_pos", "reference_neg", "amplitude_write",
    "amplitude_column", "amplitude_data",
)
"""Pins that the contract says nothing of."""


def write_pwm_contract(chip: Chip, core: str, text: str, adapter: str, name: str) -> str:
    """SystemVerilog of the contract ``name`` and its binding; see :func:`mho.rtl_gen.macro.contract.write_contract`."""
    cfg = PwmCoreConfig.from_chip(chip)
    signals = {pin: at for pin, at in contract_signals(PwmPins(cfg)).items() if pin not in _UNUSED and pin != "clk"}
    ports = [f"  input wire {range_text(width)}{pin}" for pin, (width, _) in signals.items()]
    values = {
        "NAME": name, "CORE": core, "PORTS": ",\n".join(ports),
        "WINDOW": cfg.window_cycles, "CONVERT": cfg.convert_cycles, "WINDOWS": cfg.phases,
        "SINGLE": " | (verify & windows == 3'd1)" if cfg.engine else "",
        "PULSE": "    pulse_alone: assert (~pulse | (~running & ~start));\n" if cfg.engine else "",
        "CONNECTIONS": bound_nets(chip, text, adapter, signals, *["test_mode"] * chip.verilog.test),
        "STABLE": "{wl_en, step_code, shift}", "STABLE_TOP": cfg.mask_lines + 18,
    }
    return fill(template("macro_contract_pwm.sv"), values)


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
