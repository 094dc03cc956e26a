"""Evaluation of ONNX operators by ``onnx.reference``: the one place where an operator of a file is carried out.

Only operators of :data:`RUNNABLE` run: functions of their inputs, whose results and work are bounded before
(:mod:`.bounds`). Floating point is double precision, whatever the file says, so that what is folded, tabulated and done
at the host is the same everywhere.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from mho.compiler.model.operators.bounds import MOST_ELEMENTS, MOST_OF_ALL, TooLarge, check
from mho.compiler.model.operators.onnx_compat import ML_DOMAIN, SPECIAL, run_as_is
from mho.compiler.model.operators.rules import BOUNDS
from mho.compiler.model.operators.rules_ml import BOUNDS_ML
from mho.compiler.types import Array

RUNNABLE, RUNNABLE_ML = frozenset(BOUNDS), frozenset(BOUNDS_ML)
"""Operators of ONNX and of ``ai.onnx.ml`` that may run."""


def runnable(node: onnx.NodeProto) -> bool:
    """Whether a node is of an operator that may run."""
    if node.domain == ML_DOMAIN:
        return node.op_type in RUNNABLE_ML
    return node.domain in ("", "ai.onnx") and node.op_type in RUNNABLE


def is_float_type(dtype: np.dtype[Any]) -> bool:
    """Whether a type is a floating one, that of 16 bits that numpy does not know among them; those of 8 are codes."""
    return dtype.itemsize > 1 and (dtype.kind == "f" or dtype.name.startswith("bfloat"))


def is_float(array: Array) -> bool:
    """Whether numbers are of a floating type."""
    return is_float_type(array.dtype)


def widen(array: Array) -> Array:
    """Numbers of a floating type in double precision, others as they are."""
    return array.astype(np.float64) if is_float(array) else array


def run_node(
    node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int, *, wide: bool = True, room: int = MOST_OF_ALL
) -> list[Array | None]:
    """Outputs of a node of :data:`RUNNABLE` for its inputs, None where one is left out.

    With ``wide`` floating point is double precision, else as the inputs have it. ``room`` are the elements that they
    may have together. Raises ValueError if it cannot be carried out or would make too much, with a reason.
    """
    if not runnable(node):
        raise ValueError("this operator is not supported")
    if wide:
        inputs = [None if x is None else widen(x) for x in inputs]
    try:
        bound = check(node, inputs, (BOUNDS_ML if node.domain == ML_DOMAIN else BOUNDS)[node.op_type], room)
        with np.errstate(all="ignore"):
            special = None if node.domain == ML_DOMAIN else SPECIAL.get(node.op_type)
            outputs = None if special is None else special(node, inputs, opset, wide)
            result = run_as_is(node, inputs, opset) if outputs is None else outputs
    except TooLarge:
        raise
    except Exception as error:  # whatever numpy says of arguments that no file should hold
        shapes = ", ".join(str(list(x.shape)) for x in inputs if x is not None) or "nothing"
        said = " ".join(str(error).split())[:60]
        raise ValueError(f"it does not fit values of shapes {shapes} ({said})") from error
    sizes = [x.size for x in result if x is not None]
    if max(sizes, default=0) > MOST_ELEMENTS or sum(sizes) > bound.elements:
        raise ValueError(f"it makes {max(sizes)} elements; at most {MOST_ELEMENTS} elements are supported")
    # Text of any length.
    result = [x.astype(object) if x is not None and x.dtype.kind in "US" else x for x in result]
    return [None if x is None else widen(x) if wide else x for x in result]
