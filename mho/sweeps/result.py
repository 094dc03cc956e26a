"""Answers of a sweep: which designs are the best trade-offs, and all of it as plain numbers."""

from typing import Any

from mho.sweeps.evaluate import Row
from mho.sweeps.run import Sweep
from mho.sweeps.spec.measures import MEASURES, costs, front
from mho.sweeps.spec.spec import Spec
from mho.version import library_versions

__all__ = ["best", "content", "number_text", "objectives_of"]

_USUAL = (("accuracy", "agreement", "relative_error"), ("interval_us",), ("energy_nJ",), ("area_mm2",))


def objectives_of(sweep: Sweep, spec: Spec) -> tuple[tuple[str, bool], ...]:
    """Those of the file, or the score against time, energy and area, as far as designs differ in them."""
    if spec.search.objectives:
        return spec.search.objectives
    chosen = []
    for names in _USUAL:
        name = next((candidate for candidate in names if any(candidate in row for row in sweep.designs)), None)
        if name is not None and len({row.get(name) for row in sweep.designs}) > 1:
            chosen.append((name, MEASURES[name].more))
    return tuple(chosen)


def best(sweep: Sweep, spec: Spec) -> list[Row]:
    """Designs that no other is better than in every objective, the best in the first objective first."""
    objectives = objectives_of(sweep, spec)
    if not objectives:
        return []
    cost = costs(sweep.designs, objectives)
    numbers = [k for k, is_best in enumerate(front(cost)) if is_best]
    return [sweep.designs[k] for k in sorted(numbers, key=lambda k: tuple(cost[k]))]


def content(sweep: Sweep, spec: Spec) -> dict[str, Any]:
    """For JSON."""
    return {
        "versions": library_versions(),
        "networks": {name: {"sha256": work.sha256, "images": work.images} for name, work in spec.networks.items()},
        "seeds": list(spec.seeds),
        "objectives": {name: "max" if more else "min" for name, more in objectives_of(sweep, spec)},
        "rows": len(sweep.rows), "refused": len(sweep.refused),
        "best": best(sweep, spec), "designs": list(sweep.designs),
    }


def number_text(row: Row, name: str) -> str:
    """Mean and half of its interval, as a table shows them."""
    if name not in row:
        return ""
    value, half = row[name], row.get(f"{name}_half")
    if MEASURES[name].share:
        return f"{value:.2%}" + ("" if half is None else f" +- {half:.2%}")
    return f"{value:.4g}" + ("" if not half else f" +- {half:.2g}")
