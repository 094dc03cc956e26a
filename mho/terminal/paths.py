"""What a command reads and what it writes: each parameter says which, and none is overwritten by another.

A parameter that takes text is of one of three types: :class:`Reads`, :class:`Writes`, or :data:`WORD` where it names
no file. Before a command works, :func:`check_paths` compares all of them.
"""

import os
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mho.macro_models.errors import InputError, MhoError
from mho.macro_models.files import FileKind, read_toml
from mho.macro_models.output import check_folder, check_output

_TOML = FileKind("TOML file", 1 << 20)


def referenced_files(path: str) -> list[str]:
    """Files beside ``path``, or where its names lead, each once; none if it cannot be read, which its reader says."""
    files: dict[Path, str] = {}
    _follow(Path(path), files)
    return list(files.values())


def _follow(path: Path, files: dict[Path, str]) -> None:
    try:
        names = list(_names(path))
    except (MhoError, OSError):
        return
    for name in names:
        named = path.parent / name
        try:
            where = Path(os.path.realpath(named))
            if not where.is_file() or where in files:
                continue
        except (OSError, ValueError):  # no name of a file
            continue
        files[where] = str(named)
        _follow(named, files)


def _names(path: Path) -> Iterator[str]:
    if path.suffix.lower() == ".toml":
        yield from _texts(read_toml(path, _TOML)[1])
    elif path.suffix.lower() == ".onnx":
        from mho.compiler.importer.reading.model_file import external_files

        yield from external_files(path)


def _texts(value: object) -> Iterator[str]:
    """All texts of a tree."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


_NOWHERE = os.makedev(1, 3)
"""``/dev/null``, into which any number of outputs go."""


Known = Callable[[click.Context], Iterable[tuple[str, str]]]
"""The names that a parameter may take, each with what a shell says of it."""


def _completed(names: Known | None, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    choices = () if names is None else names(ctx)
    return [CompletionItem(name, help=said or None) for name, said in choices if name.startswith(incomplete)]


class _Path(click.ParamType):
    name = "path"
    names: Known | None = None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names that are known, and files, which come first: Bash forgets what is before them."""
        return [CompletionItem(incomplete, type="file"), *_completed(self.names, ctx, incomplete)]

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value


@dataclass(frozen=True, kw_only=True)
class Reads(_Path):
    """A file that a command reads, ``FILE.npz:KEY``, or a name that may be one of a preset, a device or a port."""

    names: Known | None = None


@dataclass(frozen=True, kw_only=True)
class Writes(_Path):
    """A file or a folder that a command writes."""

    check: Callable[[str], None] = check_output
    """Refuses what cannot be written later."""
    ends: tuple[str, ...] = ()
    """What its name must end in; empty: in anything."""
    folder: tuple[str, ...] = ()
    """Patterns of what is written into it, if it is a folder."""
    stdout: bool = False
    """Whether ``-`` is a name of it."""
    beside: tuple[str, ...] = ()
    """Suffixes in place of its own of what is written with it."""

    def refuse(self, value: str) -> None:
        """Raise what is wrong with a name, before anything is written to it."""
        if self.stdout and value == "-":
            return
        if value == "-":
            raise InputError("- is no file that can be written here; /dev/stdout is")
        if self.ends and not value.lower().endswith(self.ends):
            *suffixes, last = self.ends
            choices = f"{', '.join(suffixes)} or {last}" if suffixes else last
            raise InputError(f"{value}: the name must end in {choices}, not {Path(value).suffix!r}")
        (check_folder if self.folder else self.check)(value)


@dataclass(frozen=True, kw_only=True)
class Word(click.ParamType):
    """Text that names no file."""

    name = "text"
    names: Known | None = None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Names that are known."""
        return _completed(self.names, ctx, incomplete)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it is.

        Raises InputError if it holds bytes that are no text.
        """
        try:
            value.encode()
        except UnicodeEncodeError:
            option = param.opts[-1] if param else self.name
            raise InputError(f"{option} must be text in UTF-8, not '{value}'") from None
        return value

