"""Stages of a network that is no chain of layers, in integers: what the host or the tiles do for each image.

A value is a vector of 16-bit lanes, each with a unit that only the compiler knows. Stages are to
:mod:`compiler.steps` what :mod:`compiler.integer` is to floating point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.integer import Encode, Limit, Table, WeightedSum
from compiler.program import Layer, RunMvm, run_layer
from compiler.steps import take_rows
from compiler.windows import PAD

__all__ = ["Call", "Largest", "Select", "Stage", "StageOperation", "batch_size", "run_call", "run_stages"]

POSITIONS = 16384
"""Positions of a batch of images that are in flight at once: what bounds the memory of a run."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """Layer number ``layer`` at every position; its lanes are in the order (outputs, positions).

    ``patches`` of shape (positions, rows) says which element each row takes, -1 for the code ``pad`` of the row.
    """

    layer: int
    encode: Encode
    patches: NDArray[np.int32]
    pad: NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class Select:
    """Lanes by their index, -1 for ``fill``; both of shape (elements,)."""

    index: NDArray[np.int32]
    fill: NDArray[np.int16]

    def compute(self, lanes: NDArray[np.int16]) -> NDArray[np.int16]:
        return np.where(self.index == PAD, self.fill, lanes[:, self.index])


@dataclass(frozen=True, kw_only=True)
class Largest:
    """The largest of some lanes of one unit, ``index`` of shape (elements, window)."""

    index: NDArray[np.int32]

    def compute(self, lanes: NDArray[np.int16]) -> NDArray[np.int16]:
        result = lanes[:, self.index[:, 0]]
        for column in self.index.T[1:]:
            np.maximum(result, lanes[:, column], out=result)
        return result


StageOperation = Call | Select | Largest | WeightedSum | Limit | Table


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An operation and the numbers of the values that it takes: 0 is the network's input, k what stage k - 1 made."""

    operation: StageOperation
    inputs: tuple[int, ...]


def batch_size(layers: Sequence[Layer], most: int) -> int:
    """Images that may be in flight at once, at most ``most``."""
    return max(1, min(most, POSITIONS // max((layer.positions for layer in layers), default=1)))


def run_call(
    call: Call, layer: Layer, lanes: NDArray[np.int16], images: NDArray[np.integer], lines: int, run: RunMvm
) -> NDArray[np.int16]:
    """A layer at all of its positions: lanes of shape (batch, outputs * positions) from (batch, elements)."""
    rows = take_rows(call.encode.compute(lanes), call.patches, call.pad)
    batch, positions = len(lanes), len(call.patches)
    result = run_layer(
        layer,
        rows.reshape(batch * positions, -1),
        np.repeat(images, positions),
        lines,
        run,
        np.tile(np.arange(positions), batch),
    )
    return result.reshape(batch, positions, -1).transpose(0, 2, 1).reshape(batch, -1)


def run_stages(
    stages: Sequence[Stage],
    layers: Sequence[Layer],
    lanes: NDArray[np.int16],
    images: NDArray[np.integer],
    lines: int,
    run: Callable[[int], RunMvm],
) -> NDArray[np.int16]:
    """Lanes of the last stage, (batch, elements), for those of the input; ``run(k)`` carries out layer k's products."""
    values: list[NDArray[np.int16] | None] = [lanes]
    last_use = {value: k for k, stage in enumerate(stages) for value in stage.inputs}
    for k, stage in enumerate(stages):
        parts = [part for value in stage.inputs if (part := values[value]) is not None]
        taken = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        op = stage.operation
        if isinstance(op, Call):
            values.append(run_call(op, layers[op.layer], taken, images, lines, run(op.layer)))
        else:
            values.append(op.compute(taken))
        for value in stage.inputs:
            if last_use[value] == k:
                values[value] = None
    result = values[-1]
    assert result is not None
    return result
