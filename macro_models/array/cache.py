"""Effective matrices that were built before, by this process or by others.

A folder of arrays that processes share: whole files by the hash of what they are of.

What cannot be read or written there is as if it were not there: every process can build all of it itself.
"""

import io
import zlib
from collections import OrderedDict
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike

from mho.macro_models.array.effective import effective_matrix
from mho.macro_models.array.wires import Mode, Wires, check_conductances, check_lines_on
from mho.macro_models.errors import InputError, MhoError
from mho.macro_models.files import ArrayFile, FileKind
from mho.macro_models.output import write_output
from mho.macro_models.types import Reals

FOLDER_BYTES = 2 << 30
"""Most bytes of a folder."""
_KIND = FileKind("matrix", 1 << 28)


class SharedFolder:
    """See the module.

    Parameters
    ----------
    path
        Made when something is kept.
    limit_bytes
        Most bytes of all files: what is older goes when a new one is kept beyond them.
    """

    def __init__(self, path: Path, *, limit_bytes: int = FOLDER_BYTES) -> None:
        self.path, self._limit = path, limit_bytes

    def find(self, name: str) -> Reals | None:
        """The array of that name, or None where there is none that is whole."""
        path = self._file(name)
        if not path.exists():
            return None
        try:
            with ArrayFile.open(path, _KIND) as file:
                array, seal = file.read("array"), file.read("seal")
        except MhoError:
            return None
        return array if int(seal) == _seal(array) else None

    def keep(self, name: str, array: Reals) -> None:
        """Keep an array under a name, for all processes."""
        with suppress(MhoError, OSError):
            self.path.mkdir(parents=True, exist_ok=True)
            self._make_room(array.nbytes)
            data = io.BytesIO()
            np.savez(data, array=array, seal=np.int64(_seal(array)))
            write_output(self._file(name), data.getvalue())

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.npz"

    def _make_room(self, size: int) -> None:
        stored = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self.path.glob("*.npz"))
        left = sum(bytes_ for _, bytes_, _ in stored) + size
        for _, bytes_, path in stored:
            if left <= self._limit:
                return
            path.unlink(missing_ok=True)
            left -= bytes_


def _seal(array: Reals) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())

LIMIT_BYTES = 64 << 20
"""Most bytes of matrices kept: 128 of 256 x 256."""


class MatrixCache:
    """Effective matrices by content, least recently used out first.

    Parameters
    ----------
    limit_bytes
        Most bytes of matrices kept. A larger matrix is built each time.

    Members
    -------
    folder
        Where processes share matrices, None: nowhere. Any number may fill it at once.
    """

    def __init__(self, *, limit_bytes: int = LIMIT_BYTES) -> None:
        if limit_bytes < 0:
            raise InputError(f"limit_bytes must not be negative, not {limit_bytes!r}")
        self._limit = limit_bytes
        self.folder: SharedFolder | None = None
        self._kept: OrderedDict[bytes, Reals] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        self.hits = 0
        """Requests that were answered without building."""
        self.misses = 0
        """Requests that were built."""

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """Bytes of the matrices kept."""
        return self._bytes

    def matrix(
        self, g_S: ArrayLike, wires: Wires, *, mode: Mode, wl: ArrayLike | None = None, backward: bool = False
    ) -> Reals:
        """Do as :func:`mho.macro_models.array.effective_matrix` does, same arguments; the result is read-only."""
        g = check_conductances(g_S)
        # Rows that are off have no cells: that is all that a mask changes, so it needs no place of its own in the key.
        g = np.where(check_lines_on(wl, g.shape[0])[:, None], g, 0.0)
        key = blake2b(repr((g.shape, wires, mode, bool(backward))).encode() + g.tobytes(), digest_size=16).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                self.hits += 1
                return self._kept[key]
        e = None if self.folder is None else self.folder.find(key.hex())
        if e is None:
            e = effective_matrix(g, wires, mode=mode, backward=backward)
            if self.folder is not None:
                self.folder.keep(key.hex(), e)
        e.flags.writeable = False
        with self._lock:
            self.misses += 1
            if key not in self._kept:
                self._kept[key] = e
                self._bytes += e.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return e

    def clear(self) -> None:
        """Forget all matrices."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0
