"""``mho export``: what a host of one's own writes, sends and takes to run a network."""

import click

from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS, WORD, Writes

__all__ = ["export_command"]


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
    hold the same for other languages, and say what each key is.
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