WORD = Word()

READS, WRITES = Reads(), Writes()
WAVES = Writes(beside=(".gtkw",))
FIGURE = Writes(ends=(".png", ".pdf", ".svg"))


@dataclass(frozen=True)
class _Place:
    """A file by what it is, and how the user called it."""

    option: str
    path: str
    kind: _Path | None
    named: bool = False
    """Whether a file names it, and not the user."""

    @property
    def status(self) -> os.stat_result | None:
        try:
            return os.fstat(1) if self.kind is None else Path(self.path).stat()
        except (OSError, ValueError):
            return None

    @property
    def key(self) -> object:
        """Equal for names of one file: by its inode, or, until it exists, by its folder and its name in any case."""
        status = self.status
        if status is not None:
            return status.st_dev, status.st_ino
        return unicodedata.normalize("NFC", os.path.realpath(self.path)).casefold()

    def holds(self, place: "_Place") -> bool:
        """Whether this is a folder into which a file of the name of ``other`` is written."""
        if not isinstance(self.kind, Writes) or place.kind is None or place.named:
            return False
        name = os.path.relpath(os.path.realpath(place.path), os.path.realpath(self.path))
        return any(fnmatch(name.casefold(), pattern.casefold()) for pattern in self.kind.folder if name[:2] != "..")


def check_paths(ctx: click.Context) -> None:
    """Compare every output of a command with every input and every other output, and look whether it can be written.

    Raises InputError if two are one file, by whatever names, or the name of an output is wrong. Raises ToolError if an
    output cannot be written.
    """
    places = list(_places(ctx))
    if any(isinstance(place.kind, Writes) and place.status for place in places):
        # Only what exists can be one of the files that an input names.
        places += [
            _Place(f"part of {place.option}", file, READS, named=True)
            for place in places if isinstance(place.kind, Reads) for file in referenced_files(place.path)
        ]
    reads = [place for place in places if isinstance(place.kind, Reads)]
    writes = [place for place in places if not isinstance(place.kind, Reads)]
    for number, output in enumerate(writes):
        status = output.status
        if output.kind is None and not (status and stat.S_ISREG(status.st_mode)):
            continue
        for other in (*reads, *writes[number + 1 :]):
            shared = status is not None and status.st_rdev == _NOWHERE
            if (output.key == other.key and not shared) or output.holds(other) or other.holds(output):
                first, second = (other, output) if output.holds(other) else (output, other)
                raise InputError(
                    f"{first.path}: is {first.option} and {second.option} of this command and would be lost; name "
                    "another file"
                )
    for output in writes:
        if isinstance(output.kind, Writes):
            output.kind.refuse(output.path)


def _there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _places_of(option: str, value: str, kind: _Path) -> "Iterator[_Place]":
    """Where an option reads or writes; of several files, each may be NAME=FILE."""
    if isinstance(kind, Reads):
        value = value if "=" not in value or _there(value) else value.partition("=")[2] or value
        file, key, _ = value.partition(".npz:")
        value = file + ".npz" if key and not _there(value) else value
    elif value == "-" and getattr(kind, "stdout", False):
        return
    yield _Place(option, value, kind)
    for suffix in getattr(kind, "beside", ()):
        if Path(value).name:
            yield _Place(f"beside {option}", str(Path(value).with_suffix(suffix)), kind)


def _places(ctx: click.Context) -> Iterator[_Place]:
    for param in ctx.command.params:
        value = ctx.params.get(param.name or "")
        if value is None or not isinstance(param.type, _Path):
            continue
        option = param.opts[-1] if isinstance(param, click.Option) else param.make_metavar(ctx)
        for path in value if param.multiple or param.nargs == -1 else [value]:
            yield from _places_of(option, path, param.type)
    if sys.stdout is not None:
        yield _Place("standard output", "standard output", None)
