"""The synthesis of a build, kept in its folder until there is a bitstream, so that another try begins behind it."""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from shutil import copyfile

from mho.macro_models.files import parse_json
from mho.macro_models.output import write_output

FOLDER = "synthesis"
"""Its name in the folder of the build."""

_RECORD = "kept.json"
"""What it was made from, and the hash of each file. Without it, or if it does not fit, nothing is taken."""


def inputs_of(work: Path, tool: str) -> str:
    """Hash of all that is in ``work`` before the synthesis, and of the version of its tool."""
    files = sorted(path for path in work.iterdir() if path.is_file() and not path.name.startswith("."))
    return _sha256(json.dumps([tool, *((path.name, _sha256(path.read_bytes())) for path in files)]).encode())


def keep(work: Path, folder: Path, names: Iterable[str], inputs: str) -> None:
    """Copy files from ``work`` into the folder of the build, the record last."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    (target / _RECORD).unlink(missing_ok=True)
    hashes = {}
    for name in names:
        data = (work / name).read_bytes()
        write_output(target / name, data)
        hashes[name] = _sha256(data)
    write_output(target / _RECORD, json.dumps({"inputs": inputs, "files": hashes}, indent=2).encode() + b"\n")


def take(work: Path, folder: Path, names: Iterable[str], inputs: str) -> bool:
    """Copy what was kept of these inputs into ``work``; False if there is nothing of them, or it is damaged."""
    source = folder / FOLDER
    try:
        record = parse_json((source / _RECORD).read_bytes())
        hashes = {name: _sha256((source / name).read_bytes()) for name in names}
    except (OSError, ValueError):
        return False
    if record != {"inputs": inputs, "files": hashes}:
        return False
    for name in hashes:
        copyfile(source / name, work / name)
    return True


def drop(folder: Path, names: Iterable[str]) -> None:
    """Remove what was kept, and nothing else that lies there."""
    for name in (_RECORD, *names):
        (folder / FOLDER / name).unlink(missing_ok=True)
    with suppress(OSError):
        (folder / FOLDER).rmdir()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
