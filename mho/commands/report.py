"""``mho report``: what a run left as one page."""

import click

from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, Writes


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
@click.option(
    "--layout", metavar="L.json", type=READS,
    help="What mho harden --json wrote of the chip: area, clock and power of its layout, with wires.",
)
@common_options
def report_command(
    runs: tuple[str, ...], output: str, figures: str | None, liberty: str | None, activity: str | None,
    memories: tuple[str, ...], layout: str | None, out: Output,
) -> None:
    """One self-contained page of what a run left: what limits accuracy, time and energy, and what would help.

    Each RUN.json is what mho run --json wrote; several are set side by side. What a run does not have is listed with
    the command that gives it.
    """
    from mho.reports.facts import read_facts
    from mho.studies.report import write_report

    summaries = write_report(read_facts(runs), output, figures, liberty, activity, memories, layout, out)
    for summary in summaries:
        for what in ("accuracy", "time", "energy"):
            out.text(f"{what}: {summary[what]}")
    out.json({"page": output, "runs": summaries})
