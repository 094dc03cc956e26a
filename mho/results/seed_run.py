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
    """All options of a run, after defaults."""

    backend: str
    """What ran the products: ``functional`` or ``cosim``."""
    device: str
    """Name of the device model."""
    time_s: float
    """Time since programming, in seconds."""
    temp_C: float
    """Temperature, in degrees Celsius."""
    seeds: tuple[int, ...]
    """Which chips."""
    causes: tuple[str, ...]
    """The causes of non-ideality that were on, sorted."""
    limit: int | None = None
    """Most images taken from the input; ``None`` for all."""


@dataclass(frozen=True, kw_only=True)
class SeedRun:
    """One pass of the inputs through one chip."""

    seed: int
    """Which chip."""
    by_name: dict[str, NDArray[np.generic]]
    """The model's outputs, dequantised, in onnxruntime's shape."""
    scored: str
    """Which of them is scored."""
    codes: dict[str, NDArray[np.int16]]
    """Output codes of the core, in half steps, for each layer: (images, columns), the columns of the layer's products
    one after the other. Of the first images only, where those of all would take too much memory."""
    layers: "dict[str, LayerFigures]"
    """Figures of each layer over all images."""
    mvms: int
    """Conversions that ran."""
    time: InputTime
    """How long an input takes on the chip."""
    cycles: int
    """Clock cycles of all inputs, one behind the other."""
    seconds: float
    """Wall-clock time of the products on the backend, in seconds."""
    core_cycles: NDArray[np.int64]
    exact: bool
    """See :class:`mho.sim.executor.Execution`."""

    @property
    def outputs(self) -> NDArray[np.generic]:
        """The output that is scored."""
        return self.by_name[self.scored]
