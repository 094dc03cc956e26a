"""Energies and areas that follow what a description changes of the one that states them."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from mho.hw.config.chip import Chip
from mho.hw.config.tree import build_chip
from mho.macro_models.errors import InputError

__all__ = ["with_costs"]

_SECTIONS = ("energy", "area")
_DIGITS = 6
"""Significant digits of a scaled number."""


def with_costs(
    base: Mapping[str, Any], merged: dict[str, Any], stated: Mapping[str, Any], chip: type[Chip]
) -> dict[str, Any]:
    """``merged`` with numbers of ``[energy]`` and ``[area]`` that are right for it.

    ``merged`` is ``base`` with what is ``stated`` on top of it. What is stated stays, and a source that is stated is
    that of all numbers, so that no others are known. A number of ``base`` is scaled by
    :meth:`~mho.hw.config.Chip.relative_costs`, and ``extrapolated`` of its section says what changed.
    """
    costs, left = {section: dict(merged.get(section, {})) for section in _SECTIONS}, []
    for section, table in costs.items():
        stated_here, before = stated.get(section, {}), base.get(section, {})
        numbers = [name for name, value in stated_here.items() if isinstance(value, int | float)]
        if "source" in stated_here:
            costs[section] = dict(stated_here)
            continue
        if numbers and table.get("source"):
            table["source"] += f"; {', '.join(numbers)} as changed since"
        left += [(section, n) for n, v in before.items() if isinstance(v, int | float) and v and n not in numbers]
    factors, changes = _change(base, merged, chip) if left and stated else ({}, "")
    for section, name in left:
        factor = factors.get(f"{section}.{name}", 1.0)
        if abs(factor - 1.0) > 1e-12:
            table, since = costs[section], base[section].get("extrapolated")
            table[name] = float(f"{table[name] * factor:.{_DIGITS}g}")
            table["extrapolated"] = f"{since}; {changes}" if since else changes
    return merged | {section: table for section, table in costs.items() if section in merged}


def _change(base: Mapping[str, Any], merged: Mapping[str, Any], chip: type[Chip]) -> tuple[dict[str, float], str]:
    """Factors of the numbers by dotted keys, and what changed."""
    try:
        before, after = (build_chip(tree, chip, str) for tree in (base, merged))
    except InputError:
        return {}, ""  # said where the whole is built, with the place of the value
    changes = [(name, _value(before, name), _value(after, name)) for name in chip.cost_keys]
    sentence = ", ".join(f"{name} {old:g} to {new:g}" for name, old, new in changes if old != new)
    return after.relative_costs(before), sentence


def _value(chip: Chip, name: str) -> float:
    """The number of a dotted key."""
    return reduce(getattr, name.split("."), chip)  # type: ignore[arg-type]
