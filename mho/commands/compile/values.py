"""Values of options, read."""


from collections.abc import Iterator

import click

from mho.macro_models.errors import InputError
from mho.terminal.paths import Word

__all__ = ["BACKEND", "named", "parse_slices", "read_shape"]


def _backends(_context: click.Context) -> Iterator[tuple[str, str]]:
    from mho.runs.backends import BACKENDS

    yield from ((name, "") for name in BACKENDS)


BACKEND = Word(names=_backends)


def named(values: tuple[str, ...], option: str) -> list[tuple[str, str]]:
    """Pairs of NAME=VALUE.

    Raises
    ------
    InputError
        If one has no name or no value.
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

    Raises
    ------
    InputError
        If they are none.
    """
    if not all(part.isdecimal() and len(part) < 10 for part in text.split(",")):
        raise InputError(f"--input-shape must be NAME=N,... with whole numbers, 0 for the batch, not {text!r}")
    return [int(part) for part in text.split(",")]


def parse_slices(text: str) -> int | dict[str, int] | None:
    """``none``, a number for all layers, or ``LAYER=N,...``.

    Raises
    ------
    InputError
        If it is none of those. The compiler checks the numbers and the names.
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
