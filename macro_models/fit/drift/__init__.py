"""Cells that drift: the law of their lines, how sure it is, its floor, its temperature, and the device.

:mod:`.lines` has a line for each cell, :mod:`.law` the law that they follow, :mod:`.errors` how far other cells would
have moved it, :mod:`.floor` the least conductance, :mod:`.heat` the activation energy; :mod:`.device` makes the device
and :mod:`.choice` decides between it and quantiles.
"""

from mho.macro_models.fit.drift.choice import LAWS, fit_law

__all__ = ["LAWS", "fit_law"]
