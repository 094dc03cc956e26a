"""``mho verify noc``: the generated Verilog of a mesh, all that is sent through it checked."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from macro_models.errors import InputError
from mho.console import Output
from mho.options import chip_option, common_options, example

if TYPE_CHECKING:
    from hw.noc.config import MeshConfig

__all__ = ["noc_command"]


@click.command("noc", epilog=example("mho verify noc --columns 4 --rows 4 --payload 32 -o noc.png"))
@chip_option()
@click.option("--columns", type=int, metavar="N", help="Columns of the mesh.  [default: those of the chip, or 8]")
@click.option("--rows", type=int, metavar="N", help="Rows of the mesh.  [default: those of the chip, or 6]")
@click.option("--payload", type=int, default=64, show_default=True, metavar="BITS", help="Of a flit: 32, 64 or 128.")
@click.option("--depth", type=int, default=16, show_default=True, metavar="N", help="Flits of a FIFO: 1, 2, 4, 8, 16.")
@click.option("--queues", type=int, default=1, show_default=True, metavar="N", help="FIFOs an input: 1 or 2.")
@click.option("--contexts", type=int, default=2, show_default=True, metavar="N", help="Of the reduction: 0, 1, 2, 4.")
@click.option(
    "--flits", type=click.IntRange(1), default=200_000, show_default=True, metavar="N",
    help="Flits and operands of the whole mesh.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Of all that is random."
)
@click.option("-o", "--output", metavar="F.png", help="Draw latencies.")
@common_options
def noc_command(
    chip: str | None, overrides: tuple[str, ...], columns: int | None, rows: int | None, payload: int, depth: int,
    queues: int, contexts: int, flits: int, seed: int, output: str | None, out: Output,
) -> None:  # fmt: skip
    """Run random traffic through the generated Verilog of a mesh in Verilator, and check all of it.

    Bare routers are compared with the cycle-accurate model: each pair of nodes alone, and random flits to one node and
    to many, with nodes that stall. Then the whole mesh with network interfaces and reduction runs random blocks, with
    credits, and sums: nothing may be lost, doubled, changed or out of order. Without --chip, --columns and --rows it is
    8 x 6. Exit 1 on a mismatch.
    """
    if output is not None:
        from mho.figures import check_figure

        check_figure(Path(output))
    cfg = _mesh(chip, overrides, columns, rows, payload, depth, queues, contexts)
    from sim.verify_noc import verify_noc

    out.note("building the simulators of the mesh, unless they are in the cache ...")
    with out.progress(f"verifying a mesh of {cfg.columns} x {cfg.rows}") as progress:
        report = verify_noc(cfg, flits=flits, seed=seed, progress=progress)
    out.text(str(report))
    if output is not None:
        from mho.figures import save_figure
        from mho.noc_figure import figure_of_noc

        save_figure(figure_of_noc(report), Path(output))
    content = {key: value for key, value in vars(report).items() if key not in ("mesh", "latencies")}
    out.json({"mesh": asdict(cfg), "seed": seed} | content)


def _mesh(
    chip: str | None, overrides: tuple[str, ...], columns: int | None, rows: int | None, payload: int, depth: int,
    queues: int, contexts: int,
) -> "MeshConfig":  # fmt: skip
    from hw.noc.config import MeshConfig

    if overrides and chip is None:
        raise InputError("--set needs --chip, the chip that it changes")
    sides = (8, 6)
    if chip is not None:
        from hw.config import load_chip

        resolved = load_chip(chip, overrides)
        sides = (resolved.mesh.columns, resolved.mesh.rows)
        if sides == (1, 1) and columns is None and rows is None:
            raise InputError(
                f"{resolved.name} has mesh.columns x mesh.rows = 1 x 1, one core and no mesh: give --columns and --rows"
            )
    return MeshConfig(
        columns=sides[0] if columns is None else columns, rows=sides[1] if rows is None else rows,
        payload_bits=payload, depth=depth, queues=queues, contexts=contexts,
    )  # fmt: skip
