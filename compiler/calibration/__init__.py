"""Calibration of a network on the model of its device: input codes, conductances, converter steps, integers."""

from typing import TYPE_CHECKING

from mho.macro_models.registry import lazy_names

if TYPE_CHECKING:
    from mho.compiler.calibration.calibrate import Calibrated, Calibrator

__all__ = ["Calibrated", "Calibrator"]

__getattr__ = lazy_names(__name__, {"mho.compiler.calibration.calibrate": ("Calibrated", "Calibrator")})
