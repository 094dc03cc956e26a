"""``mho tiles``, programs of tiles written by hand; ``mho export``, what a host of one's own takes to run a network."""

from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import InputError
from mho.macro_models.output import npz_bytes, write_output
from mho.terminal.console import Output
from mho.terminal.options import DEVICE, backend_option, chip_option, common_options, example, named
from mho.terminal.paths import READS, WAVES, WORD, WRITES, Writes

if TYPE_CHECKING:
    from mho.sim.tile_jobs.run import JobResult


@click.command("export", epilog=example("mho export net.mho -o firmware"))
@click.argument("network", metavar="NET.mho", type=READS)
@click.option(
    "-o", "--output", metavar="DIR", type=Writes(folder=("*",)), required=True,
    help="Folder to write; made if it does not exist.",
)
@click.option("--name", metavar="NAME", type=WORD, default="network", show_default=True,
              help="Name of the files, and of what they define in C.")
@common_options
def export_command(network: str, output: str, name: str, out: Output) -> None:
    """Write what a host needs to run a network on its chip of tiles: C arrays, a driver in C, and data.

    NET.mho was compiled for a chip of tiles. NAME.h and NAME.c hold words, flits, credits, scales and targets of cells
    for mho_tiles.h, the driver: load, start, send, take, interrupts, for any number of images. NAME.json and NAME.npz
    hold the same for other languages, and say what each key is. CMakeLists.txt and zephyr/module.yml build the C.
    """
    from mho.api.compile import load

    listing, files = load(network).export(output, name=name)
    sent, received = listing.elements
    out.text(
        f"{name}: {len(listing.loads):,} words are loaded once, {len(listing.begins):,} before each run; the host "
        f"sends {sent:,} codes an input and gets {received:,} lanes"
    )
    for step in listing.host_steps:
        out.note(f"left to the host: {step}")
    out.note(f"wrote {len(files)} files to {output}")
    out.json({"network": network, "output": output, "files": files, "loads": len(listing.loads),
              "begins": len(listing.begins), "inputs": sent, "outputs": received,
              "host_steps": list(listing.host_steps)})


_SHOWN, _ELEMENTS = 4, 32
"""Images whose results are printed, and elements of each."""


@click.command("tiles", epilog=example("mho tiles job.toml --chip tnsa64-2x2 --input x.npy --backend cosim -o y.npz"))
@click.argument("job", metavar="JOB.toml|P.s", type=READS)
@chip_option(required=True)
@click.option(
    "--input", "inputs", metavar="[TILE:STREAM=]X.npy", type=READS, required=True, multiple=True,
    help="Codes, (images, ...): int8 or uint8 a byte, int16 two; of several streams by name, or X.npz with all.",
)
@click.option("-o", "--output", metavar="Y.npz", type=WRITES, help="Write what came, by tile and flow.")
@backend_option("functional (the interpreter)")
@click.option("--device", metavar="DEVICE", type=DEVICE, help="Device of the cells (default: the chip's).")
@click.option(
    "--time", default="0", show_default=True, metavar="T", type=WORD,
    help="Time since programming, in s, m, h, d or y.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Which chip.")
@click.option("--waves", metavar="F.fst", type=WAVES, help="Write the waveforms, with --backend cosim.")
@common_options
def tiles_command(
    job: str, chip: str, overrides: tuple[str, ...], inputs: tuple[str, ...], output: str | None, backend: str,
    device: str | None, out: Output, **options: Any,
) -> None:
    """Run programs of tiles that were written by hand, on the interpreter and on a backend.

    P.s runs on tile 0,0 and sends to the host. JOB.toml says which programs run on which tiles, the conductances of
    their cores and what joins them. Whether they can get stuck is found out before; what a backend gives is compared
    with the interpreter, bit for bit, and a difference is exit code 1.
    """
    from mho.api.chip import Chip
    from mho.api.tiles import run_tiles
    from mho.hw.config import load_chip
    from mho.runs.backends import backend_of

    run = {name: options.pop(name) for name in ("time", "seed")}
    chosen = backend_of(backend, options)
    with out.progress(f"running on {backend}") as progress:
        result = run_tiles(
            job, Chip(load_chip(chip, overrides)), _read(inputs), device=device, backend=chosen, progress=progress,
            note=out.note, warn=out.warn, **run)
    out.table(("output", "images", "blocks", "elements", "type"), [
        (name, *map(str, rows.shape), rows.dtype.name) for name, rows in result.outputs.items()])
    for name, rows in result.outputs.items():
        for k, image in enumerate(rows[:_SHOWN]):
            values = " ".join(map(str, image.ravel()[:_ELEMENTS].tolist()))
            out.text(f"{name}, image {k}: {values}" + " ..." * (image.size > _ELEMENTS))
    out.text(_verdict(result, backend))
    if output is not None:
        write_output(output, npz_bytes(result.outputs))
        out.note(f"wrote {output}")
    out.json({
        "job": job, "chip": chip, "backend": backend, "instructions": result.instructions, "cycles": result.cycles,
        "outputs": {name: rows.tolist() for name, rows in result.outputs.items()},
    })


def _verdict(result: "JobResult", backend: str) -> str:
    counts = f"{result.instructions} instructions an input"
    if result.cycles is not None:
        counts += f", {result.cycles:,} cycles in all"
    return counts + ("" if backend == "functional" else f"; {backend} gives what the interpreter gives, bit for bit")


def _read(sources: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    """Arrays by the names of streams."""
    from mho.api.tiles import read_codes

    if len(sources) == 1 and "=" not in sources[0]:
        return read_codes(sources[0])
    by_stream = {}
    for name, source in named(sources, "--input"):
        arrays = read_codes(source)
        if len(arrays) > 1:
            raise InputError(f"{source}: write FILE.npz:KEY, one of {', '.join(arrays)}, for --input {name}")
        by_stream[name] = next(iter(arrays.values()))
    return by_stream
