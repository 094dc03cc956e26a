"""Numbers in nodes: attributes and constant inputs, checked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from mho.compiler.model.windows import Attributes
from mho.compiler.types import Array

__all__ = ["attribute_axes", "attributes", "integers"]


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


def attribute_axes(inputs: Sequence[Any], attrs: Attributes) -> list[int] | None:
    """Axes, which were attributes before they became an input; None where none are given."""
    if len(inputs) > 1 and inputs[1] is not None:
        if not isinstance(inputs[1], np.ndarray):
            raise ValueError("its axes must be constant, not computed")
        return integers(inputs[1], "its axes")
    return [int(a) for a in attrs["axes"]] if "axes" in attrs else None
