"""The transposable macro."""

from collections.abc import Sequence

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.macro.contract import write_contract
from mho.rtl_gen.macro.model import CELL_PYTHON, cell, expected, write_macro_model


def _model(module: str, chip: Chip) -> str:
    return write_macro_model(module, chip.lines, core_blocks(chip).pins.verify_bits)


def _step_code(lines: int) -> int:
    # About a fifth of the range of the sums, so that codes spread.
    return 288


def _product(chip: Chip, codes: Sequence[int]) -> list[int]:
    """In half steps: 2 n + 1 for n decrements that do not flip the sign."""
    result, rows = [], range(2 * len(codes))
    for sl in range(len(codes)):
        total = sum(code * (cell(2 * k, sl) - cell(2 * k + 1, sl)) for k, code in enumerate(codes))
        result.append(expected(total, sum(cell(bl, sl) for bl in rows), _step_code(chip.lines)))
    return result


TEXTS = MacroTexts(
    model=_model, contract=write_contract, bench="bench", inputs=lambda lines: lines // 2, step_code=_step_code,
    products="products_tnsa", values=lambda chip: {"CELL": CELL_PYTHON}, product=_product,
    body="body_tnsa",
)
