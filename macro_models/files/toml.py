"""TOML that is read without surprises: no depth, no number and no chain of files can exhaust the reader."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from mho.macro_models.errors import InputError
from mho.macro_models.files.reading import FileKind, read_text

_DEEPEST = 16
"""Tables in tables, and files that extend files."""
_DOTTED = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){16}""")
"""A dotted key deeper than that: the time that the parser takes grows with the square of its depth."""


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Parse ``text`` of the file ``name``.

    Raises
    ------
    InputError
        With file and line, if it is not TOML, or is nested deeper than any description is.
    """
    try:
        if _DOTTED.search(text):
            raise RecursionError
        tree = tomllib.loads(text)
        _check_values(tree)
        return tree
    except RecursionError:
        raise InputError(f"{name}: not TOML that can be read: more than {_DEEPEST} levels are nested") from None
    except ValueError as error:
        reason = str(error)
        at = re.search(r"line (\d+)", reason)
        line = f":{at[1]}" if at else ""
        reason = re.sub(r"\s*\(at .*\)$", "", reason)
        raise InputError(f"{name}{line}: not TOML: {reason[:1].lower()}{reason[1:]}") from None


def _check_values(tree: object) -> None:
    """Raises RecursionError where tables are too deep, ValueError at integers beyond 64 bits, which TOML has not."""
    level = [tree]
    for _ in range(_DEEPEST):
        if any(isinstance(value, int) and value.bit_length() > 63 for value in level):
            raise ValueError("an integer has more than 64 bits")
        level = [
            item for value in level if isinstance(value, (dict, list))
            for item in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise RecursionError


def read_toml(path: Path, kind: FileKind) -> tuple[str, dict[str, Any]]:
    """Text and content of a TOML file; errors as :func:`parse_toml` and :func:`open_file`."""
    text = read_text(path, kind)
    return text, parse_toml(text, str(path))


def extending(path: Path, earlier: tuple[Path, ...]) -> tuple[Path, ...]:
    """The files of a chain of ``extends``, with ``path``, which could be read.

    Raises
    ------
    InputError
        If the chain comes back to itself, or is too long.
    """
    longer = (*earlier, Path(os.path.realpath(path)))
    if longer[-1] in earlier or len(longer) > _DEEPEST:
        chain = " -> ".join(p.name for p in (*earlier[-3:], path))
        wrong = "come back to itself" if longer[-1] in earlier else f"go over more than {_DEEPEST} files"
        raise InputError(f"{path}: extends must not {wrong}, not {chain}")
    return longer
