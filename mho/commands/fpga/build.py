"""``mho fpga build``: the bitstream of a board."""

from dataclasses import asdict
from pathlib import Path

import click

from mho.terminal.console import Output
from mho.terminal.options import BOARD, chip_option, common_options, example, noise_option
from mho.terminal.paths import WORD, Writes

__all__ = ["build_command"]


@click.command("build", epilog=example("mho fpga build icebreaker -o build/icebreaker"))
@click.argument("board", metavar="BOARD", type=BOARD)
@chip_option()
@click.option(
    "-o", "--output", metavar="DIR", type=Writes(folder=("report.json", "*.log")), required=True,
    help="Folder of the bitstream and its report.",
)
@click.option(
    "--tools", default="auto", show_default=True, metavar="auto|native|yowasp", type=WORD,
    help="Those of the system, or those in Python packages; auto: of the system if all are there.",
)
@noise_option
@common_options
def build_command(
    board: str, chip: str | None, overrides: tuple[str, ...], output: str, tools: str, noise: bool, out: Output
) -> None:
    """Make the bitstream of a board.

    --chip defaults to the preset of the board (`mho fpga list`). DIR gets the bitstream, report.json (utilisation,
    greatest frequency, hash, versions of the tools), the netlist after synthesis and the logs. If place
    and route fails it gets the synthesis alone, in a folder of its own, and the next build begins behind that. Exit 2
    if the chip does not fit, with what would; exit 1 if a tool is missing or the timing is missed.
    """
    from mho.fpga.boards import find_board
    from mho.fpga.build.build import build
    from mho.hw.config import load_chip

    resolved = load_chip(chip or find_board(board).plan.chip, overrides)
    report = build(board, resolved, folder=Path(output), noise=noise, flow=tools, note=out.note)
    names = {"lut": "LUT", "ff": "flip-flops", "bram": "block RAM", "spram": "SPRAM", "dsp": "multipliers"}
    rows = [
        (names[kind], used, report.available[kind], f"{used / report.available[kind]:.0%}")
        for kind, used in report.used.items() if report.available[kind]
    ]
    out.table(("part", "used", "of", ""), rows)
    out.text()
    out.text(
        f"runs at {report.clock_hz / 1e6:g} MHz, could run at {report.fmax_hz / 1e6:.1f} MHz, a margin of "
        f"{report.margin:.1%} ({report.flow} tools)"
    )
    speed = "" if report.macs_per_s is None else f", {report.macs_per_s / 1e6:,.0f} million products a second"
    out.text(f"{report.lanes} cells a cycle{speed}")
    out.text(f"{Path(output) / report.bitstream}: {report.bitstream_bytes:,} bytes, SHA-256 {report.bitstream_sha256}")
    if report.status != "works":
        out.warn(f"{board} is {report.status}")
    out.json(asdict(report))
