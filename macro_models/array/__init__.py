"""Resistive arrays with wires: exact effective matrices.

The circuit and the method are explained in ``docs/explanation/wires.md``.
"""

from mho.macro_models.array.cache import MatrixCache
from mho.macro_models.array.cells import analog_error
from mho.macro_models.array.effective import effective_codes, effective_matrix
from mho.macro_models.array.wires import Wires, ideal_matrix

__all__ = ["MatrixCache", "Wires", "analog_error", "effective_codes", "effective_matrix", "ideal_matrix"]
