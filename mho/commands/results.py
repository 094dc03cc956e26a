"""``mho report``, ``mho compare``, ``mho sweep``: what runs left, what differs, and many of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mho.macro_models.errors import InputError
from mho.terminal.console import Output
from mho.terminal.options import THING, common_options, example
from mho.terminal.paths import FIGURE, READS, WORD, Writes
from mho.units import format_time

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mho.comparisons.descriptions import Moment
    from mho.comparisons.runs import Content, Difference, Run
    from mho.dotted import KeyDifference
    from mho.figures.compare import Point
    from mho.sweeps import Spec


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


_MOST_ROWS = 40

Compared = tuple[dict[str, object], "Callable[[], Figure]"]
"""What is written as JSON, and what draws the figure."""


@click.command("compare", epilog=example("mho compare a.json b.json -o compared.png"))
@click.argument("things", metavar="A B ..", nargs=-1, type=THING)
@click.option("-o", "--output", metavar="FIGURE", type=FIGURE, help="A figure of what is compared (png, pdf or svg).")
@common_options
def compare_command(things: tuple[str, ...], output: str | None, out: Output) -> None:
    """Set runs, chips or devices side by side: what differs, by how much, and whether that is more than chance.

    Each is compared with the first. Runs are what mho run --json wrote: chips with the same seed on the same images one
    by one, single chips image by image, others by their intervals; the figure shows them against time. Chips and
    devices are names of shipped ones or TOML files. Of chips: keys of the descriptions, and the sizes, times and
    efficiencies that follow. Of devices: mean and deviation of the cells after an hour, a day and 30 days, with the
    90 % interval of the difference that the cells behind both fits allow.
    """
    from mho.comparisons.descriptions import one_kind

    if len(things) < 2:
        raise InputError(f"mho compare needs two runs, chips or devices or more, not {len(things)}")
    kind = one_kind(things)
    content, draw = {"run": _runs, "chip": _chips, "device": _devices}[kind](things, out)
    if output is not None:
        from mho.figures.run import save_figure

        save_figure(draw(), output, dpi=300)
        out.note(f"wrote {output}")
    out.json({"kind": kind, **content})


def _chips(names: Sequence[str], out: Output) -> Compared:
    from mho.comparisons.descriptions import compare_chips, ratios
    from mho.hw.config import load_chip

    chips = [load_chip(name) for name in names]
    compared, drawn = [], []
    for name, chip in zip(names[1:], chips[1:], strict=True):
        difference = compare_chips(chips[0], chip)
        compared.append({"chip": name, **difference.to_dict()})
        drawn.append((name, ratios(difference)))
        count = len(difference.keys)
        out.text(f"{name} beside {names[0]}: {count} key{'s' * (count != 1)} differ{'s' * (count == 1)}")
        titles = (("differs", difference.keys), ("size", difference.sizes), ("all cores busy", difference.rated))
        for title, rows in titles:
            if rows:
                out.table((title, names[0], name, "ratio"), [_with_ratio(row) for row in rows[:_MOST_ROWS]])
                out.text()
            _say_more(rows, out)

    def draw() -> "Figure":
        from mho.figures.compare import figure_of_chips

        return figure_of_chips(names[0], drawn)

    return {"first": names[0], "compared": compared}, draw


def _with_ratio(difference: "KeyDifference") -> tuple[str, str, str, str]:
    """Key, both values and their ratio, as a table shows them."""
    key, *values = difference.texts
    first, second = (
        f"{value:.4g}" if isinstance(value, float) else text
        for value, text in zip((difference.first, difference.second), values, strict=True)
    )
    return key, first, second, "" if difference.ratio is None else f"{difference.ratio:.3g}"


def _say_more(rows: Sequence[object], out: Output) -> None:
    if len(rows) > _MOST_ROWS:
        out.text(f"and {len(rows) - _MOST_ROWS} keys more")


def _devices(names: Sequence[str], out: Output) -> Compared:
    from mho.comparisons.descriptions import compare_devices
    from mho.macro_models.devices import load_device

    devices = [load_device(name) for name in names]
    first, compared = devices[0], []
    for name, device in zip(names[1:], devices[1:], strict=True):
        difference = compare_devices(first, device)
        compared.append({"device": name, **difference.to_dict()})
        out.text(f"{name} beside {names[0]}, g - target at {difference.temp_C:g} C")
        header = ("", "target", "after", names[0], name, "difference", "90 % interval", "")
        out.table(header, [_moment(row) for row in difference.moments])
        if difference.keys:
            out.text()
            out.table(("differs", names[0], name), [row.texts for row in difference.keys[:_MOST_ROWS]])
        unknown = [model.name for model in (first, device) if not model.confidence.known]
        if unknown:
            out.note(f"no intervals: {' and '.join(unknown)} without errors of the numbers (mho device fit gives them)")

    def draw() -> "Figure":
        from mho.figures.device.figure import figure_of_devices

        return figure_of_devices(devices)

    return {"first": names[0], "compared": compared}, draw


def _moment(moment: "Moment") -> tuple[str, ...]:
    interval = "" if moment.low is None or moment.high is None else f"{moment.low:+.3f} to {moment.high:+.3f}"
    verdict = {None: "", True: "more than chance", False: "no more than chance"}[moment.sure]
    return (
        moment.of, f"{moment.target_uS:.4g} uS", format_time(moment.time_s), f"{moment.first:.3f}",
        f"{moment.second:.3f}", f"{moment.difference:+.3f}", interval, verdict,
    )


def _runs(paths: Sequence[str], out: Output) -> Compared:
    from mho.comparisons.runs import MEASURES, compare_runs, read_run

    read = [read_run(path) for path in paths]
    first, content = read[0], []
    out.text(f"{first.path}: {MEASURES[first.measure]} {_score(first)}")
    for second in read[1:]:
        compared = compare_runs(first, second)
        out.text(f"{second.path}: {MEASURES[second.measure]} {_score(second)}, {_sentence(compared.difference)}")
        content.append(compared.to_dict())
        names = Path(first.path).name, Path(second.path).name
        if compared.cost:
            out.table(("of an input", *names, "ratio"), [_with_ratio(row) for row in compared.cost])
        for name, run in zip(names, (first, second), strict=True):
            if note := run.content["fit"]["note"]:
                out.warn(f"{name}: {note}")
        if compared.keys:
            out.table(("differs", *names), [row.texts for row in compared.keys[:_MOST_ROWS]])
        _say_more(compared.keys, out)

    def draw() -> "Figure":
        from mho.figures.compare import figure_of_runs

        return figure_of_runs(*series_of(read))

    return {"first": first.path, "measure": first.measure, "mean": first.mean, "compared": content}, draw


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


def _kind(content: "Content") -> list[object]:
    options = {key: value for key, value in content["options"].items() if key not in ("time_s", "seeds")}
    hashes = {key: value for key, value in content["hashes"].items() if key != "input"}
    return [options, hashes]


_FOLDER = Writes(folder=("rows", "rows.*", "designs.*", "trade-offs.*", "sweep.json", ".lock"))


def _example(context: click.Context, _param: click.Parameter, value: bool) -> None:
    """Prints a sweep to begin with."""
    if value:
        import mho.sweeps.spec.spec as home

        click.echo((Path(home.__file__).parent / "example.toml").read_text(encoding="utf-8"), nl=False)
        context.exit()


@click.command("sweep", epilog=example("mho sweep sweep.toml -o swept"))
@click.argument("sweep", metavar="SWEEP.toml", type=READS)
@click.option("-o", "--output", metavar="DIR", type=_FOLDER, required=True, help="Folder of the rows and tables.")
@click.option("--jobs", type=int, metavar="N", help="Processes (default: one for each processor, if memory allows).")
@click.option("--dask", metavar="ADDRESS", type=WORD, help="Scheduler of a Dask cluster, as in tls://host:8786.")
@click.option(
    "--dask-security", metavar="DIR", type=READS, help="ca.pem, cert.pem and key.pem for tls:// (default: Dask's own)."
)
@click.option(
    "--example", is_flag=True, is_eager=True, expose_value=False, callback=_example,
    help="Print a small sweep to begin with, and stop.",
)
@common_options
def sweep_command(
    sweep: str, output: str, jobs: int | None, dask: str | None, dask_security: str | None, out: Output
) -> None:
    """Run combinations of what a file lists, and say which are the best trade-offs.

    A row is a network on a chip with a device, of a seed, at a time and a temperature: a function of these alone,
    whatever computes it. Rows are kept one by one: the same command again goes on where it was, also after it was
    killed, and takes rows of other sweeps in the folder that are the same. Tables of rows and designs (means over
    seeds) are CSV and JSON, and Parquet where pyarrow is installed (pip install 'mho[sweep]').
    """
    from mho.studies.sweep import write_sweep
    from mho.sweeps import Folder, load_spec, run_sweep
    from mho.sweeps.run import bounded_jobs

    if jobs is not None and dask is not None:
        raise InputError("--jobs and --dask exclude each other")
    if dask_security is not None and (dask is None or not dask.startswith("tls://")):
        raise InputError(f"--dask-security is for --dask tls://HOST:PORT, not for {dask or 'no --dask'}")
    spec = load_spec(Path(sweep))
    rows = spec.rows
    out.note(f"{rows:,} rows{'' if spec.search.method == 'grid' else ' at most'}: {_says(spec)}")
    options: dict[str, Any] = {}
    if dask is None:
        options["jobs"] = bounded_jobs(spec, jobs, rows, out.note)
    else:
        from mho.sweeps.cluster import on_cluster

        certificates = None if dask_security is None else Path(dask_security)
        options["open_workers"] = on_cluster(dask, out.note, certificates)
    folder = Folder(Path(output))
    with out.progress("sweeping") as progress:
        result = run_sweep(spec, folder, progress=progress, **options)
    if result.found:
        out.note(f"{result.found:,} rows were there")
    write_sweep(spec, result, folder, out)


def _says(spec: "Spec") -> str:
    """What is combined, in words."""
    counts = [
        (len(spec.networks), "network"), (len(spec.chips), "chip"), (len(spec.devices), "device"),
        *((len(axis.values), f"value{'s' * (len(axis.values) > 1)} of {axis.name}") for axis in spec.axes),
        (len(spec.times_s), "time"), (len(spec.temps_C), "temperature"), (len(spec.seeds), "seed"),
    ]
    return " x ".join(
        f"{count} {name}{'s' * (count > 1 and ' of ' not in name)}" for count, name in counts if count > 1
    ) or "one combination"
