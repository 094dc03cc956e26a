"""Evaluation of those nodes of an ONNX graph that depend on constants only.

Exporters hide weights behind Constant, Reshape, Transpose, Cast and the like, and compute the target shape of a
Reshape from the Shape of an input. The unknown batch dimension is carried through such arithmetic as the value
:data:`BATCH`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

__all__ = ["BATCH", "FOLDABLE", "attributes", "fold", "integers", "numpy_type", "reshape_constant"]

BATCH = -(2**62)
"""Stands for the size of the batch dimension in a shape that a graph computes."""

Array = NDArray[Any]


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes of a node by name; raises ValueError at numbers that are none, and at infinite ones but for limits."""
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    for name, value in values.items():
        if isinstance(value, float) or (isinstance(value, list) and value and isinstance(value[0], float)):
            limits = node.op_type in ("Clip", "Constant")
            if np.isnan(value).any() or not (limits or np.isfinite(value).all()):
                raise ValueError(f"its {name} is NaN or infinite; finite numbers are needed")
    return values


def integers(array: Array, what: str) -> list[int]:
    """Numbers of a constant that must be a vector of whole numbers, or one such number.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if array.ndim > 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{what} must be whole numbers in one dimension, not {array.dtype} of {list(array.shape)}")
    return [int(v) for v in np.ravel(array)]


def numpy_type(elem_type: int) -> np.dtype[Any]:
    """Type of numpy for an ONNX element type."""
    return onnx.helper.tensor_dtype_to_np_dtype(elem_type)


def _constant(inputs: Sequence[Array], attrs: dict[str, Any]) -> Array:
    if "value" in attrs:
        return numpy_helper.to_array(attrs["value"])
    for name, dtype in (
        ("value_float", np.float32),
        ("value_floats", np.float32),
        ("value_int", np.int64),
        ("value_ints", np.int64),
    ):
        if name in attrs:
            return np.asarray(attrs[name], dtype=dtype)
    raise ValueError("its value is neither a tensor nor numbers")


def reshape_constant(x: Array, shape: Sequence[int], allow_zero: bool = False) -> Array:
    """ONNX's Reshape of a constant: 0 copies a dimension, -1 is inferred."""
    dims = [x.shape[i] if d == 0 and not allow_zero else int(d) for i, d in enumerate(shape)]
    return x.reshape(dims)


def _axes(inputs: Sequence[Array], attrs: dict[str, Any]) -> list[int] | None:
    if len(inputs) > 1:
        return integers(inputs[1], "its axes")
    return [int(a) for a in attrs["axes"]] if "axes" in attrs else None


def _squeeze(inputs: Sequence[Array], attrs: dict[str, Any]) -> Array:
    axes = _axes(inputs, attrs)
    return np.squeeze(inputs[0], axis=None if axes is None else tuple(axes))


def _unsqueeze(inputs: Sequence[Array], attrs: dict[str, Any]) -> Array:
    return np.expand_dims(inputs[0], tuple(_axes(inputs, attrs) or ()))


def _flatten(inputs: Sequence[Array], attrs: dict[str, Any]) -> Array:
    axis = attrs.get("axis", 1)
    axis += inputs[0].ndim if axis < 0 else 0
    return inputs[0].reshape(int(np.prod(inputs[0].shape[:axis])), -1)


def _slice(inputs: Sequence[Array], attrs: dict[str, Any]) -> Array:
    x = inputs[0]
    if len(inputs) > 1:
        starts, ends, *rest = (integers(i, "its starts, ends, axes and steps") for i in inputs[1:])
        axes = rest[0] if rest else range(len(starts))
        steps = rest[1] if len(rest) > 1 else [1] * len(starts)
    else:
        starts, ends = attrs["starts"], attrs["ends"]
        axes, steps = attrs.get("axes", range(len(starts))), [1] * len(starts)
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def _divide(inputs: Sequence[Array], attrs: dict[str, Any]) -> Array:
    a, b = inputs
    return a / b if np.issubdtype(np.result_type(a, b), np.floating) else a // b


_FOLDS: dict[str, Callable[[Sequence[Array], dict[str, Any]], Array]] = {
    "Constant": _constant,
    "Identity": lambda x, a: x[0],
    "Dropout": lambda x, a: x[0],
    "Reshape": lambda x, a: reshape_constant(
        x[0], integers(x[1], "its shape") if len(x) > 1 else a["shape"], bool(a.get("allowzero", 0))
    ),
    "Transpose": lambda x, a: np.transpose(x[0], a.get("perm")),
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Flatten": _flatten,
    "Cast": lambda x, a: x[0].astype(numpy_type(a["to"])),
    "Concat": lambda x, a: np.concatenate(x, axis=a["axis"]),
    "Gather": lambda x, a: np.take(x[0], x[1], axis=a.get("axis", 0)),
    "Slice": _slice,
    "Shape": lambda x, a: np.asarray(x[0].shape[a.get("start", 0) : a.get("end")], dtype=np.int64),
    "ConstantOfShape": lambda x, a: np.full(
        x[0].tolist(), numpy_helper.to_array(a["value"])[0] if "value" in a else np.float32(0)
    ),
    "Relu": lambda x, a: np.maximum(x[0], 0),
    "Neg": lambda x, a: -x[0],
    "Sqrt": lambda x, a: np.sqrt(x[0]),
    "Add": lambda x, a: x[0] + x[1],
    "Sub": lambda x, a: x[0] - x[1],
    "Mul": lambda x, a: x[0] * x[1],
    "Div": _divide,
    "MatMul": lambda x, a: x[0] @ x[1],
}

FOLDABLE = frozenset(_FOLDS)
"""Operators that may stand between a constant and its use."""


def fold(node: onnx.NodeProto, inputs: Sequence[Array]) -> Array:
    """Value of a node of :data:`FOLDABLE` whose inputs are constants.

    Raises
    ------
    ValueError
        If the node cannot be evaluated, with a reason.
    """
    try:
        with np.errstate(all="ignore"):
            return np.asarray(_FOLDS[node.op_type](inputs, attributes(node)))
    except (LookupError, TypeError, ArithmeticError, MemoryError) as error:
        raise ValueError(str(error)) from error
