"""The number that all cells of a chip share: its place among the dies."""

from mho.macro_models.integer.random import Purpose, normal_codes

__all__ = ["chip_code"]

_STEP = 1 << 16


def chip_code(seed: int, which: int) -> int:
    """Normal code of the chip ``seed``, the same on all its cores: ``which`` 0 of programming, 1 of the change."""
    return int(normal_codes(Purpose.RELAXATION, seed=seed, core=0, items=1, step=_STEP + which)[0])
