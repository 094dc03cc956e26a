"""Designs of a sweep as a figure shows them: the score against each cost, in groups."""

from collections.abc import Sequence

from mho.figures.compare import MOST_GROUPS, Panel, Series
from mho.sweeps.evaluate import Row
from mho.sweeps.spec.measures import MEASURES, costs, front
from mho.units import format_time

SCORES = ("accuracy", "agreement", "relative_error")
"""Measures of how good answers are: the first that is there is drawn."""
COSTS = ("interval_us", "latency_us", "energy_nJ", "area_mm2", "cores")
"""Measures of what they cost: a panel each, where designs differ in it."""
_PARTS = ("network", "chip", "device")


def score_of(designs: Sequence[Row]) -> str | None:
    """The measure of how good answers are; None where nothing has a result."""
    return next((name for name in SCORES if any(name in row for row in designs)), None)


def panels_of(designs: Sequence[Row], score: str, axes: Sequence[str]) -> list[Panel]:
    """A panel for each cost in which designs differ; two of ``axes`` with few values tell designs apart.

    The first has a colour for each value, the second a marker; a single one has both.
    """
    drawn = [row for row in designs if not row["error"]]
    shown = [name for name in COSTS if len({row.get(name) for row in drawn}) > 1] or ["interval_us"]
    groups = _groups(drawn, axes)
    return [
        Panel(
            title=MEASURES[cost].title,
            series=tuple(
                Series(name=name, colour=colour, marker=marker, **_points(rows, score, cost))
                for (name, colour, marker), rows in groups.items()
            ),
            best=_best(drawn, score, cost),
        )
        for cost in shown
    ]


def _scale(score: str) -> float:
    return 100.0 if MEASURES[score].share else 1.0


def _points(rows: Sequence[Row], score: str, cost: str) -> dict[str, list[float]]:
    rows, scale = [row for row in rows if cost in row and score in row], _scale(score)
    y = [scale * row[score] for row in rows]
    half = [scale * row.get(f"{score}_half", 0.0) for row in rows]
    return {
        "x": [row[cost] for row in rows], "x_half": [row.get(f"{cost}_half", 0.0) for row in rows], "y": y,
        "down": half,
        # A share ends at 1.
        "up": [min(h, 100.0 - v) if MEASURES[score].share else h for h, v in zip(half, y, strict=True)],
    }


def _best(rows: Sequence[Row], score: str, cost: str) -> list[tuple[float, float]]:
    """Best trade-offs of two measures, from left to right."""
    both = [(score, MEASURES[score].more), (cost, MEASURES[cost].more)]
    is_best = front(costs(rows, both))
    return sorted((rows[k][cost], _scale(score) * rows[k][score]) for k in range(len(rows)) if is_best[k])


def _groups(rows: Sequence[Row], axes: Sequence[str]) -> dict[tuple[str, int, int], list[Row]]:
    """Designs by their values in the first two columns that have some, but few: further axes first.

    By the text of the legend, the number of the colour and that of the marker.
    """
    further = [name for name in axes if name not in (*_PARTS, "time_s", "temp_C")]
    columns = {
        name: list(dict.fromkeys(row[name] for row in rows)) for name in (*further, *_PARTS, "time_s", "temp_C")
    }
    telling = [(name, values) for name, values in columns.items() if 1 < len(values) <= MOST_GROUPS][:2]
    if not telling:
        return {("designs", 0, 0): list(rows)}
    groups: dict[tuple[str, int, int], list[Row]] = {}
    for row in rows:
        numbers = [values.index(row[name]) for name, values in telling]
        label = ", ".join(_label(name, row[name]) for name, _ in telling)
        groups.setdefault((label, numbers[0], numbers[-1]), []).append(row)
    return groups


def _label(name: str, value: object) -> str:
    if name == "time_s" and isinstance(value, float):
        return f"after {format_time(value)}"
    return str(value) if name in _PARTS else f"{value:g} °C" if name == "temp_C" else f"{name} = {value}"
