"""Stages: an operation of a layer, of the vector unit or of the host, and the values that it takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mho.compiler.model.evaluated import Evaluated
from mho.compiler.program.layer import Call
from mho.compiler.types import Float, Lanes
from mho.macro_models.integer.vector import LANE_MAX, Encode, Largest, Limit, Product, Select, Table, WeightedSum

__all__ = ["Host", "Operation", "Stage"]


@dataclass(frozen=True, kw_only=True)
class Host:
    """Work of the host on the way: from lanes to numbers, operators of ONNX on them, back to lanes.

    ``taken`` of shape (elements of all inputs,) and ``unit`` (elements,) are what one unit of each lane stands for. The
    numbers are double precision and each image is done by itself, so that the lanes are those of every backend.
    """

    step: Evaluated
    taken: Float
    unit: Float

    def compute(self, lanes: NDArray[np.integer]) -> Lanes:
        """Lanes of shape (batch, elements) from lanes of shape (batch, elements of all inputs)."""
        results = self.step.compute(lanes * self.taken)
        return np.clip(np.rint(results / self.unit), -LANE_MAX, LANE_MAX).astype(np.int16)


Operation = Call | Encode | Select | Largest | WeightedSum | Product | Limit | Table | Host


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An operation and the numbers of the values that it takes: 0 is the network's input, k what stage k - 1 made."""

    operation: Operation
    inputs: tuple[int, ...]

    @property
    def name(self) -> str:
        """What it does: operators of ONNX of the host, else the kind of its operation."""
        op = self.operation
        return " ".join(op.step.operators) if isinstance(op, Host) else type(op).__name__.lower()
