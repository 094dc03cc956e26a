"""Compact models of cells from the literature, and their answer to any voltage."""

from mho.macro_models.compact.models import MODELS, CompactModel, compact_model
from mho.macro_models.compact.transient import Waveform, drive, pulses, sine

__all__ = ["MODELS", "CompactModel", "Waveform", "compact_model", "drive", "pulses", "sine"]
