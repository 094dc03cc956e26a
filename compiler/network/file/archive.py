"""A zip of one JSON file and .npy arrays, with a checksum, written atomically and with deterministic bytes."""

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mho.compiler.types import Facts
from mho.macro_models.errors import InputError
from mho.macro_models.files import FileKind, parse_json, read_file, read_member, reading
from mho.macro_models.files.schema import Array
from mho.macro_models.output import write_output


@dataclass(frozen=True)
class ArchiveKind(FileKind):
    """What an archive holds: the name of its JSON file, and how it is made again."""

    index: str = ""
    remake: str = ""


NETWORK = ArchiveKind("network file", 1 << 31, "network.json", "compile it again")

_SEAL = b"sha256:"
"""Start of the zip's comment, the end of the file. The checksum of all bytes before its digits follows, so that no
byte of the file can change: not even those of the zip's own tables, which readers ignore."""
_DIGITS = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST_INDEX = 1 << 26
"""Bytes of the JSON file."""


def write_archive(
    path: Path, content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], kind: ArchiveKind = NETWORK
) -> None:
    """Write an archive, whole or not at all.

    Raises InputError or ToolError if the file cannot be written.
    """
    write_output(path, archive_bytes(content, arrays, kind))


def archive_bytes(content: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], kind: ArchiveKind = NETWORK) -> bytes:
    """What :func:`write_archive` writes."""
    members = {kind.index: json.dumps(content, sort_keys=True, indent=1).encode()}
    for name in sorted(arrays):
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, arrays[name], version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = buffer.getvalue()
    return _sealed_zip(members)


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


def _checksum(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


class Arrays(Mapping[str, NDArray[Any]]):
    """The arrays of an archive by name. None is unpacked before it is asked for."""

    def __init__(self, path: Path, kind: ArchiveKind, archive: zipfile.ZipFile) -> None:
        self.path, self._kind, self._zip = path, kind, archive
        self._members = {i.filename[:-4]: i for i in archive.infolist() if i.filename.endswith(".npy")}

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._read(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def take(
        self, name: str, dtype: DTypeLike, shape: tuple[int | None, ...], low: float = -math.inf, high: float = math.inf
    ) -> NDArray[Any]:
        """An array of a type and shape, as :class:`~mho.macro_models.files.schema.Array` says it.

        Raises InputError if there is no such array, or it is another one: before it is unpacked, if its header says so.
        """
        spec, where = Array(dtype, shape, low, high), f"{self.path}: {name}"
        if name not in self:
            return spec.read(where, None)
        return spec.read(where, self._read(name, lambda dtype, shape: spec.check(where, dtype, shape)))

    def _read(self, name: str, check: Any) -> NDArray[Any]:
        info = self._members[name]
        with reading(self.path, self._kind):
            self._kind.check(self.path, info.file_size)
            return read_member(self._zip, info, check)


def read_archive(path: Path, kind: ArchiveKind = NETWORK) -> tuple[Facts, Arrays]:
    """JSON content and arrays of a file.

    Raises InputError if the file is missing, no such archive, cut or altered.
    """
    data = read_file(path, kind)
    with reading(path, kind):
        archive = zipfile.ZipFile(io.BytesIO(data))
        if not archive.comment.startswith(_SEAL) or kind.index not in archive.namelist():
            raise InputError(f"{path}: is no {kind.noun} (it has no {kind.index} or no checksum)")
        if _checksum(memoryview(data)[:-_DIGITS]) != data[-_DIGITS:]:
            raise InputError(f"{path}: was altered after it was written (its checksum does not match); {kind.remake}")
        kind.check(path, sum(info.file_size for info in archive.infolist()))
        if archive.getinfo(kind.index).file_size > _MOST_INDEX:
            raise InputError(f"{path}: is no {kind.noun} (its {kind.index} has more than {_MOST_INDEX} bytes)")
        content = parse_json(archive.read(kind.index))
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no {kind.noun} (its {kind.index} is not an object)")
    return content, Arrays(path, kind, archive)
