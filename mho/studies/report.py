"""``mho report``, for the command and for Python: the page, its figures, the silicon behind it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from mho.api.inputs import PathLike
from mho.macro_models.errors import InputError, argument
from mho.macro_models.output import write_output
from mho.results.result import Result
from mho.studies.compare import run_of_result
from mho.terminal.console import Output, Silent

if TYPE_CHECKING:
    from mho.reports.facts import Facts


def report(
    results: "Result | PathLike | Sequence[Result | PathLike]", path: PathLike, *, labels: ArrayLike | None = None,
    figures: PathLike | None = None, liberty: PathLike | None = None, activity: PathLike | None = None,
    memories: Sequence[PathLike] = (), layout: PathLike | None = None,
) -> list[dict[str, str]]:
    """Write one self-contained HTML page of runs: what limits accuracy, time and energy, and what would help.

    Raises InputError if one is no run, or a file cannot be read. Raises ToolError if the page cannot be written, or a
    tool fails.

    Parameters
    ----------
    results
        Results, or files that ``save_json`` or ``mho run --json`` wrote. The page has the error budget of a result that
        was asked for it.
    labels
        By which results are scored that are no files.
    figures
        Folder for each figure as SVG and PDF.
    liberty, activity, memories
        Standard cells, for the area of the Verilog; waveforms of the one run, for its energy; macros of memories.
    layout
        JSON of ``mho harden``, of the chip of a run: its area, clock and power with wires.

    Returns
    -------
    For each run ``run``, ``title``, ``accuracy``, ``time`` and ``energy`` as the page says them in words.
    """
    from mho.reports.facts import facts_of

    several = results if isinstance(results, Sequence) and not isinstance(results, str) else [results]
    facts = [facts_of(run_of_result(result, f"result {number}", labels)) for number, result in enumerate(several, 1)]
    summaries = write_report(
        facts, str(path), None if figures is None else str(figures), None if liberty is None else str(liberty),
        None if activity is None else str(activity), tuple(map(str, memories)),
        None if layout is None else str(layout), Silent(),
    )
    return [{key: value for key, value in result.items() if isinstance(value, str)} for result in summaries]


def write_report(
    runs: "list[Facts]", output: str, figures: str | None, liberty: str | None, activity: str | None,
    memories: tuple[str, ...], layout: str | None, out: Output,
) -> list[dict[str, object]]:
    """Write page and figures; what the page says of each run in words, and what it does not show."""
    from mho.reports.facts import with_layout
    from mho.reports.page import report_page

    if activity is not None and (liberty is None or len(runs) > 1):
        raise InputError(
            f"{activity}: {argument('activity')} takes {argument('liberty')} and the one run that the waveforms are of"
        )
    if memories and liberty is None:
        raise InputError(
            f"{memories[0]}: {argument('memories')} takes {argument('liberty')}, the standard cells beside them"
        )
    if layout is not None:
        runs = with_layout(runs, layout)
    if liberty is not None:
        runs = _with_silicon(runs, liberty, activity, memories, out)
    write_output(output, report_page(runs).encode())
    out.note(f"wrote {output}")
    if figures is not None:
        count = _write_figures(runs, Path(figures))
        out.note(f"wrote {count} figures to {figures}, each as SVG and PDF")
    return [_told(facts) for facts in runs]


def _with_silicon(
    runs: "list[Facts]", liberty: str, activity: str | None, memories: tuple[str, ...], out: Output
) -> "list[Facts]":
    """The runs with the area of their chips, each of which is synthesised once, and the energy of their logic."""
    from mho.hw.config import chip_from_dict
    from mho.macro_models.files import reading
    from mho.reports.facts import RUN
    from mho.sim.silicon.area import chip_area
    from mho.sim.silicon.power.energy import chip_energy

    by_chip: dict[str, Any] = {}
    macros = [Path(path) for path in memories]
    with_area = []
    for facts in runs:
        with reading(facts.run.path, RUN):
            chip = replace(chip_from_dict(facts.content["chip"], origin=facts.run.path), macro=None)
        if chip.sha256 not in by_chip:
            with out.progress(f"synthesising {chip.name}") as progress:
                by_chip[chip.sha256] = chip_area(chip, Path(liberty), macros, progress=progress)
        if activity is not None:
            images = facts.run.images * len(facts.run.scores)
            with out.progress(f"energy of {chip.name}") as progress:
                took = chip_energy(chip, Path(liberty), Path(activity), images, macros, progress)
            by_chip[chip.sha256] |= {"energy": took}
        with_area.append(replace(facts, silicon=by_chip[chip.sha256]))
    return with_area


def _told(facts: "Facts") -> dict[str, object]:
    """What the page says in words, and what it does not show."""
    from mho.reports.words import accuracy_words, energy_words, missing_words, time_words

    return {
        "run": facts.run.path, "title": facts.title, "accuracy": accuracy_words(facts), "time": time_words(facts),
        "energy": energy_words(facts), "missing": [{"what": what, "how": how} for what, how in missing_words(facts)],
        "silicon": facts.silicon, "layout": facts.routed,
    }


def _write_figures(runs: "list[Facts]", folder: Path) -> int:
    """Figures of all runs, by the names of run and figure."""
    from mho.figures.run import figure_bytes
    from mho.reports.figures import figures_of
    from mho.reports.page import figure_svg

    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for facts in runs:
        for name, _, _, figure in figures_of(facts):
            base = folder / (name if len(runs) == 1 else f"{facts.name}-{name}")
            write_output(base.with_suffix(".svg"), figure_svg(figure, name, inline=False).encode())
            write_output(base.with_suffix(".pdf"), figure_bytes(figure, "pdf"))
            count += 1
    return count
