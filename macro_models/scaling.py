"""A matrix that many cores share: its parts, and what codes of a core's lines stand for."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.integer.operation import STEP_WIDTH, Masks, MvmOperation
from mho.macro_models.macro import MacroModel
from mho.macro_models.types import Integral, Reals


def blocks_of(count: int, size: int, first: int = 0) -> list[NDArray[np.intp]]:
    """Numbers from ``first`` on in as few blocks as there can be of at most ``size``, about as large."""
    return [first + block for block in np.array_split(np.arange(count), -(-count // size))]


def scaled_lines(
    core: MacroModel, op: MvmOperation, masks: Masks, x: Integral, lines: NDArray[np.intp], sums: Reals
) -> tuple[MvmOperation, Reals]:
    """An operation whose converter just reaches the largest product of some inputs, and what its half steps stand for.

    Parameters
    ----------
    core
        Of ideal cells.
    op, masks, x
        The operation but for its step code; inputs (samples, inputs of the core).
    lines, sums
        Converted lines, (lines of an output, outputs), and what products of the inputs at each are, exactly, in any
        unit, (samples, lines of an output, outputs).

    Returns
    -------
    tuple
        The operation, and values of a half step (lines of an output, outputs), in the unit of the sums: those with the
        least square of errors.
    """
    op = replace(op, step_code=int(np.clip(np.ceil(core.full_scale(op, masks, x)), 1, 2**STEP_WIDTH - 1)))
    codes = core.mvm(op, masks, x, 0).codes[:, lines].astype(np.float64)
    return op, (codes * sums).sum(axis=0) / np.maximum((codes**2).sum(axis=0), 1)
