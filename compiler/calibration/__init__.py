"""Calibration of a network on the model of its device: input codes, conductances, converter steps, integers."""

from typing import TYPE_CHECKING

from macro_models.lazy import lazy_names

if TYPE_CHECKING:
    from compiler.calibration.calibrate import Calibrated, Calibrator

__all__ = ["Calibrated", "Calibrator"]

__getattr__ = lazy_names(__name__, {
    "compiler.calibration.calibrate": ("Calibrated", "Calibrator"),
})
