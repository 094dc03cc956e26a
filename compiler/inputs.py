"""Reading of input arrays: ``X.npy``, or ``X.npz:key``."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from macro_models.errors import InputError
from macro_models.files import ArrayFile, FileKind

__all__ = ["load_input"]

_KIND = FileKind(".npy or .npz file of numbers")


def load_input(source: "str | Path | NDArray[Any]", key: str | None = None) -> NDArray[np.float32]:
    """An array of inputs as float32, of shape (samples, ...).

    Parameters
    ----------
    source
        A ``.npy`` file, ``"file.npz:key"``, or an array.
    key
        Which array of an ``.npz``, where ``source`` does not say it.

    Raises
    ------
    InputError
        If there is no such file or key, or the array holds objects or text, is empty, a scalar, or has NaN or
        infinite values.
    """
    if isinstance(source, np.ndarray):
        return _check(source, "the input array")
    text = str(source)
    if key is None and ".npz:" in text:
        text, _, key = text.rpartition(":")
    path = Path(text)
    where = f"{path}:{key}" if key is not None else str(path)
    return _check(_read(path, key), where)


def _read(path: Path, key: str | None) -> NDArray[Any]:
    with ArrayFile.open(path, _KIND) as file:
        if file.names is None:
            if key is not None:
                raise InputError(f"{path}: is a .npy file, which has no key {key!r}")
            return file.read()
        if key is None and len(file.names) == 1:
            key = file.names[0]
        if key not in file.names:
            wanted = "needs a key" if key is None else f"has no array {key!r}"
            raise InputError(f"{path}: {wanted}; write {path.name}:KEY with one of {', '.join(file.names) or 'none'}")
        return file.read(key)


def _check(array: NDArray[Any], where: str) -> NDArray[np.float32]:
    if array.dtype.kind not in "fiub":
        raise InputError(f"{where}: holds {array.dtype}; an array of float32 is needed")
    if array.ndim == 0 or array.size == 0:
        raise InputError(
            f"{where}: has shape {list(array.shape)}; an array of shape [samples, ...] that is not empty is needed"
        )
    with np.errstate(over="ignore"):
        result = array.astype(np.float32)
    if not np.isfinite(result).all():
        raise InputError(f"{where}: has NaN or infinite values; finite ones are needed")
    return result
