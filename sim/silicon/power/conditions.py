"""How often the conditions of a cell's powers hold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mho.sim.silicon.liberty.boolean import Truth
from mho.sim.silicon.liberty.cell import Cell

__all__ = ["leakage", "parts", "through"]

Floats = NDArray[np.float64]


def through(
    cell: Cell, pin: str, related: str | None, whens: "Sequence[Truth | None]", duty: dict[str, Floats], count: int
) -> list[Floats]:
    """How often a change of ``related`` changes an output while each condition is true."""
    function = cell.outputs[pin]
    if cell.data is not None or function is None or related is None:
        return parts(whens, duty, count)
    passes = function.by(related)
    both = [None if when is None else when.both(passes) for when in whens]
    return parts(both, duty, count, passes.probability(duty, count))


def parts(
    whens: "Sequence[Truth | None]", duty: dict[str, Floats], count: int, base: "Floats | float" = 1.0
) -> list[Floats]:
    """How often each condition is true; what has none is for the rest of ``base``."""
    shares = [None if when is None else when.probability(duty, count) for when in whens]
    covered = np.sum([np.zeros(count), *(share for share in shares if share is not None)], axis=0)
    rest = np.maximum(base - covered, 0.0)
    return [rest if share is None else share for share in shares]


def leakage(cell: Cell, duty: dict[str, Floats], count: int) -> Floats:
    """Leakage of cells in W."""
    often = parts([*(when for when, _ in cell.leakages), None], duty, count)
    watts = [*(watt for _, watt in cell.leakages), cell.leakage]
    return np.sum([part * watt for part, watt in zip(often, watts, strict=True)], axis=0)
