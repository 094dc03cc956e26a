"""``mho fpga list``: the boards."""

import click

from mho.terminal.console import Output
from mho.terminal.options import common_options, example

__all__ = ["list_command"]


@click.command("list", epilog=example("mho fpga list"))
@common_options
def list_command(out: Output) -> None:
    """List the boards: device, the preset of the chip that it holds, its size, clock and serial line.

    Lanes are the cells that meet their input in one cycle. A board is `untested on hardware` until somebody reports
    that it works there; its bitstream is checked without. A board whose file or preset is wrong is left out, with a
    warning that says why.
    """
    from mho.fpga.boards import BOARDS, WRONG
    from mho.fpga.boards.catalogue import reason_of
    from mho.fpga.config import board_config

    headers = ("name", "device", "chip", "lines", "g_bits", "lanes", "clock_hz", "baud", "status")
    rows, wrong = [], {str(path): reason for path, reason in WRONG.items()}
    for name, board in BOARDS.items():
        try:
            cfg = board_config(name)
        except Exception as error:  # a board's file is its author's: anything may be wrong in it
            wrong[name] = reason_of(error)
            continue
        lines, g_bits = cfg.emulator.lines, cfg.emulator.g_bits
        rows.append((
            name, board.device, board.plan.chip, lines, g_bits, cfg.lanes, cfg.clock_hz, cfg.baud, board.status,
        ))
    out.table(headers, rows)
    for where, reason in wrong.items():
        out.warn(f"{where}: {reason}")
    out.json({"boards": [dict(zip(headers, row, strict=True)) for row in rows], "wrong": wrong})
