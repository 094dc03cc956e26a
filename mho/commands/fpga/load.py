"""``mho fpga load``: a bitstream into a board."""

from dataclasses import asdict
from pathlib import Path

import click

from mho.terminal.console import Output
from mho.terminal.options import BOARD, common_options, example
from mho.terminal.paths import READS, WORD

__all__ = ["load_command"]


@click.command("load", epilog=example("mho fpga load ulx3s-85f build/ulx3s/ulx3s-85f.bit"))
@click.argument("board", metavar="BOARD", type=BOARD)
@click.argument("file", metavar="FILE", type=READS)
@click.option("--flash", is_flag=True, help="Write it to the flash memory (boards with an iCE40 always do).")
@click.option(
    "--cable", metavar="NAME", type=WORD, help="A JTAG cable of openFPGALoader, in place of the one on the board."
)
@click.option("--remote", metavar="HOST:PORT", type=WORD, help="A remote-bitbang server that has the board.")
@common_options
def load_command(board: str, file: str, flash: bool, cable: str | None, remote: str | None, out: Output) -> None:
    """Load a bitstream into a board, with openFPGALoader.

    FILE must be for the device of the board, and unchanged since `mho fpga build` if its report.json lies beside it.
    Without --flash an ECP5 forgets it when it is switched off. Exit 1 if there is no board, it is another one, or you
    may not use it, with the rule for udev that is missing.
    """
    from mho.fpga.load import load

    if cable is not None and remote is not None:
        raise click.UsageError("--cable and --remote exclude each other")
    report = load(board, Path(file), flash=flash, cable=cable, remote=remote, note=out.note)
    out.text(f"loaded {report.file}, {report.bytes:,} bytes{', into the flash' if report.flash else ''}")
    out.json(asdict(report))
