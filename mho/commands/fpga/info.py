"""``mho fpga info``: what a board says of itself."""

from dataclasses import asdict

import click

from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import READS

__all__ = ["info_command"]


@click.command("info", epilog=example("mho fpga info --port /dev/ttyUSB1"))
@click.option("--port", metavar="PORT", type=READS, required=True, help="Serial port of the board.")
@click.option("--baud", type=int, metavar="N", help="Rate of that port, if the board has not the usual one.")
@common_options
def info_command(port: str, baud: int | None, out: Output) -> None:
    """Ask a board what it is: core, tiles, emulator, clock, and the chip description that it was built from.

    Where that is the description of a preset, its name is given.
    """
    from mho.fpga.backends.core import BAUD, connect_board
    from mho.hw.config import load_chip, preset_names
    from mho.sim.board.driver import find_info

    with connect_board(port, BAUD if baud is None else baud) as client:
        info = find_info(client, port)
    preset = next((name for name in preset_names() if load_chip(name).sha256 == info.sha256), None)
    rows = [
        ("chip description", f"{info.sha256[:16]}{f' (preset {preset})' if preset else ''}"),
        ("core", f"{info.lines} x {info.lines} lines, cells of {info.g_bits} bits"),
        ("tiles", f"{info.columns} x {info.rows}" if info.tiled else "none"),
        ("emulator", f"at {info.level} level, {info.lanes} cells a cycle, {info.slots} tables"),
        ("read noise", "of a shift register (device lfsr)" if info.noise else "none"),
        ("clock", f"{info.clock_hz / 1e6:g} MHz"),
        ("version of the registers", f"{info.version}.{info.core_version}"),
    ]
    out.table(("", "board"), rows)
    out.json({"port": port, "preset": preset, **asdict(info)})
