"""The layers of a run as a table: what each takes of work, time and energy, and with how many bits."""

import re
from collections.abc import Sequence

from mho.reports.facts import Facts
from mho.reports.table import table
from mho.results.compiled import TileCycles
from mho.results.facts import LayerRow
from mho.units import format_energy

__all__ = ["layer_table", "name_of"]

_COPY = re.compile(r"(.+) \d+/(\d+)")
"""Copies of a layer, of which each does a part of its positions."""


def name_of(layer: str) -> tuple[str, int]:
    """The layer that a copy is of, and how many there are; the layer itself, 1."""
    copy = _COPY.fullmatch(layer)
    return (layer, 1) if copy is None else (copy[1], int(copy[2]))


def layer_table(facts: Facts) -> str:
    """The table: copies of a layer together."""
    cost = facts.cost or {}
    energy, tiles = cost.get("energy"), cost.get("tiles")
    copies: dict[str, list[LayerRow]] = {}
    for layer in facts.layers:
        copies.setdefault(name_of(layer["layer"])[0], []).append(layer)
    headers = ["layer", "positions", "columns", "copies"]
    bits, cycles = cost.get("bits", {}), {} if tiles is None else _cycles(tiles["tiles"])
    headers += ["bits of its inputs", "bits of conversions"] * bool(bits)
    headers += ["cycles an input of its busiest array"] * bool(cycles)
    headers += ["energy of the macros an input"] * bool(energy)
    rows = []
    for name, members in copies.items():
        first, names = members[0], [member["layer"] for member in members]
        row = [name, f"{sum(member['positions'] for member in members):,}", f"{first['columns']:,}", str(len(members))]
        if bits:
            row += [str(bits.get(names[0], {}).get(key, "")) for key in ("in", "out")]
        if cycles:
            row.append(f"{max(cycles.get(member, 0.0) for member in names):,.0f}")
        if energy:
            row.append(format_energy(sum(energy["by_layer_pJ"].get(member, 0.0) for member in names)))
        rows.append(row)
    return table(headers, rows)


def _cycles(tiles: Sequence[TileCycles]) -> dict[str, float]:
    """Cycles of the busiest array that has a part of each layer, whatever else it has."""
    cycles: dict[str, float] = {}
    for tile in tiles:
        for layer in tile.get("layers", ()):
            cycles[layer] = max(cycles.get(layer, 0.0), tile["analog_cycles"])
    return cycles
