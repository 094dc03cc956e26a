"""Parameters that take one of the names that mho knows, so that a shell completes it."""

from collections.abc import Iterator

import click

from mho.macro_models.errors import MhoError
from mho.terminal.paths import Reads, Word

__all__ = ["BOARD", "CHIP", "DEVICE", "KEY", "PRESET", "THING"]

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
