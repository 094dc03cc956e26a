"""What a row of a sweep says of its point: names, units, and which way is better."""

from dataclasses import dataclass

__all__ = ["MEASURES", "Measure"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of a row."""

    title: str
    """With its unit, as an axis of a figure is called."""
    more: bool
    """Whether more is better."""
    share: bool = False
    """Whether it is a share of the images, 0..1."""


MEASURES = {
    "accuracy": Measure(title="accuracy", more=True, share=True),
    "agreement": Measure(title="same class as the float model", more=True, share=True),
    "relative_error": Measure(title="relative error of the outputs", more=False),
    "latency_us": Measure(title="latency of an input (µs)", more=False),
    "interval_us": Measure(title="interval from input to input (µs)", more=False),
    "latency_cycles": Measure(title="latency of an input (cycles)", more=False),
    "interval_cycles": Measure(title="interval from input to input (cycles)", more=False),
    "energy_nJ": Measure(title="energy of the macros for an input (nJ)", more=False),
    "area_mm2": Measure(title="area of the macros (mm²)", more=False),
    "cores": Measure(title="cores", more=False),
    "cells": Measure(title="cells of the cores", more=False),
    "mvms": Measure(title="conversions of an input", more=False),
}
"""Columns of results. A row leaves out what its chip does not say (energy without energies of its operations)."""
