"""Resistive arrays with wires: exact effective matrices, settling.

The circuit and the method are explained in ``docs/explanation/wires.md``.
"""

from mho.macro_models.array.cache import MatrixCache
from mho.macro_models.array.deviation import AnalogError, analog_error
from mho.macro_models.array.effective import effective_codes, effective_matrix
from mho.macro_models.array.settling import ExactSettling, OnePole, one_pole
from mho.macro_models.array.wires import Mode, Wires, ideal_matrix

__all__ = [
    "AnalogError",
    "ExactSettling",
    "MatrixCache",
    "Mode",
    "OnePole",
    "Wires",
    "analog_error",
    "effective_codes",
    "effective_matrix",
    "ideal_matrix",
    "one_pole",
]
