"""A zip of one JSON file and .npy arrays, with a checksum, written atomically and with deterministic bytes.

Files of format 1 are read as those of the format that is written now: there a perceptron had no steps and no stages,
each layer took what the one before it gave; the layers of other networks were calls that encoded the lanes which they
took, where encoding is a stage of its own now.
"""

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


Entry = zipfile.ZipInfo | NDArray[Any]


class Arrays(Mapping[str, NDArray[Any]]):
    """The arrays of an archive by name. None is unpacked before it is asked for.

    Members
    -------
    entries
        Where each array is in the archive, or what stands in its place.
    """

    def __init__(
        self, path: Path, kind: ArchiveKind, archive: zipfile.ZipFile, entries: Mapping[str, Entry] | None = None
    ) -> None:
        self.path, self._kind, self._zip = path, kind, archive
        members = {i.filename[:-4]: i for i in archive.infolist() if i.filename.endswith(".npy")}
        self.entries: Mapping[str, Entry] = members if entries is None else entries

    def with_entries(self, entries: Mapping[str, Entry]) -> "Arrays":
        """The same archive with its arrays under other names, or with others."""
        return Arrays(self.path, self._kind, self._zip, entries)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._read(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

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
        info = self.entries[name]
        if isinstance(info, np.ndarray):
            return info
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


def convert(content: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
    """The content and the arrays of a network file, those of format 1 converted, others as they are."""
    if content.get("format") != 1:
        return content, arrays
    model, entries = dict(content["model"]), dict(arrays.entries)
    layers = [
        {**entry, "kind": "LinearLayer", "inputs": arrays[f"model{k}.weight"].shape[1]}
        for k, entry in enumerate(model.pop("layers"))
    ]
    steps = [dict(entry) for entry in model.get("steps", [])]
    if not steps:
        steps = [{"kind": "Linear", "inputs": [k]} for k in range(len(layers))]
        for k, layer in enumerate(layers):
            entries[f"step{k}.patches"] = np.arange(layer["inputs"], dtype=np.int32)[None]
            entries[f"step{k}.pad"] = np.zeros(layer["inputs"])
    of_layers = [k for k, step in enumerate(steps) if step["kind"] == "Linear"]
    for number, k in enumerate(of_layers):
        steps[k]["window"] = None
        steps[k]["layer"] = {key: layers[number][key] for key in ("kind", "name", "relu")}
        for name in ("weight", "bias"):
            entries[f"step{k}.layer.{name}"] = entries.pop(f"model{number}.{name}")
    stages = _stages(content["stages"], entries) if content.get("stages") else _chain(layers, entries)
    rest = [{"positions": 1, **layer} for layer in content["layers"]]
    converted = {"format": 2, "range": None, "model": {**model, "steps": steps}, "stages": stages, "layers": rest}
    return {**content, **converted}, arrays.with_entries(entries)


def _chain(layers: list[dict[str, Any]], arrays: dict[str, Entry]) -> list[dict[str, Any]]:
    for k, layer in enumerate(layers):
        arrays[f"stage{k}.patches"] = np.arange(layer["inputs"], dtype=np.int32)[None]
        arrays[f"stage{k}.pad"] = np.zeros(layer["inputs"], dtype=np.int16)
    return [{"kind": "Call", "inputs": [k], "layer": k, "window": None} for k in range(len(layers))]


def _stages(old: list[Mapping[str, Any]], arrays: dict[str, Entry]) -> list[dict[str, Any]]:
    """Stages with an Encode before each Call; values are numbered anew."""
    moved = {name: arrays.pop(name) for name in list(arrays) if name.startswith("stage")}
    number, stages = [0], []
    for k, entry in enumerate(old):
        content = {**entry, "inputs": [number[v] for v in entry["inputs"]]}
        encode = content.pop("encode", None)
        if encode is not None:
            content["window"] = None
            _rename(moved, f"stage{k}.encode.", f"stage{len(stages)}.", arrays)
            stages.append({**encode, "inputs": content["inputs"]})
            content["inputs"] = [len(stages)]
        _rename(moved, f"stage{k}.", f"stage{len(stages)}.", arrays)
        stages.append(content)
        number.append(len(stages))
    return stages


def _rename(moved: dict[str, Entry], before: str, after: str, arrays: dict[str, Entry]) -> None:
    for name in [name for name in moved if name.startswith(before)]:
        arrays[after + name.removeprefix(before)] = moved.pop(name)
