"""Answers of a sweep: which designs are the best trade-offs, and all of it as plain numbers."""

from typing import Any

from mho.sweeps.evaluate import Row
from mho.sweeps.run import Sweep
from mho.sweeps.search.front import costs, front
from mho.sweeps.spec.measures import MEASURES
from mho.sweeps.spec.spec import Spec
from mho.version import library_versions

__all__ = ["best", "content", "number_text", "objectives_of"]

_USUAL = (("accuracy", "agreement", "relative_error"), ("interval_us",), ("energy_nJ",), ("area_mm2",))


def objectives_of(found: Sweep, spec: Spec) -> tuple[tuple[str, bool], ...]:
    """Those of the file, or the score against time, energy and area, as far as designs differ in them."""
    if spec.search.objectives:
        return spec.search.objectives
    chosen = []
    for names in _USUAL:
        name = next((one for one in names if any(one in row for row in found.designs)), None)
        if name is not None and len({row.get(name) for row in found.designs}) > 1:
            chosen.append((name, MEASURES[name].more))
    return tuple(chosen)


def best(found: Sweep, spec: Spec) -> list[Row]:
    """Designs that no other is better than in every objective, the best in the first objective first."""
    objectives = objectives_of(found, spec)
    if not objectives:
        return []
    cost = costs(found.designs, objectives)
    kept = [k for k, is_best in enumerate(front(cost)) if is_best]
    return [found.designs[k] for k in sorted(kept, key=lambda k: tuple(cost[k]))]


def content(found: Sweep, spec: Spec) -> dict[str, Any]:
    """For JSON."""
    return {
        "versions": library_versions(),
        "networks": {name: {"sha256": one.sha256, "images": one.images} for name, one in spec.networks.items()},
        "seeds": list(spec.seeds),
        "objectives": {name: "max" if more else "min" for name, more in objectives_of(found, spec)},
        "rows": len(found.rows), "refused": len(found.refused),
        "best": best(found, spec), "designs": list(found.designs),
    }


def number_text(row: Row, name: str) -> str:
    """Mean and half of its interval, as a table shows them."""
    if name not in row:
        return ""
    value, half = row[name], row.get(f"{name}_half")
    if MEASURES[name].share:
        return f"{value:.2%}" + ("" if half is None else f" +- {half:.2%}")
    return f"{value:.4g}" + ("" if not half else f" +- {half:.2g}")
