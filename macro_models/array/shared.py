"""A folder of arrays that processes share: whole files by the hash of what they are of.

What cannot be read or written there is as if it were not there: every process can build all of it itself.
"""

import io
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import MhoError
from mho.macro_models.files import ArrayFile, FileKind
from mho.macro_models.output import write_output

__all__ = ["SharedFolder"]

LIMIT_BYTES = 2 << 30
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

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path, self._limit = path, limit_bytes

    def find(self, name: str) -> NDArray[np.float64] | None:
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

    def keep(self, name: str, array: NDArray[np.float64]) -> None:
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


def _seal(array: NDArray[np.float64]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())
