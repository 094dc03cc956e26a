"""``mho report``: what a run left as one page."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from macro_models.errors import InputError, argument
from macro_models.output import write_output
from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, Writes

if TYPE_CHECKING:
    from mho.reports.facts import Facts

__all__ = ["report_command", "write_report"]


@click.command("report", epilog=example("mho report run.json -o report.html"))
@click.argument("runs", metavar="RUN.json ..", nargs=-1, required=True, type=READS)
@click.option(
    "-o", "--output", metavar="R.html", type=Writes(ends=(".html", ".htm")), default="report.html", show_default=True,
    help="The page.",
)
@click.option(
    "--figures", metavar="DIR", type=Writes(folder=("*.svg", "*.pdf")), help="Write each figure as SVG and PDF, too."
)
@click.option(
    "--liberty", metavar="LIB", type=READS,
    help="Standard cells (.lib, .lib.gz): area of the generated Verilog by block, by Yosys.",
)
@click.option(
    "--activity", metavar="F.fst", type=READS,
    help="Waveforms of the run (mho run --backend cosim --waves), FST or VCD: energy of the logic by block and tile.",
)
@click.option(
    "--memories", metavar="LIB", type=READS, multiple=True,
    help="Macros of memories (.lib, .lib.gz; several times): with them memories have area and energy.",
)
@common_options
def report_command(
    runs: tuple[str, ...], output: str, figures: str | None, liberty: str | None, activity: str | None,
    memories: tuple[str, ...], out: Output,
) -> None:
    """One self-contained page of what a run left: what limits accuracy, time and energy, and what would help.

    Each RUN.json is what mho run --json wrote; several are set side by side. What a run does not have is listed with
    the command that gives it.
    """
    from mho.reports.facts import read_facts

    told = write_report(read_facts(runs), output, figures, liberty, activity, memories, out)
    for one in told:
        for what in ("accuracy", "time", "energy"):
            out.text(f"{what}: {one[what]}")
    out.json({"page": output, "runs": told})


def write_report(
    found: "list[Facts]", output: str, figures: str | None, liberty: str | None, activity: str | None,
    memories: tuple[str, ...], out: Output,
) -> list[dict[str, Any]]:
    """Write page and figures; what the page says of each run in words, and what it does not show."""
    from mho.reports.page import report_page

    if activity is not None and (liberty is None or len(found) > 1):
        raise InputError(
            f"{activity}: {argument('activity')} takes {argument('liberty')} and the one run that the waveforms are of"
        )
    if memories and liberty is None:
        raise InputError(
            f"{memories[0]}: {argument('memories')} takes {argument('liberty')}, the standard cells beside them"
        )
    if liberty is not None:
        found = _with_silicon(found, liberty, activity, memories, out)
    write_output(output, report_page(found).encode())
    out.note(f"wrote {output}")
    if figures is not None:
        count = _write_figures(found, Path(figures))
        out.note(f"wrote {count} figures to {figures}, each as SVG and PDF")
    return [_told(facts) for facts in found]


def _with_silicon(
    found: "list[Facts]", liberty: str, activity: str | None, memories: tuple[str, ...], out: Output
) -> "list[Facts]":
    """The runs with the area of their chips, each of which is synthesised once, and the energy of their logic."""
    from hw.config import chip_from_dict
    from macro_models.files import reading
    from mho.reports.facts import RUN
    from sim.silicon.area import chip_area
    from sim.silicon.power.energy import chip_energy

    known: dict[str, Any] = {}
    macros = [Path(one) for one in memories]
    made = []
    for facts in found:
        with reading(facts.run.path, RUN):
            chip = replace(chip_from_dict(facts.content["chip"], origin=facts.run.path), macro=None)
        if chip.sha256 not in known:
            with out.progress(f"synthesising {chip.name}") as progress:
                known[chip.sha256] = chip_area(chip, Path(liberty), macros, progress=progress)
        if activity is not None:
            images = facts.run.images * len(facts.run.scores)
            with out.progress(f"energy of {chip.name}") as progress:
                took = chip_energy(chip, Path(liberty), Path(activity), images, macros, progress)
            known[chip.sha256] |= {"energy": took}
        made.append(replace(facts, silicon=known[chip.sha256]))
    return made


def _told(facts: "Facts") -> dict[str, Any]:
    """What the page says in words, and what it does not show."""
    from mho.reports.words import accuracy_words, energy_words, missing_words, time_words

    return {
        "run": facts.run.path, "title": facts.title, "accuracy": accuracy_words(facts), "time": time_words(facts),
        "energy": energy_words(facts), "missing": [{"what": what, "how": how} for what, how in missing_words(facts)],
        "silicon": facts.silicon,
    }


def _write_figures(found: "list[Facts]", folder: Path) -> int:
    """Figures of all runs, by the names of run and figure."""
    from mho.figures.run import figure_bytes
    from mho.reports.figures import figures_of
    from mho.reports.page import figure_svg

    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for facts in found:
        for name, _, _, figure in figures_of(facts):
            base = folder / (name if len(found) == 1 else f"{facts.name}-{name}")
            write_output(base.with_suffix(".svg"), figure_svg(figure, name, inline=False).encode())
            write_output(base.with_suffix(".pdf"), figure_bytes(figure, "pdf"))
            count += 1
    return count
