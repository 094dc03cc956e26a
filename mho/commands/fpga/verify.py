"""``mho fpga verify``: evidence that a board would work, without the board."""

from pathlib import Path

import click

from mho.terminal.console import Output
from mho.terminal.options import BOARD, chip_option, common_options, example
from mho.terminal.paths import READS, WORD

__all__ = ["verify_command"]


@click.command("verify", epilog=example("mho fpga verify hx8k-breakout"))
@click.argument("board", metavar="BOARD", type=BOARD)
@chip_option()
@click.option("--netlist-only", is_flag=True, help="Only synthesis and the simulation of its netlist: no bitstream.")
@click.option("--built", metavar="DIR", type=READS, help="Folder of mho fpga build: nothing is built again.")
@click.option("--vectors", type=click.IntRange(1, 1000), default=1, show_default=True, help="Vectors an operation.")
@click.option(
    "--tools", default="auto", show_default=True, metavar="auto|native|yowasp", type=WORD,
    help="Those of the system, or those in Python packages; auto: of the system where they are there.",
)
@common_options
def verify_command(
    board: str, chip: str | None, overrides: tuple[str, ...], netlist_only: bool, built: str | None, vectors: int,
    tools: str, out: Output,
) -> None:
    """Make the netlist and the bitstream of a board, and compare what they do with the numpy models.

    The netlist after synthesis is simulated at its serial pins in Verilator: cells are loaded, products run in both
    directions, at the level of the pins cells are programmed, and every code and pulse must be that of the models. On a
    chip of tiles a network of two layers runs, two images a vector, and every value must be.
    Where tools turn a bitstream back to a netlist (iCE40-HX8K), that one is simulated, too. --chip defaults to a core
    of 16 x 16 lines with cells of 4 bits, since a netlist is slow. Exit 1 on a mismatch or missed timing.
    """
    from mho.fpga.evidence.verify import SMALL, verify
    from mho.hw.config import load_chip

    if netlist_only and built is not None:
        raise click.UsageError("--netlist-only and --built exclude each other")
    resolved = load_chip(chip or SMALL[0], (*(() if chip else SMALL[1]), *overrides))
    evidence = verify(
        board, resolved, place=not netlist_only, flow=tools, vectors=vectors,
        built=None if built is None else Path(built), note=out.note,
    )
    what = "values" if resolved.tiled else "codes"
    rows = [("netlist", f"{evidence.netlist.codes:,} {what} of {evidence.netlist.operations:,} products", "equal")]
    if evidence.pulses is not None:
        rows.append(("netlist", f"{evidence.pulses:,} pulses of write-verify", "equal"))
    if evidence.bitstream is not None:
        back = evidence.bitstream
        rows.append(("bitstream", f"{back.codes:,} codes of {back.operations:,} products", "equal"))
    if evidence.build is not None:
        at = f"{evidence.build.fmax_hz / 1e6:.1f} MHz, {evidence.build.clock_hz / 1e6:g} MHz needed"
        rows.append(("placed and routed", at, "met"))
    out.table((f"{evidence.board}, {evidence.chip}", "", ""), rows)
    out.json(evidence.to_dict())
