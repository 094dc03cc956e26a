"""Files that a file names and that are read with it: bases of a chip or a device, models of a macro, weights."""

import os
from collections.abc import Iterator
from pathlib import Path

from mho.macro_models.errors import MhoError
from mho.macro_models.files import FileKind, read_toml

__all__ = ["referenced_files"]

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
