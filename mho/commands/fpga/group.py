"""``mho fpga``: cores on boards. Each subcommand has a module of its own."""

import click

from mho.terminal.groups import LazyGroup
from mho.terminal.options import example

__all__ = ["fpga_command"]


class _Fpga(LazyGroup):
    lazy = {
        "list": ("mho.commands.fpga.list", "List the boards, and what is put on each."),
        "build": ("mho.commands.fpga.build", "Make the bitstream of a board."),
        "verify": ("mho.commands.fpga.verify", "Compare the netlist of a board with the numpy models."),
        "load": ("mho.commands.fpga.load", "Load a bitstream into a board."),
        "info": ("mho.commands.fpga.info", "Ask a board what it is."),
        "simulate": ("mho.commands.fpga.simulate", "Simulate a board behind a serial port."),
    }


@click.group("fpga", cls=_Fpga, epilog=example("mho fpga list"))
def fpga_command() -> None:
    """Put a core on an FPGA board, its array emulated in the memory of the FPGA."""
