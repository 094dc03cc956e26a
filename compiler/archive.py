"""A zip of one JSON file and .npy arrays, with a checksum, written atomically and with deterministic bytes."""

import hashlib
import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.errors import InputError

__all__ = ["NETWORK", "ArchiveKind", "read_archive", "write_archive"]


@dataclass(frozen=True)
class ArchiveKind:
    """What an archive holds: the name of its JSON file, what users call it, and how it is made again."""

    index: str
    noun: str
    remake: str


NETWORK = ArchiveKind("network.json", "network file", "compile it again")

_SEAL = b"sha256:"
"""Start of the zip's comment, the end of the file. The checksum of all bytes before its digits follows, so that no
byte of the file can change: not even those of the zip's own tables, which readers ignore."""
_DIGITS = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST_BYTES = 1 << 31
"""Largest member that is read, uncompressed: a guard against files that are made to exhaust memory."""


def write_archive(
    path: Path, content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], kind: ArchiveKind = NETWORK
) -> None:
    """Writes to a temporary name beside ``path``, then renames.

    Raises
    ------
    InputError
        If the folder or the file cannot be written.
    """
    members = {kind.index: json.dumps(content, sort_keys=True, indent=1).encode()}
    for name in sorted(arrays):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, arrays[name], version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = buffer.getvalue()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_sealed_zip(members))
            # mkstemp makes a private file; give it the mode that the user's umask asks for.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def _sealed_zip(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, data, compresslevel=6)
        archive.comment = _SEAL + bytes(_DIGITS)
    data = stream.getvalue()[:-_DIGITS]
    return data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def read_archive(path: Path, kind: ArchiveKind = NETWORK) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """JSON content and arrays of a file.

    Raises
    ------
    InputError
        If the file is missing, no such archive, cut or altered.
    """
    members = _read_members(path, kind)
    try:
        content = json.loads(members[kind.index])
        arrays = {
            name.removesuffix(".npy"): np.load(io.BytesIO(data), allow_pickle=False)
            for name, data in members.items()
            if name.endswith(".npy")
        }
    except (ValueError, OSError, EOFError, RecursionError) as error:
        raise InputError(f"{path}: is no {kind.noun} ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no {kind.noun} (its {kind.index} is not an object)")
    return content, arrays


def _read_members(path: Path, kind: ArchiveKind) -> dict[str, bytes]:
    try:
        data = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if not archive.comment.startswith(_SEAL) or kind.index not in archive.namelist():
                raise InputError(f"{path}: is no {kind.noun} (it has no {kind.index} or no checksum)")
            if _checksum(data[:-_DIGITS]) != data[-_DIGITS:]:
                raise InputError(
                    f"{path}: was altered after it was written (its checksum does not match); {kind.remake}"
                )
            infos = archive.infolist()
            if sum(i.file_size for i in infos) > _MOST_BYTES:
                raise InputError(f"{path}: is no {kind.noun} (it unpacks to more than {_MOST_BYTES} bytes)")
            return {i.filename: archive.read(i) for i in infos}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is no {kind.noun}, or was cut ({' '.join(str(error).split())})") from None
