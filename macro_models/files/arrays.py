"""Arrays of ``.npy`` and ``.npz`` files: header, size and type are checked before anything is unpacked or kept."""

import math
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mho.macro_models.files.reading import FileKind, open_file
from mho.macro_models.types import Array

_MAGIC = b"\x93NUMPY"
_TYPE = r"""["'][<>|=]?[?biufcSUOVmM]\d{0,6}["']"""
_FIELD = rf"""["'](descr|fortran_order|shape)["']\s*:\s*({_TYPE}|True|False|\([\d\sL,]*\))"""
_HEADER = re.compile(rf"\{{\s*{_FIELD}\s*,\s*{_FIELD}\s*,\s*{_FIELD}\s*,?\s*\}}\s*")
_MOST_HEADER = 1 << 16
_CHUNK = 1 << 22

Check = Callable[[np.dtype[Any], tuple[int, ...]], None]


def _header(stream: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...], str, int]:
    """Type, shape, order (C or F) of the array that follows, and the bytes that the header has.

    Raises ValueError if it is no header of an array of numbers, truth values or text: with a reason.
    """
    start = stream.read(8)
    wide = 4 if start[6:7] in (b"\x02", b"\x03") else 2
    size = int.from_bytes(stream.read(wide), "little")
    if start[:6] != _MAGIC or size > _MOST_HEADER:
        raise ValueError("it does not begin as an array")
    match = _HEADER.fullmatch(stream.read(size).decode("latin-1"))
    fields = {} if match is None else dict(zip(match.groups()[::2], match.groups()[1::2], strict=True))
    if set(fields) != {"descr", "fortran_order", "shape"}:
        raise ValueError("its header is damaged, or of an array with several fields")
    if "O" in fields["descr"]:
        raise ValueError("it holds objects, not numbers")
    try:
        dtype = np.dtype(fields["descr"][1:-1])
        shape = tuple(int(n) for n in re.findall(r"\d+", fields["shape"]))
    except (TypeError, ValueError):
        dtype, shape = np.dtype(object), ()
    if dtype.kind not in "biufcSU":
        raise ValueError(f"it holds {fields['descr'][1:-1]}, which is no type of numbers")
    return dtype, shape, "F" if fields["fortran_order"] == "True" else "C", 8 + wide + size


def read_array(stream: BinaryIO, size: int, check: Check | None = None) -> Array:
    """The array of a stream that has ``size`` bytes; ``check`` may refuse its type and shape before it is read.

    Raises ValueError if it is none, or has more or fewer bytes than its header says: nothing is allocated then.
    """
    dtype, shape, order, start = _header(stream)
    if check is not None:
        check(dtype, shape)
    count = math.prod(shape)
    if start + count * dtype.itemsize != size:
        raise ValueError(f"it has {size} bytes, {dtype} of shape {list(shape)} has {start + count * dtype.itemsize}")
    flat = np.empty(count, dtype)
    target: Any = flat.view(np.uint8)
    at = 0
    while at < len(target):
        got = stream.readinto(target[at : at + _CHUNK])  # type: ignore[attr-defined]
        if not got:
            raise ValueError(f"it ends after {at} of {len(target)} bytes")
        at += got
    if dtype.kind == "b" and count and flat.view(np.uint8).max() > 1:
        raise ValueError("it holds truth values that are neither 0 nor 1")
    return flat.reshape(shape, order=order)  # type: ignore[call-overload]


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, check: Check | None = None) -> Array:
    """The array of a member of an archive; see :func:`read_array`. No more than its size as declared is unpacked."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{info.filename} is packed in another way than by deflate")
    with archive.open(info) as member:
        return read_array(member, info.file_size, check)  # type: ignore[arg-type]


class ArrayFile:
    """A ``.npy`` or ``.npz`` file that is open.

    Members
    -------
    names
        Of an ``.npz``: the arrays. None for a ``.npy``.
    members
        Of an ``.npz``: all names in the archive.
    """

    def __init__(self, path: Path, kind: FileKind, stream: BinaryIO, size: int) -> None:
        self._path, self._kind, self._stream, self._size = path, kind, stream, size
        self._zip = None if stream.read(6) == _MAGIC else zipfile.ZipFile(stream)
        stream.seek(0)
        self.members = [] if self._zip is None else self._zip.namelist()
        self.names = (
            None if self._zip is None else [n.removesuffix(".npy") for n in self.members if n.endswith(".npy")]
        )

    @classmethod
    @contextmanager
    def open(cls, path: Path, kind: FileKind) -> Iterator["ArrayFile"]:
        """The file at ``path``; what is raised meanwhile becomes a sentence, see :func:`reading`."""
        with open_file(path, kind) as (stream, size):
            yield cls(path, kind, stream, size)

    def read(self, name: str | None = None) -> Array:
        """The array, or the one of an ``.npz`` with this name."""
        if self._zip is None:
            return read_array(self._stream, self._size)
        info = self._zip.getinfo(f"{name}.npy")
        self._kind.check(self._path, info.file_size)
        return read_member(self._zip, info)
