"""The transposable macro."""

from mho.hw.config import Chip
from mho.hw.kinds import core_blocks
from mho.macro_models.integer.operation import MvmOperation
from mho.rtl_gen.kinds import MacroTexts
from mho.rtl_gen.templates import template
from mho.rtl_gen.tnsa.contract import write_contract
from mho.rtl_gen.tnsa.model import CELL_PYTHON, write_macro_model


def _model(module: str, chip: Chip) -> str:
    return write_macro_model(module, chip.lines, core_blocks(chip).pins.verify_bits)


TEXTS = MacroTexts(
    # A step code of about a fifth of the range of the sums, so that codes spread.
    model=_model, contract=write_contract, bench="bench", written="bench_program", step_code=lambda chip: 288,
    products=template("products_tnsa.py"), values=lambda chip: {"CELL": CELL_PYTHON},
    operation=lambda chip, in_bits, out_bits: MvmOperation(in_bits=in_bits, out_bits=out_bits),
)
