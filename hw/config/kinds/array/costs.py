"""Energies and areas of an array whose columns share converters, by its description.

Closed forms of what NeuroSim V1.4 (J. Lee, A. Lu, W. Li, S. Yu, IEEE TCAS-I 71, 1733 (2024)) adds up gate by gate for
an array of one transistor and one memristor a cell, converters of successive approximation, and low-power transistors
of 130 to 22 nm: F is the node, V the supply, G = F c(F) the capacitance of a gate of width F. Every number of this
module is of that tool unless it says another source; docs/explanation/costs.md has what the forms lose.
"""

from itertools import pairwise
from math import log

from mho.hw.config.cost import ProcessSection

_GATE_FF_PER_UM = ((22.0, 1.43), (32.0, 1.69), (65.0, 2.39), (130.0, 3.18))
"""c(F): nodes in nm, and the capacitance of a gate by its width (predictive technology models, low power)."""
_PROCESS = ProcessSection(node_nm=32.0, vdd_V=0.9)
"""Of a chip that does not say its own."""

_WIRE_FF_PER_UM = 0.2
_CELL_WIDTH, _CELL_AREA = 12.0, 48.0
"""A cell of one transistor: along its word line in F, and in F**2."""
_ACCESS_PER_US = 0.065
"""Width of its transistor in F by the highest conductance: a quarter of the resistance of the cell at that."""
_ROW_GATES = 250.0
"""A driver of a row: its switches, and the registers of two rows, of which one is driven in the mean; in G."""
_ADD_GATES, _ADD_GATES_PER_BIT = 330.0, 77.0
"""Shift and add of a code: registers and adders by their activities, in G."""
_CONVERTER_UW, _CONVERTER_UW_PER_BIT = 0.32, 0.043
"""Power of a converter over F V**2 in nm V**2, while it takes a nanosecond a bit and one more."""

_ROW_AREA, _COLUMN_AREA, _SHIFTER_AREA = 4400.0, 5570.0, 26800.0
"""Areas in F**2: driver of a row; switches of a column; level shifter of a line for pulses, of which a row has two."""
_CONVERTER_AREA, _CONVERTER_AREA_PER_BIT = 63_000.0, 38_700.0
_ADD_AREA, _ADD_AREA_PER_BIT = 29_700.0, 5_560.0


def array_costs(
    process: ProcessSection, *, rows: int, columns: int, converters: int, bits: int, steps: int, g_max_uS: float
) -> dict[str, float]:
    """Numbers of ``[energy]`` in pJ and of ``[area]`` in mm2 by their dotted keys.

    Of an array of so many ``rows`` and ``columns`` of cells with up to ``g_max_uS``, in uS, and of so many
    ``converters`` of ``bits`` bits, a code in ``steps`` steps.
    """
    node, supply = process.node_nm or _PROCESS.node_nm, process.vdd_V or _PROCESS.vdd_V
    gate_fF, square_mm2 = node * _gate_fF_per_um(node) / 1000.0, (node * 1e-6) ** 2
    cell_fF = _WIRE_FF_PER_UM * _CELL_WIDTH * node / 1000.0 + _ACCESS_PER_US * g_max_uS * gate_fF
    power_uW = node * supply**2 * (_CONVERTER_UW + _CONVERTER_UW_PER_BIT * bits)
    return {
        "energy.row_pJ": (columns * cell_fF + _ROW_GATES * gate_fF) * supply**2 / 1000.0,
        "energy.conversion_pJ": power_uW * (steps + 1) / 1000.0,
        "energy.add_pJ": (_ADD_GATES + _ADD_GATES_PER_BIT * bits) * gate_fF * supply**2 / 1000.0,
        "area.cells_mm2": rows * columns * _CELL_AREA * square_mm2,
        "area.drivers_mm2": square_mm2 * (
            rows * (_ROW_AREA + 2.0 * _SHIFTER_AREA) + columns * (_COLUMN_AREA + _SHIFTER_AREA)),
        "area.converters_mm2": converters * (_CONVERTER_AREA + _CONVERTER_AREA_PER_BIT * bits) * square_mm2,
        "area.logic_mm2": converters * (_ADD_AREA + _ADD_AREA_PER_BIT * bits) * square_mm2,
    }


def _gate_fF_per_um(node: float) -> float:
    """Between nodes a power of the node, beyond them that of the nearest two."""
    pairs = list(pairwise(_GATE_FF_PER_UM))
    (less, low), (more, high) = next((pair for pair in pairs if node <= pair[1][0]), pairs[-1])
    return low * (node / less) ** (log(high / low) / log(more / less))
