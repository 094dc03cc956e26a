"""``mho sweep``, for the command and for Python: rows, tables, figures and what is said of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mho.api.inputs import PathLike
from mho.hw.config import warnings
from mho.macro_models.errors import ToolError
from mho.sweeps import Folder, Spec, Sweep, load_spec, run_sweep
from mho.sweeps.evaluate import Row
from mho.sweeps.run import bounded_jobs
from mho.sweeps.spec.measures import MEASURES, costs, front
from mho.sweeps.spec.points import Space
from mho.terminal.console import Output, Silent
from mho.units import format_time
from mho.version import library_versions

_MOST_ROWS = 40
_WARNINGS = 3
"""Sentences about chips at most."""
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


def sweep(
    spec: PathLike, folder: PathLike, *, jobs: int | None = 1, progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Sweep:
    """Run combinations of chips, devices, networks, seeds, times and temperatures, or the best of them.

    Raises InputError if the file is wrong, or there is no memory for as many processes. Raises ToolError if none of the
    rows has a result.

    Parameters
    ----------
    spec
        TOML file that lists what is combined (``mho sweep --example`` prints one).
    folder
        Of the rows, tables and figures. What is there already is not run again.
    jobs
        Processes; None: one for each processor, as far as the memory allows. A script that asks for more than one
        guards what it does by ``if __name__ == "__main__":``, as Python's own need.
    progress
        Called with (rows done, rows at most).
    note
        Called with sentences about memory, and with warnings.
    """
    work, rows, out = load_spec(Path(spec)), Folder(Path(folder)), Silent()
    say = note or (lambda sentence: None)
    result = run_sweep(work, rows, jobs=bounded_jobs(work, jobs, work.rows, say), progress=progress)
    write_sweep(work, result, rows, out)
    for sentence in out.warned:
        say(sentence)
    return result


def write_sweep(spec: Spec, result: Sweep, folder: Folder, out: Output) -> None:
    """Tables, figure and JSON, and the best of it on stdout."""
    from mho.figures.compare import figure_of_trade_offs
    from mho.figures.run import save_figure
    from mho.sweeps.panels import panels_of, score_of

    axes = [name for name, _ in Space(spec).axes]
    summary = content(result, spec)
    written = [*folder.write_table("rows", result.rows), *folder.write_table("designs", result.designs)]
    written.append(folder.write_json("rows.json", list(result.rows)))
    if (score := score_of(result.designs)) is not None:
        title = f"{MEASURES[score].title}{' (%)' if MEASURES[score].share else ''}"
        figure = figure_of_trade_offs(panels_of(result.designs, score, axes), title)
        for end in ("png", "svg"):
            written.append(folder.path / f"trade-offs.{end}")
            save_figure(figure, written[-1])
    written.append(folder.write_json("sweep.json", summary))
    if result.refused:
        out.warn(
            f"{len(result.refused)} of {len(result.rows)} rows are refused, the first ({result.refused[0]['point']}): "
            f"{result.refused[0]['error']}"
        )
    over = [row for row in result.designs if row.get("fits") is False]
    if over:
        out.warn(
            f"{len(over)} of {len(result.designs)} designs do not fit one chip (column fits): their figures are of as "
            "many chips as hold the network, and know nothing of programming between layers"
        )
    _print(best(result, spec), axes, summary["objectives"], out)
    of_chips = dict.fromkeys(
        sentence for chip in spec.built.values() if not isinstance(chip, str) for sentence in warnings(chip)
    )
    for sentence in list(of_chips)[:_WARNINGS]:
        out.warn(sentence)
    out.note(f"wrote {', '.join(path.name for path in written)} in {folder.path}")
    out.json(summary)
    if len(result.refused) == len(result.rows):
        raise ToolError(f"{folder.path}: none of {len(result.rows)} rows has a result: {result.refused[0]['error']}")


def _print(designs: Sequence[Row], axes: Sequence[str], objectives: dict[str, str], out: Output) -> None:
    """The best trade-offs, by the first objective."""
    if not designs:
        return
    columns = [name for name in axes if len({row[name] for row in designs}) > 1]
    goals = ", ".join(f"{goal} {name}" for name, goal in objectives.items())
    out.text(f"best trade-offs ({goals}): {len(designs)} of the designs, with 90 % intervals of their means")
    rows = [
        (
            *(format_time(row[name]) if name == "time_s" else row[name] for name in columns),
            *(number_text(row, name) for name in objectives),
        )
        for row in designs[:_MOST_ROWS]
    ]
    out.table((*columns, *objectives), rows)
    if len(designs) > _MOST_ROWS:
        out.text(f"and {len(designs) - _MOST_ROWS} more, in designs.csv")
