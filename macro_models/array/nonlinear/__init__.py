"""Arrays whose cells are not linear: laws of cells and transistors, and the exact operating point."""

from mho.macro_models.array.nonlinear.laws import Cubic, MetalOxide, Ohmic, Sinh, Transistor
from mho.macro_models.array.nonlinear.solve import OperatingPoint, solve_array

__all__ = ["Cubic", "MetalOxide", "Ohmic", "OperatingPoint", "Sinh", "Transistor", "solve_array"]
