"""Calibration of a network on the model of its device: input codes, conductances, converter steps, integers."""

from compiler.calibration.calibrate import Calibrated, Calibrator

__all__ = ["Calibrated", "Calibrator"]
