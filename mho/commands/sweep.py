"""``mho sweep``: many chips, devices, networks, seeds, times and temperatures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from macro_models.errors import InputError, ToolError
from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, WORD, Writes

if TYPE_CHECKING:
    from mho.sweeps import Spec, Sweep

__all__ = ["sweep_command", "write_sweep"]

_MOST_ROWS = 40
_WARNINGS = 3
"""Sentences about chips at most."""
_FOLDER = Writes(folder=("rows", "rows.*", "designs.*", "trade-offs.*", "sweep.json", ".lock"))


def _example(context: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """Prints a sweep to begin with."""
    if wanted:
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
    from mho.sweeps import Folder, load_spec, run_sweep
    from mho.sweeps.memory import bounded_jobs

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
        found = run_sweep(spec, folder, progress=progress, **options)
    if found.found:
        out.note(f"{found.found:,} rows were there")
    write_sweep(spec, found, folder, out)


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


def write_sweep(spec: "Spec", found: "Sweep", folder: Any, out: Output) -> None:
    """Tables, figure and JSON, and the best of it on stdout."""
    from hw.config import warnings
    from mho.figures.run import save_figure
    from mho.figures.trade_offs import figure_of_trade_offs
    from mho.sweeps.panels import panels_of, score_of
    from mho.sweeps.result import best, content
    from mho.sweeps.spec.measures import MEASURES
    from mho.sweeps.spec.points import Space

    axes = [name for name, _ in Space(spec).axes]
    told = content(found, spec)
    written = [*folder.write_table("rows", found.rows), *folder.write_table("designs", found.designs)]
    written.append(folder.write_json("rows.json", list(found.rows)))
    if (score := score_of(found.designs)) is not None:
        title = f"{MEASURES[score].title}{' (%)' if MEASURES[score].share else ''}"
        figure = figure_of_trade_offs(panels_of(found.designs, score, axes), title)
        for end in ("png", "svg"):
            written.append(folder.path / f"trade-offs.{end}")
            save_figure(figure, written[-1])
    written.append(folder.write_json("sweep.json", told))
    if found.refused:
        out.warn(
            f"{len(found.refused)} of {len(found.rows)} rows are refused, the first ({found.refused[0]['point']}): "
            f"{found.refused[0]['error']}"
        )
    over = [row for row in found.designs if row.get("fits") is False]
    if over:
        out.warn(
            f"{len(over)} of {len(found.designs)} designs do not fit one chip (column fits): their figures are of as "
            "many chips as hold the network, and know nothing of programming between layers"
        )
    _print(best(found, spec), axes, told["objectives"], out)
    of_chips = dict.fromkeys(
        sentence for chip in spec.built.values() if not isinstance(chip, str) for sentence in warnings(chip)
    )
    for sentence in list(of_chips)[:_WARNINGS]:
        out.warn(sentence)
    out.note(f"wrote {', '.join(path.name for path in written)} in {folder.path}")
    out.json(told)
    if len(found.refused) == len(found.rows):
        raise ToolError(f"{folder.path}: none of {len(found.rows)} rows has a result: {found.refused[0]['error']}")


def _print(designs: "Sequence[dict[str, Any]]", axes: Sequence[str], objectives: dict[str, str], out: Output) -> None:
    """The best trade-offs, by the first objective."""
    if not designs:
        return
    from mho.sweeps.result import number_text
    from mho.units import format_time

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
