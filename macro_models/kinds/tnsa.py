"""Transposable neurosynaptic array: one matrix of cells, sensed in voltage mode from either side."""

from mho.macro_models.kinds import Family
from mho.macro_models.tnsa.config import TnsaConfig
from mho.macro_models.tnsa.eager.neuron import eager_macro
from mho.macro_models.tnsa.model import TnsaModel

FAMILY = Family(config=TnsaConfig, model=TnsaModel, eager=eager_macro)
