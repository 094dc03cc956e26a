"""The macro of an array whose columns share converters."""

from mho.hw.config import Chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.kinds import core_blocks
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.macro.contract import contract_signals, declared_ports
from mho.rtl_gen.templates import fill, template

_SPREAD = 3.7
"""Root mean square of the weights of the model, in its unit."""


def _values(chip: Chip) -> dict[str, object]:
    """What both texts say."""
    cfg, config = ArrayCoreConfig.from_chip(chip), ArrayChip.of(chip).macro_config()
    unit, verify_bits = max(1, 2 ** (config.g_bits - 5)), core_blocks(chip).pins.verify_bits or config.g_bits
    return {
        "UNIT": max(1, 2 ** (config.g_bits - verify_bits)), "LINES_OF": cfg.column_lines, "MIDDLE": config.middle,
        "WEIGHT": f"{unit} * ((row * 5 + column * 3 + row * column) % 13 - 6)", "DIGIT_BITS": cfg.digit_bits,
        "GROUPS": cfg.row_groups, "DIGITAL": cfg.digital, "BITS": config.bits, "TOP": 2 ** (config.bits - 1),
        "FULL": config.full_code, "CODES": cfg.codes, "STEP_OUT": config.step(_step_code(chip)),
        "PLANES": chip.operation(in_bits=4, in_signed=True).planes,
    }


def _step_code(chip: Chip) -> int:
    """Codes spread: a third of the range is the deviation of what a conversion takes of inputs of three planes."""
    chip = ArrayChip.of(chip)
    config = chip.macro_config()
    digit = 2 ** min(config.steps.digit_bits, 3) if config.digital else 8
    deviation = _SPREAD * 2.0 ** (config.g_bits - 5) * (config.rows / config.steps.row_groups) ** 0.5 * digit / 2.0
    step = 3.0 * deviation / config.most_steps(chip.operation(in_bits=4, in_signed=True))
    low, high = chip.step_codes
    return min(max(round(step * config.lsb_uS / config.full_uS * 2**STEP_FRACTION_BITS), low), high)


def _model(module: str, chip: Chip) -> str:
    cfg, config = ArrayCoreConfig.from_chip(chip), ArrayChip.of(chip).macro_config()
    together = "    if (convert)\n      convert_all;\n"
    pins = core_blocks(chip).pins
    sizes = {"ROWS": cfg.rows, "COLUMNS": cfg.columns}
    values = _values(chip)
    select = "write_bl" if "write_wl" not in pins.members else "write_wl"
    moved = sizes | {"UNIT": values["UNIT"], "MOST": 2**config.g_bits - 1}
    write = moved | {"SELECT": select}
    writes = "" if pins.verify_bits is None else fill(template("array_macro_write.v"), write)
    if cfg.update_cycles:
        writes += fill(template("array_macro_update.v"), moved)
    return fill(template("array_macro.v"), values | sizes | {
        "MODULE": module, "PORTS": declared_ports(contract_signals(pins)), "OUTPUTS": cfg.outputs,
        "LANES": cfg.lanes, "SWITCHED": " && wl_en[row]" if cfg.word_lines else "",
        "RATIO": repr(config.full_uS / config.lsb_uS), "FRACTION": 2**STEP_FRACTION_BITS,
        "SCALED": "q" if cfg.digital else f"(q <<< {cfg.digit_bits} * (step_of / {cfg.row_groups}))",
        "NEXT": "sample | capture" if cfg.digital else "sample | convert",
        "STEPWISE": "      convert_all;\n" if cfg.digital else "", "TOGETHER": "" if cfg.digital else together,
        "SHOWS": "sample | capture" if cfg.digital else "capture", "WRITE": writes,
    })


TEXTS = MacroTexts(
    model=_model, written="bench_program_array", step_code=_step_code,
    products=template("products_array.py"), values=_values,
)
