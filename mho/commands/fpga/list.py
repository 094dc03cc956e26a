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
    that it works there; its bitstream is checked without.
    """
    from fpga.boards import BOARDS
    from fpga.config import BOARDS as PLANS
    from fpga.config import board_config

    headers = ("name", "device", "chip", "lines", "g_bits", "lanes", "clock_hz", "baud", "status")
    rows = []
    for name, board in BOARDS.items():
        cfg = board_config(name)
        lines, g_bits = cfg.emulator.lines, cfg.emulator.g_bits
        rows.append((
            name, board.device, PLANS[name].chip, lines, g_bits, cfg.lanes, cfg.clock_hz, cfg.baud, board.status,
        ))
    out.table(headers, rows)
    out.json({"boards": [dict(zip(headers, row, strict=True)) for row in rows]})
