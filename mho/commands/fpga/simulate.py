"""``mho fpga simulate``: a board that is not there."""

from pathlib import Path

import click

from mho.terminal.console import Output
from mho.terminal.options import BOARD, CHIP, common_options, example, noise_option, set_option
from mho.terminal.paths import Writes

__all__ = ["simulate_command"]


def _check_link(path: str) -> None:
    from mho.fpga.simulate import check_link

    check_link(Path(path))


@click.command("simulate", epilog=example("mho fpga simulate icebreaker --link /tmp/board"))
@click.argument("board", metavar="BOARD", type=BOARD)
@click.option("--chip", metavar="CHIP", type=CHIP, help="Preset or chip file (default: the preset of the board).")
@set_option
@click.option(
    "--link", metavar="PATH", type=Writes(check=_check_link),
    help="Make a symbolic link to the port, a name that stays the same.",
)
@noise_option
@common_options
def simulate_command(
    board: str, chip: str | None, overrides: tuple[str, ...], link: str | None, noise: bool, out: Output
) -> None:
    """Simulate the Verilog of a board, with its serial line at a pseudo-terminal; Ctrl-C ends it.

    The name of the port is printed. mho run --backend fpga --port PORT and mho fpga info --port PORT then do
    what they do with a board, more slowly.
    """
    from mho.fpga.boards import find_board
    from mho.fpga.config import board_config
    from mho.fpga.simulate import BoardTerminal
    from mho.hw.config import load_chip

    resolved = load_chip(chip or find_board(board).plan.chip, overrides)
    cfg = board_config(board, resolved, noise=noise)
    out.note(f"building {board} with {cfg.chip.name}, {cfg.lanes} cells a cycle ...")
    with BoardTerminal(cfg, None if link is None else Path(link)) as terminal:
        name = terminal.path if link is None else link
        out.text(name)
        out.json({"board": board, "chip": cfg.chip.name, "sha256": cfg.chip.sha256, "port": name})
        out.note("serving until Ctrl-C")
        try:
            while True:
                terminal.step()
        except KeyboardInterrupt:
            out.note(f"{terminal.seconds:.3f} s passed for the board")
            raise
