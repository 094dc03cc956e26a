"""A folder into which ``mho generate`` writes and its user works: whose each file is, and how it is written anew.

What is listed in the folder's report is ours: it is renewed, or removed where it is not written any more; the text of
one that was changed by hand goes to the folder ``changed``. Of some files (:func:`yours_once_changed`) we write but the
first version: changed by hand, they are their user's. All that is not listed is its user's too, and is never touched.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mho.macro_models.errors import InputError
from mho.macro_models.files import parse_json
from mho.macro_models.output import cannot_write
from mho.macro_models.workspace import Workspace

REPORT = "report.json"
"""The file that lists what is ours."""

MARK = "mho generate"
"""What tells a report of ours from any other file of that name."""

_ANOTHER = "name another folder (-o, in Python output_dir)"
_CHANGED = "changed"


@dataclass(frozen=True)
class GeneratedFile:
    """A file, by its path in the folder; of one that is ``yours_once_changed`` what is written is a first version."""

    path: str
    bytes: int
    sha256: str
    yours_once_changed: bool


def yours_once_changed(path: str) -> bool:
    """Whether a file is its user's once it differs from what was written: benches, views of the macro, the page."""
    return path.startswith("tb/") or path.endswith((".lef", ".lib")) or path == "README.md"


class SharedFolder:
    """A folder that is to be written, as it is now.

    Raises InputError if it holds something, but was not written by an earlier run.

    Parameters
    ----------
    output
        The folder; it need not be there.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        if output.is_symlink() or (output.exists() and not output.is_dir()):
            raise InputError(f"{output} must be a folder, not a file or a link")
        self._old = _listed(output) if output.exists() and any(output.iterdir()) else {}
        self._present = list(_leaves(output)) if self._old else []

    def entries(self, texts: Mapping[str, str]) -> tuple[GeneratedFile, ...]:
        """What the report says of files, sorted by path."""
        contents = ((path, texts[path].encode()) for path in sorted(texts))
        return tuple(GeneratedFile(path, len(c), _hash(c), yours_once_changed(path)) for path, c in contents)

    def write(self, texts: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """Write files, the report among them, so that the folder is as before or as it shall be.

        Raises InputError if something of the user is where a file of ours belongs, or the folder cannot be written.

        Returns
        -------
        kept, replaced
            Paths of what is the user's; of files of ours that had been changed, with the paths of their texts.
        """
        theirs, replaced = self._sort(texts)
        output = self.output
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            workspace = Workspace("generate", output.parent)
        except OSError as error:
            raise cannot_write(output, error) from error
        new, old = workspace.path / "new", workspace.path / "old"
        try:
            for path, text in texts.items():
                if path not in theirs:
                    _place(new / path).write_text(text, encoding="utf-8", newline="\n")
            for path, target in (*((path, path) for path in theirs), *replaced):
                _carry(output / path, _place(new / target))
            if output.exists():
                workspace.keep()
                output.rename(old)
            new.rename(output)
        except OSError as error:
            if not output.exists() and old.exists():
                old.rename(output)
            raise cannot_write(output, error) from error
        finally:
            workspace.close()
        return tuple(theirs), tuple(replaced)

    def _sort(self, texts: Mapping[str, str]) -> tuple[list[str], list[tuple[str, str]]]:
        """What is the user's, and what of ours was changed, with new places for it."""
        users, replaced, names_used = [], [], set(self._present)
        for path in self._present:
            old_hash = self._old.get(path)
            if path == REPORT or (old_hash is not None and old_hash == _hash_of(self.output / path)):
                continue
            if old_hash is None or yours_once_changed(path):
                users.append(path)
                continue
            names = (f"{_CHANGED}/{path}{f'.{number}' if number else ''}" for number in range(len(names_used) + 1))
            place = next(name for name in names if name not in names_used)
            replaced.append((path, place))
            names_used.add(place)
        needed = {str(parent) for path in texts for parent in PurePosixPath(path).parents}
        for path in users:
            theirs = yours_once_changed(path) and (self.output / path).is_file()
            within = any(str(parent) in texts for parent in PurePosixPath(path).parents)
            if (path in texts and not theirs) or within or (path in needed and not (self.output / path).is_dir()):
                raise InputError(
                    f"{self.output} holds {path}, which mho generate did not write and would replace: move it, or "
                    f"{_ANOTHER}"
                )
        return users, replaced


def _listed(output: Path) -> dict[str, str]:
    """Hashes by path of what an earlier run wrote."""
    try:
        report: Any = parse_json((output / REPORT).read_text(encoding="utf-8"))
        if report["written_by"] != MARK:
            raise ValueError(report["written_by"])
        return {file["path"]: file["sha256"] for file in report["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(f"{output} holds files that mho generate did not write: {_ANOTHER}") from None


def _leaves(output: Path) -> Iterator[str]:
    """Paths of all files, links and empty folders in a folder, sorted."""
    leaves = []
    for folder, folders, files in os.walk(output):
        place = Path(folder)
        links = [name for name in folders if (place / name).is_symlink()]
        leaves += [place / name for name in (*files, *links)]
        if not folders and not files and place != output:
            leaves.append(place)
    return iter(sorted(path.relative_to(output).as_posix() for path in leaves))


def _place(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _carry(source: Path, target: Path) -> None:
    """The same file at another place, without a copy of its content where the file system allows it."""
    if source.is_dir() and not source.is_symlink():
        target.mkdir(exist_ok=True)
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _hash_of(path: Path) -> str:
    """Hash of a file; none for what is no file of its own."""
    return _hash(path.read_bytes()) if path.is_file() and not path.is_symlink() else ""


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
