"""Reading of input arrays: ``X.npy``, ``X.npz:key``, or several by the names of a model's inputs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mho.compiler.types import Array
from mho.macro_models.errors import InputError
from mho.macro_models.files import ArrayFile, FileKind

_KIND = FileKind(".npy or .npz file of numbers")


@dataclass(frozen=True, kw_only=True)
class NamedInputs:
    """Arrays by the names of a model's inputs, each float32 of shape (samples, ...).

    ``where`` is what a sentence calls them. ``file`` says that they are all that a file holds, labels perhaps among
    them; else each must be an input.
    """

    arrays: Mapping[str, NDArray[np.float32]]
    where: str
    file: bool = False

    def __len__(self) -> int:
        return max(map(len, self.arrays.values()))

    def __getitem__(self, part: slice) -> "NamedInputs":
        arrays = {name: array[part] for name, array in self.arrays.items()}
        return NamedInputs(arrays=arrays, where=self.where, file=self.file)

    def side_by_side(self, inputs: Sequence[tuple[str, tuple[int, ...]]]) -> NDArray[np.float32]:
        """All of ``inputs``, (name, shape of a sample) each, as (samples, elements of all).

        Raises InputError if one is missing, has another shape or another number of samples, or is none of them.
        """
        names = [name for name, _ in inputs]
        unknown = [] if self.file else [name for name in self.arrays if name not in names]
        missing = [name for name in names if name not in self.arrays]
        if self.file and len(inputs) == 1 and missing:
            shown = Path(self.where).name
            raise InputError(f"{self.where}: needs a key; write {shown}:KEY with one of {', '.join(self.arrays)}")
        if missing or unknown:
            what = f"has no input {missing[0]!r}" if missing else f"names the input {unknown[0]!r}"
            raise InputError(f"{self.where}: {what}; the model takes {', '.join(names)}")
        count, rows = len(self.arrays[names[0]]), []
        for name, shape in inputs:
            array, size = self.arrays[name], math.prod(shape)
            if array.shape[1:] not in (shape, (size,)) and not (size == 1 and array.ndim == 1):
                expected, actual = ", ".join(map(str, shape)), list(array.shape)
                raise InputError(f"input {name!r} of the model needs shape [samples, {expected}], not {actual}")
            if len(array) != count:
                raise InputError(f"{self.where}: {names[0]!r} has {count} samples, but {name!r} has {len(array)}")
            rows.append(array.reshape(count, size))
        return np.concatenate(rows, axis=1)


Inputs = NDArray[np.float32] | NamedInputs
Source = str | Path | Array
"""A file, ``file.npz:key``, or an array."""


def load_inputs(source: Source | Mapping[str, Source] | NamedInputs) -> Inputs:
    """Inputs of a model: an array as :func:`load_input` gives it, or several by name.

    Raises InputError as :func:`load_input`.

    Parameters
    ----------
    source
        What :func:`load_input` reads; an ``.npz`` file of several arrays; or such sources by name.
    """
    if isinstance(source, NamedInputs):
        return source
    if isinstance(source, Mapping):
        if not source:
            raise InputError("the inputs by name are none; an array for each input of the model is needed")
        return NamedInputs(arrays={name: load_input(part) for name, part in source.items()}, where="the inputs by name")
    if not isinstance(source, np.ndarray) and Path(source).suffix == ".npz" and Path(source).is_file():
        with ArrayFile.open(Path(source), _KIND) as file:
            names = file.names or []
        if len(names) > 1:
            arrays = {name: _read(Path(source), name) for name in names}
            numbers = {k: _check(v, f"{source}:{k}") for k, v in arrays.items() if v.dtype.kind in "fiub" and v.ndim}
            return NamedInputs(arrays=numbers, where=str(source), file=True)
    return load_input(source)


def load_input(source: Source, key: str | None = None) -> NDArray[np.float32]:
    """An array of inputs as float32, of shape (samples, ...).

    Raises InputError if there is no such file or key, or the array holds objects or text, is empty, a scalar, or has
    NaN or infinite values.

    Parameters
    ----------
    source
        A ``.npy`` file, ``"file.npz:key"``, or an array.
    key
        Which array of an ``.npz``, where ``source`` does not say it.
    """
    if isinstance(source, np.ndarray):
        return _check(source, "the input array")
    text = str(source)
    if key is None and ".npz:" in text:
        text, _, key = text.rpartition(":")
    path = Path(text)
    where = f"{path}:{key}" if key is not None else str(path)
    return _check(_read(path, key), where)


def _read(path: Path, key: str | None) -> Array:
    with ArrayFile.open(path, _KIND) as file:
        if file.names is None:
            if key is not None:
                raise InputError(f"{path}: is a .npy file, which has no key {key!r}")
            return file.read()
        if key is None and len(file.names) == 1:
            key = file.names[0]
        if key not in file.names:
            problem = "needs a key" if key is None else f"has no array {key!r}"
            raise InputError(f"{path}: {problem}; write {path.name}:KEY with one of {', '.join(file.names) or 'none'}")
        return file.read(key)


def _check(array: Array, where: str) -> NDArray[np.float32]:
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
