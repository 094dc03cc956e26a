"""Inputs of a run that are beyond what the codes of the first layers reach, and what that alone does to the outputs.

Calibration sees a few inputs, and a number that it has hardly seen move, such as a pixel at the edge of an image, gets
codes for what it saw. One input in a hundred that goes further is clipped, and its answer may be far off, however exact
the cells are. The float network tells, on inputs that are clipped alike.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mho.compiler.calibration.outputs import compare_outputs
from mho.compiler.network.network import Network
from mho.compiler.program import Call, Program
from mho.compiler.types import Array, Float
from mho.macro_models.integer.vector import Encode


def input_reach(program: Program) -> tuple[Float, Float]:
    """Between which numbers no layer clips what it takes of the input, each of shape (features,).

    With steps before the quantisation they are those of what these make.
    """
    stage = program.input
    low, high = np.full(len(stage.scale), -np.inf), np.full(len(stage.scale), np.inf)
    for producer in program.stages:
        if producer.inputs != (0,) or not isinstance(producer.operation, Call | Encode):
            continue
        bottom, ceiling = producer.operation.ends if isinstance(producer.operation, Encode) else (stage.low, stage.high)
        low = np.maximum(low, np.maximum(bottom, stage.low) * stage.scale + stage.offset)
        high = np.minimum(high, np.minimum(ceiling, stage.high) * stage.scale + stage.offset)
    return low, high


def clipped_inputs(network: Network, x: NDArray[np.floating], last: Float, outputs: Mapping[str, Array]) -> str | None:
    """A sentence if clipping of the input alone moves an output by more than is allowed.

    ``x`` has shape (images, features); ``last`` is the last value of the float network for it, ``outputs`` are its
    outputs. Networks with steps before the quantisation are not looked at.
    """
    program, model = network.program, network.model
    if program.input.before is not None or not len(x):
        return None
    low, high = input_reach(program)
    beyond = ((x < low - program.input.scale) | (x > high + program.input.scale)).any(axis=1)
    if not beyond.any():
        return None
    moved = last.copy()
    moved[beyond] = model.last(np.clip(x[beyond].astype(np.float64), low, high))
    errors = compare_outputs(model, outputs, [model.finish_all(moved)], len(x))
    worst = max(errors, key=lambda output: output.excess)
    if worst.excess <= 1.0:
        return None
    inputs = "input reaches" if beyond.sum() == 1 else "inputs reach"
    return (
        f"{int(beyond.sum())} of {len(x)} {inputs} beyond what calibration saw; by clipping alone output "
        f"{worst.short!r} {worst.described}: calibrate with inputs like these"
    )
