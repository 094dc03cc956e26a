"""``mho compare``: runs, chips or devices side by side."""

from importlib import import_module

import click

from mho.macro_models.errors import InputError
from mho.terminal.console import Output
from mho.terminal.names import THING
from mho.terminal.options import common_options, example
from mho.terminal.paths import FIGURE

__all__ = ["compare_command"]


@click.command("compare", epilog=example("mho compare a.json b.json -o compared.png"))
@click.argument("things", metavar="A B ..", nargs=-1, type=THING)
@click.option("-o", "--output", metavar="FIGURE", type=FIGURE, help="A figure of what is compared (png, pdf or svg).")
@common_options
def compare_command(things: tuple[str, ...], output: str | None, out: Output) -> None:
    """Set runs, chips or devices side by side: what differs, by how much, and whether that is more than chance.

    Each is compared with the first. Runs are what mho run --json wrote: chips with the same seed on the same images one
    by one, single chips image by image, others by their intervals; the figure shows them against time. Chips and
    devices are names of shipped ones or TOML files. Of chips: keys of the descriptions, and the sizes, times and
    efficiencies that follow. Of devices: mean and deviation of the cells after an hour, a day and 30 days, with the
    90 % interval of the difference that the cells behind both fits allow.
    """
    from mho.comparisons.kinds import one_kind

    if len(things) < 2:
        raise InputError(f"mho compare needs two runs, chips or devices or more, not {len(things)}")
    kind = one_kind(things)
    compare = getattr(import_module(f"mho.commands.compare.{kind}s"), f"compare_{kind}s")
    out.json({"kind": kind, **compare(things, output, out)})
