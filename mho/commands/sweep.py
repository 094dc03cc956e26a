"""``mho sweep``: many chips, devices, networks, seeds, times and temperatures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mho.macro_models.errors import InputError
from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, WORD, Writes

if TYPE_CHECKING:
    from mho.sweeps import Spec

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
