"""What comes from others and goes into scripts and commands of other tools: names that none reads as more than that.

Scripts of Yosys, OpenSTA, Tcl and the like have rules of quoting that differ, and some have none. So nothing is quoted
but for Make: names are checked against :data:`NAME`, and files have names of ours (:func:`plain_file`) in a folder
where the tool runs, and which has a plain path (:func:`plain_folder`) where the tool makes absolute ones of them.
"""

import re
import shlex
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mho.macro_models.errors import InputError, ToolError

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
"""Of a module, cell, pin, net or port: what is one word and nothing else to every tool."""

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")


def script_name(name: str, where: str) -> str:
    """The name, if it is one; ``where`` begins the sentence, as in ``cells.lib: the name of a cell``.

    Raises InputError if it is none.
    """
    if re.fullmatch(NAME, name) is None:
        raise InputError(f"{where} must be of letters, digits and _, not {name[:60]!r}")
    return name


def plain_file(name: str) -> str:
    """A name of a file with ``_`` for all that is not a letter, digit, point, sign or ``_``."""
    return re.sub(r"[^A-Za-z0-9_.+-]|^-", "_", name)


def make_word(path: Path) -> str:
    """A path as one word of a command in a makefile: quoted for the shell, and that for Make."""
    return shlex.quote(str(path)).replace("$", "$$").replace("#", "\\#")


def is_plain(path: Path) -> bool:
    """Whether tools take a path as it is: without blanks, quotes and signs of shells, Make and scripts."""
    return _PLAIN.fullmatch(str(path)) is not None


def plain_folder(*first: Path) -> Path:
    """The first of some folders, and of those of the system for temporary files, whose path is plain.

    Raises ToolError if there is none.
    """
    places: Iterable[Path] = (*first, Path(tempfile.gettempdir()), *map(Path, ("/tmp", "/var/tmp", "/dev/shm")))
    folder = next((place for place in places if is_plain(place.absolute()) and place.is_dir()), None)
    if folder is None:
        raise ToolError("set TMPDIR to a folder whose path has no blanks and no signs but . _ + -")
    return folder
