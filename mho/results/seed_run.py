"""One run of a network on one chip, and the options of all runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mho.compiler.input_time import InputTime

if TYPE_CHECKING:
    from mho.sim.account import LayerFigures


@dataclass(frozen=True, kw_only=True)
class Options:
    """All options of a run, after defaults.

    Parameters
    ----------
    backend
        What ran the products: ``functional`` or ``cosim``.
    device
        Name of the device model.
    time_s
        Time since programming, in seconds.
    temp_C
        Temperature, in degrees Celsius.
    seeds
        Which chips.
    causes
        The causes of non-ideality that were on, sorted.
    limit
        Most images taken from the input; ``None`` for all.
    """

    backend: str
    device: str
    time_s: float
    temp_C: float
    seeds: tuple[int, ...]
    causes: tuple[str, ...]
    limit: int | None = None


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """One pass of the inputs through one chip.

    Parameters
    ----------
    seed
        Which chip.
    by_name
        The model's outputs, dequantised, in onnxruntime's shape.
    scored
        Which of them is scored.
    codes
        Output codes of the core, in half steps, for each layer: (images, columns), the columns of the layer's products
        one after the other. Of the first images only, where those of all would take too much memory.
    layers
        Figures of each layer over all images.
    mvms
        Conversions that ran.
    time
        How long an input takes on the chip.
    cycles
        Clock cycles of all inputs, one behind the other.
    seconds
        Wall-clock time of the products on the backend, in seconds.
    core_cycles, exact
        See :class:`mho.sim.executor.Execution`.
    """

    seed: int
    by_name: dict[str, NDArray[np.generic]]
    scored: str
    codes: dict[str, NDArray[np.int16]]
    layers: "dict[str, LayerFigures]"
    mvms: int
    time: InputTime
    cycles: int
    seconds: float
    core_cycles: NDArray[np.int64]
    exact: bool

    @property
    def outputs(self) -> NDArray[np.generic]:
        """The output that is scored."""
        return self.by_name[self.scored]
