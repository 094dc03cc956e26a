"""Networks of a sweep with their data, read once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler import FIRST_INPUTS, Inputs, NamedInputs, load_input, load_inputs
from mho.data import SAMPLES, load_sample
from mho.macro_models.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network, the images that are run, and those that it is calibrated on."""

    name: str
    model: bytes
    """ONNX model with all of its weights."""
    x: Inputs
    labels: NDArray[np.int64] | None
    """Class of each image, (images,); None: compared with the float model."""
    calibrate: Inputs
    score: str | None
    """Which output is scored; None: the first of classes."""
    sha256: str
    """Hash of all of it."""

    @property
    def images(self) -> int:
        return len(self.x)


def load_workload(path: Path, name: str, table: Mapping[str, Any]) -> Workload:
    """What the table ``networks.NAME`` of the file ``path`` names.

    Raises InputError if a file cannot be read, or labels do not fit.
    """
    where, images = f"{path}: networks.{name}", table.get("images")
    if "sample" in table:
        model, x, labels, calibrate = _sample(where, table)
    else:
        model, x, labels, calibrate = _own(where, path.parent, table)
    if labels is not None and len(labels) != len(x):
        raise InputError(f"{where}.labels must be as many as the inputs, {len(x)}, not {len(labels)}")
    if images is not None and images > len(x):
        raise InputError(f"{where}.images must be {len(x)} at most, as there are inputs, not {images}")
    x, labels = x[:images], None if labels is None else labels[:images]
    digest = hashlib.sha256(model)
    for part in (x, labels, calibrate):
        _hash(digest, part)
    digest.update(str(table.get("score")).encode())
    return Workload(
        name=name, model=model, x=x, labels=labels, calibrate=calibrate, score=table.get("score"),
        sha256=digest.hexdigest(),
    )


def _hash(digest: "hashlib._Hash", part: Inputs | NDArray[np.int64] | None) -> None:
    arrays = part.arrays if isinstance(part, NamedInputs) else {"": part}
    for name, array in arrays.items():
        if array is None:
            digest.update(b"none")
        else:
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())


def _sample(where: str, table: Mapping[str, Any]) -> tuple[bytes, Inputs, NDArray[np.int64], Inputs]:
    sample = table["sample"]
    if sample not in SAMPLES:
        raise InputError(f"{where}.sample must be one of {', '.join(SAMPLES)}, not {sample!r}")
    for key in ("model", "input", "labels", "calibrate"):
        if key in table:
            raise InputError(f"{where}.{key}: a sample has its own; leave out one of sample and {key}")
    shipped = load_sample(sample)
    return shipped.model.read_bytes(), shipped.x, shipped.y, shipped.calibrate


def _own(
    where: str, folder: Path, table: Mapping[str, Any]
) -> tuple[bytes, Inputs, NDArray[np.int64] | None, Inputs]:
    from mho.compiler.importer.reading.model_file import load

    for key in ("model", "input"):
        if key not in table:
            raise InputError(f"{where}.{key} must be the name of a file, not nothing; or sample = one that ships")
    _, proto = load(folder / table["model"])
    x = load_inputs(str(folder / table["input"]))
    labels = _labels(f"{where}.labels", str(folder / table["labels"])) if "labels" in table else None
    calibrate = load_inputs(str(folder / table["calibrate"])) if "calibrate" in table else x[:FIRST_INPUTS]
    return proto.SerializeToString(), x, labels, calibrate


def _labels(where: str, source: str) -> NDArray[np.int64]:
    values = load_input(source)
    if values.ndim != 1 or (values != np.rint(values)).any():
        raise InputError(f"{where} must be a vector of whole numbers, not shape {list(values.shape)}")
    return values.astype(np.int64)
