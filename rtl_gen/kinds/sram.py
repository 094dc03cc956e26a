"""The macro of a digital array in Verilog: bits, trees of adders, and accumulators."""

from mho.hw.config import Chip
from mho.hw.config.kinds.sram import SramChip
from mho.hw.kinds import core_blocks
from mho.hw.kinds.sram import SramCoreConfig
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.macro.contract import contract_signals, declared_ports
from mho.rtl_gen.templates import fill, template


def _values(chip: Chip) -> dict[str, object]:
    """What both texts say: weights spread over their range."""
    bits, cfg = SramChip.of(chip).core.weight_bits, SramCoreConfig.from_chip(chip)
    top = max(1, (1 << bits - 1) - 1)
    pattern = "(row * 5 + column * 3 + row * column)"
    weight = f"{pattern} % 2 * 2 - 1" if bits == 1 else f"{pattern} % {2 * top + 1} - {top}"
    return {
        "WEIGHT": weight, "BITS": bits, "ROWS": cfg.rows, "OUTPUTS": cfg.outputs, "LANES": cfg.lanes,
        "SUM_BITS": cfg.sum_bits,
    }


def _step_code(chip: Chip) -> int:
    """Sums spread: three deviations of products of inputs of three planes are the largest code."""
    bits = SramChip.of(chip).core.weight_bits
    deviation = 2.0 ** (bits - 1) / 3.0**0.5 * 4.0 * chip.lines**0.5
    return chip.step_code(3.0 * deviation / chip.operation(in_bits=4, in_signed=True, out_bits=8).max_steps)


def _model(module: str, chip: Chip) -> str:
    ports = declared_ports(contract_signals(core_blocks(chip).pins))
    return fill(template("sram_macro.v"), _values(chip) | {"MODULE": module, "PORTS": ports})


TEXTS = MacroTexts(model=_model, step_code=_step_code, products=template("products_sram.py"), values=_values)
