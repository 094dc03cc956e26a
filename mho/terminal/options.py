"""Options that mean the same in every command, the names that they may have, and their values."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from mho.macro_models.errors import InputError, MhoError
from mho.terminal import interrupt
from mho.terminal.console import Output
from mho.terminal.paths import READS, Reads, Word, Writes, check_paths


def _backends(_context: click.Context) -> Iterator[tuple[str, str]]:
    from mho.runs.backends import BACKENDS

    yield from ((name, "") for name in BACKENDS)


BACKEND = Word(names=_backends)


def named(values: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    """Pairs of NAME=VALUE.

    Raises InputError if one has no name or no value.
    """
    pairs = []
    for text in values:
        name, _, value = text.partition("=")
        if not name or not value:
            raise InputError(f"{option} must be NAME=VALUE, not {text!r}")
        pairs.append((name, value))
    return pairs


def read_shape(text: str) -> list[int]:
    """Whole numbers with commas between.

    Raises InputError if they are none.
    """
    if not all(part.isdecimal() and len(part) < 10 for part in text.split(",")):
        raise InputError(f"--input-shape must be NAME=N,... with whole numbers, 0 for the batch, not {text!r}")
    return [int(part) for part in text.split(",")]


def parse_slices(text: str) -> int | dict[str, int] | None:
    """``none``, a number for all layers, or ``LAYER=N,...``.

    Raises InputError if it is none of those. The compiler checks the numbers and the names.
    """
    if text == "none":
        return None
    try:
        if "=" not in text:
            return int(text)
        pairs = [(name, int(count)) for name, count in (part.rsplit("=", 1) for part in text.split(","))]
    except ValueError:
        raise InputError(f"--slices must be none, a number or LAYER=N,..., not {text!r}") from None
    if len(dict(pairs)) < len(pairs):
        raise InputError(f"--slices must name each layer once, not {text!r}")
    return dict(pairs)


Names = Iterator[tuple[str, str]]
"""Names with what is said of them, which may be nothing."""


def _presets(_context: click.Context) -> Names:
    from mho.hw.config import preset_names

    yield from ((name, "") for name in preset_names())


def _devices(_context: click.Context) -> Names:
    from mho.macro_models.devices import device_names

    yield from ((name, "") for name in device_names())


def _boards(_context: click.Context) -> Names:
    from mho.fpga.boards import BOARDS

    yield from ((name, board.title) for name, board in BOARDS.items())


def _things(context: click.Context) -> Names:
    yield from _presets(context)
    yield from _devices(context)


def _keys(context: click.Context) -> Names:
    """Keys of the chip that the line names, each with its ``=``; of all kinds of chips where it names none."""
    from mho.hw.config import describe, load_chip, preset_names

    # An option that waits for its value leaves click without arguments that stand alone.
    named = [name for name in (context.params.get("chip"), *context.args) if name]
    try:
        chips = [load_chip(name) for name in named[:1] or preset_names()]
    except MhoError:
        chips = [load_chip(name) for name in preset_names()]
    keys = {row.key: row.doc for chip in chips for row in describe(chip)}
    yield from ((f"{key}=", doc) for key, doc in keys.items())


CHIP, DEVICE, THING = Reads(names=_presets), Reads(names=_devices), Reads(names=_things)
PRESET, BOARD, KEY = Word(names=_presets), Word(names=_boards), Word(names=_keys)

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
    def wrapper(*args: object, json_path: str | None, quiet: bool, verbose: bool, **kwargs: object) -> object:
        ctx = click.get_current_context()
        check_paths(ctx)
        interrupt.work()
        from mho.sim.build.toolchain import announced_builds

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


def backend_option(functional: str = "functional") -> Callable[[F], F]:
    """``--backend`` with the line to a board; ``functional`` is what the help says of that one."""
    backend = click.option(
        "--backend", metavar="NAME", type=BACKEND, default="functional", show_default=True,
        help=f"{functional}, cosim, fpga-sim or fpga.",
    )
    port = click.option("--port", metavar="PORT", type=READS, help="Serial port of the board, with --backend fpga.")
    baud = click.option("--baud", type=int, metavar="N", help="Rate of that port, if the board has not the usual one.")
    return lambda function: backend(port(baud(function)))


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
