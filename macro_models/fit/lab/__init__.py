"""Tables as laboratories have them, made into a header and rows of fields in plain notation.

:mod:`.sheet` decodes and splits, :mod:`.titles` knows names and units, :mod:`.wide` turns wide tables, and
:mod:`.titles` refuses what is in another unit by all appearance.
"""

from mho.macro_models.fit.lab.sheet import MISSING, Sheet, is_number, read_sheet
from mho.macro_models.fit.lab.titles import CONVERTED, check_units, renamed, unit_factor, unit_row
from mho.macro_models.fit.lab.wide import tidy

__all__ = [
    "CONVERTED", "MISSING", "Sheet", "check_units", "is_number", "read_sheet", "renamed", "tidy", "unit_factor",
    "unit_row",
]
