"""The transposable macro."""

from hw.config import Chip
from hw.kinds import core_blocks
from rtl_gen.kinds import MacroTexts
from rtl_gen.macro.contract import write_contract
from rtl_gen.macro.model import CELL_PYTHON, write_macro_model


def _model(module: str, chip: Chip) -> str:
    return write_macro_model(module, chip.lines, core_blocks(chip).pins.verify_bits)


TEXTS = MacroTexts(
    model=_model, contract=write_contract, bench="bench", inputs=lambda lines: lines // 2,
    # About a fifth of the range of the sums, so that codes spread.
    step_code=lambda lines: max(1, lines // 8), products="products_tnsa",
    values=lambda chip: {"CELL": CELL_PYTHON},
)
