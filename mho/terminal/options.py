"""Options that mean the same in every command."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mho.macro_models.errors import MhoError
from mho.terminal import interrupt
from mho.terminal.console import Output
from mho.terminal.names import CHIP, KEY
from mho.terminal.paths import Writes, check_paths

__all__ = ["chip_argument", "chip_option", "common_options", "example", "noise_option", "set_option"]

F = TypeVar("F", bound=Callable[..., Any])


def example(*lines: str) -> str:
    """The epilog that ends a help page."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def common_options(function: F) -> F:
    """``--json``, ``-q`` and ``-v``, handed to the command as one :class:`Output` named ``out``.

    Before the command works its paths are compared; errors name its options.
    """

    @click.option(
        "--json", "json_path", metavar="FILE|-", type=Writes(stdout=True),
        help="Write the result as JSON, - for stdout.",
    )
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings on stderr.")
    @click.option("-v", "--verbose", is_flag=True, help="Details on stderr.")
    @functools.wraps(function)
    def wrapper(*args: Any, json_path: str | None, quiet: bool, verbose: bool, **kwargs: Any) -> Any:
        ctx = click.get_current_context()
        check_paths(ctx)
        interrupt.work()
        from mho.sim.build.announce import announced_builds

        out = Output(json_path=json_path, quiet=quiet, verbose=verbose)
        try:
            with announced_builds(out.note):
                return function(*args, out=out, **kwargs)
        except KeyboardInterrupt:  # for which click would print an empty line
            raise click.Abort from None
        except MhoError as error:
            error.options = {p.name: p.opts[-1] for p in ctx.command.params if p.name and isinstance(p, click.Option)}
            raise

    return wrapper  # type: ignore[return-value]


def set_option(function: F) -> F:
    """``--set KEY=VALUE``, wherever a chip is taken."""
    return click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        type=KEY,
        multiple=True,
        help="Change one key of the chip, as in adc.bits=6 (repeatable).",
    )(function)


def noise_option(function: F) -> F:
    """``--noise`` of the commands that put a core on a board."""
    return click.option(
        "--noise", is_flag=True, help="With a shift register for the read noise of the device lfsr."
    )(function)


def chip_argument(function: F) -> F:
    """The positional chip of a command that works on one, with ``--set``."""
    return click.argument("chip", metavar="CHIP", type=CHIP)(set_option(function))


def chip_option(*, required: bool = False) -> Callable[[F], F]:
    """``--chip`` of a command that works on something else, with ``--set``."""

    def decorate(function: F) -> F:
        return click.option(
            "--chip", metavar="CHIP", type=CHIP, required=required, help="Preset or chip file."
        )(set_option(function))

    return decorate
