"""``mho verify``: generated Verilog against its references. Each part has a module of its own."""

import click

from mho.terminal.groups import LazyGroup
from mho.terminal.options import example

__all__ = ["verify_command"]


class _Verify(LazyGroup):
    lazy = {
        "core": ("mho.commands.verify.core", "A chip's core, or a gate-level netlist of it; the default."),
        "noc": ("mho.commands.verify.noc", "A mesh: routers, reduction, network interfaces."),
        "tile": ("mho.commands.verify.tile", "A tile: random programs beside the interpreter."),
        "chip": ("mho.commands.verify.chip", "A whole chip of tiles: programs and host together."),
    }

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `mho verify --chip CHIP` is about the core.
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["core", *args]
        return super().parse_args(ctx, args)


@click.group("verify", cls=_Verify, epilog=example("mho verify core --chip tnsa16-core --sim icarus"))
def verify_command() -> None:
    """Run the generated Verilog beside its reference, on random work, and compare everything. Exit 1 on a mismatch."""
