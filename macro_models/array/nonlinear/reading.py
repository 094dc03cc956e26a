"""Reads of arrays that are not linear, as the matrix of one operating point."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.array.effective import effective_matrix
from mho.macro_models.array.nonlinear.laws import CellLaw, Cubic, Ohmic, Sinh, Transistor
from mho.macro_models.array.nonlinear.solve import OperatingPoint, solve_array
from mho.macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on, check_mode
from mho.macro_models.devices.sections.conduction import Conduction
from mho.macro_models.types import Flags, Reals

_STEP = 1e-3
"""Part of the read voltage over which slopes are taken."""
_PASSES = 8
_MOST = 100.0  # how much more a cell conducts than it shows through its transistor


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How cells of a core are read where they are not linear."""

    conduction: Conduction
    v_V: float
    """Magnitude of the inputs, in V."""
    temp_C: float
    """Of the transistors, in degrees Celsius."""

    def matrix(self, g_S: Reals, wires: Wires, *, mode: Mode, wl: Flags, backward: bool) -> Reals:
        """See :func:`read_matrix`."""
        return read_matrix(
            g_S, wires, self.conduction, self.v_V, mode=mode, wl=wl, backward=backward, temp_C=self.temp_C
        )


def read_matrix(
    g_S: ArrayLike, wires: Wires, conduction: Conduction, v_V: float, *, mode: Mode = "voltage",
    wl: ArrayLike | None = None, backward: bool = False, temp_C: float = 25.0,
) -> Reals:
    """The effective matrix of cells that conduct as they do when all lines are driven to ``v_V``, signs in turn.

    Each cell gives a line at 0 V the current that it has there. An open line settles where its cells' currents cancel,
    against the slopes of these currents: that of a superlinear cell is larger than its current over its voltage, and
    larger the more inputs are not 0. Half of them are taken to be 0, as a matrix cannot follow the inputs. A shared
    supply takes from all what it does in the mean at that point, where each of its polarities feeds half of the rows.
    Cells of word lines that are off leak. Arguments and result else as of
    :func:`~mho.macro_models.array.effective_matrix`.
    """
    g = check_conductances(g_S)
    on = check_lines_on(wl, len(g))
    signs = np.where(np.arange(g.shape[1] if backward else g.shape[0]) % 2, -v_V, v_V)

    def point(scale: float, supply: bool = False) -> OperatingPoint:
        shared = conduction if supply else replace(conduction, supply_ohm=0.0)
        return read_point(g, wires, shared, scale * signs, 0.0, on, backward, temp_C)

    driven, left = point(1.0), 1.0
    if conduction.supply_ohm:
        left = float(np.abs(point(1.0, supply=True).cell_A).sum()) / max(float(np.abs(driven.cell_A).sum()), 1e-300)
    conducting = _ratio(driven.cell_A, driven.cell_V)
    if check_mode(mode) == "current":
        return left * effective_matrix(conducting, wires, mode=mode, backward=backward)
    less, idle = point(1.0 - _STEP), point(_STEP)
    slope = _ratio(driven.cell_A - less.cell_A, driven.cell_V - less.cell_V)
    load = (slope + _ratio(idle.cell_A, idle.cell_V)) / 2.0
    part = left * _ratio(conducting, load)
    return effective_matrix(load, wires, mode=mode, backward=backward) * (part.T if backward else part)


def _ratio(upper: Reals, lower: Reals) -> Reals:
    """What is at least 0 and finite of a quotient, else 0."""
    return np.maximum(np.divide(upper, lower, out=np.zeros_like(upper), where=lower != 0.0), 0.0)


def read_point(
    g: Reals, wires: Wires, conduction: Conduction, volts: Reals, tied: float, on: Flags, backward: bool,
    temp_C: float,
) -> OperatingPoint:
    """The array with some lines driven and the others tied to a voltage, or open."""
    others = np.full(g.shape[0] if backward else g.shape[1], tied)
    rows, columns = (others, volts) if backward else (volts, others)
    if backward:  # drivers are at the columns
        wires = replace(wires, r_driver_ohm=wires.r_sense_ohm, r_sense_ohm=wires.r_driver_ohm)
    options = _options(conduction, on, temp_C)
    if not options["access"]:
        g = np.where(on[:, None], g, 0.0)
    return _shifted(_bare(g, conduction, temp_C), wires, rows, columns, conduction, options)


def _shifted(
    g: Reals, wires: Wires, rows: Reals, columns: Reals, conduction: Conduction, options: dict[str, Any],
) -> OperatingPoint:
    """Solve with voltages from the substrate, where there are transistors, and give them as they were asked for."""
    shift = conduction.substrate_V if options["access"] is not None else 0.0
    if not shift:
        return solve_array(g, wires, rows, columns, r_supply_ohm=conduction.supply_ohm, **options)
    options = {**options, "gates_V": options["gates_V"] - shift}
    point = solve_array(g, wires, rows - shift, columns - shift, r_supply_ohm=conduction.supply_ohm, **options)
    return replace(point, row_V=point.row_V + shift, column_V=point.column_V + shift)


def _options(conduction: Conduction, on: Flags, temp_C: float) -> dict[str, Any]:
    """Law, transistor and gates as the solver takes them."""
    law: CellLaw = Ohmic()
    if conduction.v0_V > 0.0:
        law = Sinh(v0_V=conduction.v0_V)
    elif conduction.cubic_per_V2 > 0.0:
        law = Cubic(per_V2=conduction.cubic_per_V2)
    if not conduction.access_uA_V2:
        return {"law": law, "access": None, "gates_V": None}
    access = Transistor(
        beta_uA_V2=conduction.access_uA_V2, threshold_V=conduction.access_threshold_V, slope=conduction.access_slope,
        temp_C=temp_C,
    )
    return {"law": law, "access": access, "gates_V": np.where(on, conduction.gate_V, conduction.off_gate_V)}


def _bare(g: Reals, conduction: Conduction, temp_C: float) -> Reals:
    """Conductances of the cells alone that a verify read through their transistors finds to be ``g``."""
    every, bare, conduction = np.ones(g.shape[0], dtype=np.bool_), g.copy(), replace(conduction, supply_ohm=0.0)
    options = _options(conduction, every, temp_C)
    rows, columns = np.full(g.shape[0], conduction.verify_V), np.zeros(g.shape[1])
    for _ in range(_PASSES if options["access"] is not None else 1):
        point = _shifted(bare, Wires(), rows, columns, conduction, options)
        found = point.cell_A / conduction.verify_V
        ratio = np.divide(g, found, out=np.ones_like(g), where=found > 0.0)
        bare = np.minimum(bare * ratio, g * _MOST)
        if np.abs(ratio - 1.0).max() < 1e-9:
            break
    return bare
