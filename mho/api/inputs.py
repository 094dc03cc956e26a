"""What a user gives: inputs and cells, or the files that hold them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.compiler import Inputs, NamedInputs, load_inputs

if TYPE_CHECKING:
    from mho.sim.programming.instance import Cells

PathLike = str | os.PathLike[str]
InputsLike = ArrayLike | PathLike | Mapping[str, ArrayLike | PathLike] | NamedInputs
"""Inputs as a user gives them."""


def read_cells(cells: "Cells | PathLike") -> "Cells":
    """Cells, or what a file of them holds."""
    from mho.sim.programming.instance import Cells

    return cells if isinstance(cells, Cells) else Cells.load(Path(cells))


def read_inputs(x: "InputsLike") -> Inputs:
    """An array, or what a file holds, as float32 of shape (images, ...), or several by name."""
    if isinstance(x, Mapping):
        return load_inputs({name: as_source(value) for name, value in x.items()})
    return x if isinstance(x, NamedInputs) else load_inputs(as_source(x))


def as_source(x: "ArrayLike | PathLike") -> "Path | str | NDArray[np.generic]":
    """What :func:`mho.compiler.load_input` takes."""
    return Path(x) if isinstance(x, os.PathLike) else x if isinstance(x, str) else np.asarray(x)
