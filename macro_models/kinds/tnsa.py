"""Transposable neurosynaptic array: one matrix of cells, sensed in voltage mode from either side."""

from mho.macro_models.kinds import Family
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.model import TnsaModel
from mho.macro_models.tnsa.pin_level.macro import pin_level_macro

FAMILY = Family(config=TnsaConfig, model=TnsaModel, pin_level=pin_level_macro)
