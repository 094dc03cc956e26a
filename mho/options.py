"""Options that mean the same in every command."""

import tomllib
from collections.abc import Callable
from typing import Any, TypeVar

import click

from macro_models.errors import InputError
from mho.console import Output

__all__ = ["chip_argument", "chip_option", "common_options", "example", "parse_overrides", "set_option"]

F = TypeVar("F", bound=Callable[..., Any])


def example(*lines: str) -> str:
    """The epilog that ends a help page."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def common_options(function: F) -> F:
    """``--json``, ``-q`` and ``-v``, handed to the command as one :class:`Output` named ``out``."""
    import functools

    @click.option("--json", "json_path", metavar="FILE|-", help="Write the result as JSON, - for stdout.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings on stderr.")
    @click.option("-v", "--verbose", is_flag=True, help="Details on stderr.")
    @functools.wraps(function)
    def wrapper(*args: Any, json_path: str | None, quiet: bool, verbose: bool, **kwargs: Any) -> Any:
        return function(*args, out=Output(json_path=json_path, quiet=quiet, verbose=verbose), **kwargs)

    return wrapper  # type: ignore[return-value]


def set_option(function: F) -> F:
    """``--set KEY=VALUE``, wherever a chip is taken."""
    return click.option(
        "--set", "overrides", metavar="KEY=VALUE", multiple=True,
        help="Change one key of the chip, as in adc.bits=6 (repeatable).",
    )(function)


def chip_argument(function: F) -> F:
    """The positional chip of a command that works on one, with ``--set``."""
    return click.argument("chip", metavar="CHIP")(set_option(function))


def chip_option(function: F) -> F:
    """``--chip`` of a command that works on something else, with ``--set``."""
    return click.option("--chip", metavar="CHIP", help="Preset or chip file.")(set_option(function))


def parse_overrides(items: tuple[str, ...]) -> dict[str, object]:
    """``("adc.bits=6",)`` to ``{"adc.bits": 6}``. A value is TOML; what is no TOML is a string."""
    parsed: dict[str, object] = {}
    for item in items:
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not key or not value.strip():
            raise InputError(f"--set must be KEY=VALUE, as in adc.bits=6, not {item!r}")
        if key in parsed:
            raise InputError(f"--set gives {key} twice")
        try:
            parsed[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed[key] = value.strip()
    return parsed
