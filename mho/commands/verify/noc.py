"""``mho verify noc``: the generated Verilog of a mesh, all that is sent through it checked."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from mho.terminal.console import Output
from mho.terminal.options import chip_option, common_options, example
from mho.terminal.paths import FIGURE

if TYPE_CHECKING:
    from mho.hw.noc.config import MeshConfig

__all__ = ["noc_command"]


@click.command("noc", epilog=example("mho verify noc --columns 4 --rows 4 --payload 32 -o noc.png"))
@chip_option()
@click.option("--columns", type=int, metavar="N", help="Columns instead of those of the chip: 1 to 16.")
@click.option("--rows", type=int, metavar="N", help="Rows: 1 to 16.")
@click.option("--payload", type=int, metavar="BITS", help="Payload of a flit: 32, 64 or 128.")
@click.option("--depth", type=int, metavar="N", help="Flits of a FIFO: 1, 2, 4, 8 or 16.")
@click.option("--queues", type=int, metavar="N", help="FIFOs an input of a router: 1 or 2.")
@click.option("--contexts", type=int, metavar="N", help="Contexts of the reduction: 0, 1, 2 or 4.")
@click.option(
    "--flits", type=click.IntRange(1), default=200_000, show_default=True, metavar="N",
    help="Flits and operands of the whole mesh.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of all that is random."
)
@click.option("-o", "--output", metavar="F.png", type=FIGURE, help="Draw latencies.")
@common_options
def noc_command(
    chip: str | None, overrides: tuple[str, ...], columns: int | None, rows: int | None, payload: int | None,
    depth: int | None, queues: int | None, contexts: int | None, flits: int, seed: int, output: str | None, out: Output,
) -> None:
    """Run random traffic through the generated Verilog of a mesh in Verilator, and check all of it.

    Bare routers are compared with the cycle-accurate model: each pair of nodes alone, and random flits to one node and
    to many, with nodes that stall. Then the whole mesh with network interfaces and reduction runs random blocks, with
    credits, and sums, while the host reads and writes registers of all tiles: nothing may be lost, doubled, changed or
    out of order. --chip defaults to neurram, whose mesh is 8 x 6. Exit 1 on a mismatch.
    """
    sizes = {
        "columns": columns, "rows": rows, "payload_bits": payload, "depth": depth, "queues": queues,
        "contexts": contexts,
    }
    cfg = _mesh(chip or "neurram", overrides, {name: value for name, value in sizes.items() if value is not None})
    from mho.sim.noc.verify import verify_noc

    with out.progress(f"verifying a mesh of {cfg.columns} x {cfg.rows}") as progress:
        report = verify_noc(cfg, flits=flits, seed=seed, progress=progress)
    out.text(str(report))
    if output is not None:
        from mho.figures.run import save_figure
        from mho.figures.write import figure_of_noc

        save_figure(figure_of_noc(report), output)
    content = {key: value for key, value in vars(report).items() if key not in ("mesh", "latencies")}
    out.json({"mesh": asdict(cfg), "seed": seed} | content)


def _mesh(chip: str, overrides: tuple[str, ...], sizes: dict[str, int]) -> "MeshConfig":
    from mho.hw.config import load_chip
    from mho.hw.noc.config import MeshConfig

    return replace(MeshConfig.of_network(load_chip(chip, overrides)), **sizes)
