"""Runs side by side, as ``mho compare`` prints and draws them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mho.commands.compare.chips import row_of
from mho.terminal.console import Output

if TYPE_CHECKING:
    from mho.comparisons.runs import Difference, Run
    from mho.figures.compare import Point

__all__ = ["compare_runs", "series_of"]

_MOST_ROWS = 40


def compare_runs(paths: Sequence[str], output: str | None, out: Output) -> dict[str, object]:
    """Print, draw and return what runs have not alike: every one against the first."""
    from mho.comparisons.runs import MEASURES, read_run
    from mho.comparisons.runs import compare_runs as compare

    read = [read_run(path) for path in paths]
    first, content = read[0], []
    out.text(f"{first.path}: {MEASURES[first.measure]} {_score(first)}")
    for second in read[1:]:
        compared = compare(first, second)
        apart, took = compared.keys, compared.cost
        out.text(f"{second.path}: {MEASURES[second.measure]} {_score(second)}, {_sentence(compared.difference)}")
        content.append(compared.to_dict())
        names = Path(first.path).name, Path(second.path).name
        if took:
            out.table(("of an input", *names, "ratio"), [row_of(row) for row in took])
        for name, run in zip(names, (first, second), strict=True):
            if note := run.content["fit"]["note"]:
                out.warn(f"{name}: {note}")
        if apart:
            out.table(("differs", *names), [row.texts for row in apart[:_MOST_ROWS]])
        if len(apart) > _MOST_ROWS:
            out.text(f"and {len(apart) - _MOST_ROWS} keys more")
    if output is not None:
        from mho.figures.compare import figure_of_runs
        from mho.figures.run import save_figure

        save_figure(figure_of_runs(*series_of(read)), output, dpi=300)
        out.note(f"wrote {output}")
    return {"first": first.path, "measure": first.measure, "mean": first.mean, "compared": content}


def _score(run: "Run") -> str:
    interval = "" if run.half is None else f" +- {_number(run, run.half)}"
    return f"{_number(run, run.mean)}{interval} ({len(run.scores)} chip{'s' if len(run.scores) > 1 else ''})"


def _number(run: "Run", value: float) -> str:
    return f"{value:.4g}" if run.measure == "relative_error" else f"{value:.2%}"


def _sentence(difference: "Difference") -> str:
    how = {"chips": "chip by chip", "images": "image by image", "": "by their intervals"}[difference.over]
    if difference.value == 0.0 and not difference.half:
        return f"the same, {how}"
    if difference.half is None or difference.p is None:
        return f"difference {difference.value:+.4g}; one chip each says nothing of chance (mho run --seeds)"
    verdict = "more than chance" if difference.sure else "no more than chance"
    return f"difference {difference.value:+.4g} +- {difference.half:.2g}, {how}: {verdict} (p = {difference.p:.2g})"


def series_of(runs: Sequence["Run"]) -> tuple[list[tuple[str, list["Point"]]], str]:
    """Runs of one kind as points in time, by a name, and what their score is called.

    The name is that of the device, and of the file where devices are alike.
    """
    from mho.comparisons.runs import MEASURES

    kinds: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.time_s):
        kinds.setdefault(repr(_kind(run.content)), []).append(run)
    names = [str(members[0].content["options"].get("device", "")) for members in kinds.values()]
    title, share = MEASURES[runs[0].measure], runs[0].measure != "relative_error"
    series = [
        (name if names.count(name) == 1 else f"{name} ({Path(members[0].path).name})", [_point(run) for run in members])
        for name, members in zip(names, kinds.values(), strict=True)
    ]
    return series, f"{title} (%)" if share else title


def _point(run: "Run") -> "Point":
    from mho.figures.compare import Point

    half = run.half or 0.0
    if run.measure == "relative_error":
        return Point(run.time_s, run.mean, half, half)
    return Point(run.time_s, 100.0 * run.mean, 100.0 * half, 100.0 * min(half, 1.0 - run.mean))  # a share ends at 1


def _kind(content: Mapping[str, Any]) -> list[object]:
    options = {key: value for key, value in content["options"].items() if key not in ("time_s", "seeds")}
    hashes = {key: value for key, value in content["hashes"].items() if key != "input"}
    return [options, hashes]
