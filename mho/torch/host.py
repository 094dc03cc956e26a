"""Work of the host between and behind layers, on tensors: operators of ONNX in double precision."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper

from mho.compiler.model import Output
from mho.compiler.model.stages import Evaluated
from mho.compiler.program import Host
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import LANE_MAX
from mho.torch.module import Module, rounded, straight


def _axes(attributes: dict[str, Any], rest: list[torch.Tensor]) -> list[int]:
    return [int(a) for a in (rest[0] if rest else attributes["axes"])]


def _conv(inputs: list[torch.Tensor], attributes: dict[str, Any]) -> torch.Tensor:
    x, weight = inputs[:2]
    count = weight.ndim - 2
    pads = attributes.get("pads", [0] * 2 * count)
    x = torch.nn.functional.pad(x, [pads[k + side] for k in reversed(range(count)) for side in (0, count)])
    return getattr(torch.nn.functional, f"conv{count}d")(
        x, weight, inputs[2] if len(inputs) > 2 else None, stride=attributes.get("strides", 1),
        dilation=attributes.get("dilations", 1), groups=attributes.get("group", 1))


def _gemm(inputs: list[torch.Tensor], attributes: dict[str, Any]) -> torch.Tensor:
    a, b = (x.T if attributes.get(side, 0) else x for x, side in zip(inputs, ("transA", "transB"), strict=False))
    product = attributes.get("alpha", 1.0) * (a @ b)
    return product + attributes.get("beta", 1.0) * inputs[2] if len(inputs) > 2 else product


def _layer_norm(inputs: list[torch.Tensor], attributes: dict[str, Any]) -> torch.Tensor:
    x, axis = inputs[0], attributes.get("axis", -1)
    bias = inputs[2] if len(inputs) > 2 else None
    return torch.nn.functional.layer_norm(x, x.shape[axis:], inputs[1], bias, attributes.get("epsilon", 1e-5))


OPERATORS: dict[str, Callable[[list[torch.Tensor], dict[str, Any]], torch.Tensor]] = {
    "Add": lambda i, a: i[0] + i[1], "Sub": lambda i, a: i[0] - i[1], "Mul": lambda i, a: i[0] * i[1],
    "Div": lambda i, a: i[0] / i[1], "Neg": lambda i, a: -i[0], "Sqrt": lambda i, a: i[0].sqrt(),
    "Pow": lambda i, a: i[0] ** i[1], "Exp": lambda i, a: i[0].exp(), "Erf": lambda i, a: torch.erf(i[0]),
    "Abs": lambda i, a: i[0].abs(), "Reciprocal": lambda i, a: 1.0 / i[0], "Identity": lambda i, a: i[0],
    "Relu": lambda i, a: torch.relu(i[0]), "Sigmoid": lambda i, a: torch.sigmoid(i[0]),
    "Tanh": lambda i, a: torch.tanh(i[0]), "MatMul": lambda i, a: i[0] @ i[1],
    "Transpose": lambda i, a: i[0].permute(*a["perm"]),
    "Reshape": lambda i, a: i[0].reshape([int(d) or i[0].shape[k] for k, d in enumerate(i[1])]),
    "Concat": lambda i, a: torch.cat(i, dim=a["axis"]),
    "Softmax": lambda i, a: torch.softmax(i[0], dim=a.get("axis", -1)),
    "ReduceMean": lambda i, a: i[0].mean(dim=_axes(a, i[1:]), keepdim=bool(a.get("keepdims", 1))),
    "ReduceSum": lambda i, a: i[0].sum(dim=_axes(a, i[1:]), keepdim=bool(a.get("keepdims", 1))),
    "Squeeze": lambda i, a: i[0].squeeze(tuple(_axes(a, i[1:]))),
    "Unsqueeze": lambda i, a: i[0].reshape(np.expand_dims(np.empty(i[0].shape), tuple(_axes(a, i[1:]))).shape),
    "LayerNormalization": _layer_norm, "Conv": _conv, "Gemm": _gemm,
    "Flatten": lambda i, a: i[0].flatten(a.get("axis", 1)).reshape(*i[0].shape[: a.get("axis", 1)], -1),
}
"""Operators of ONNX that have a form here: of their inputs and their attributes."""
_PRODUCTS = ("Conv", "Gemm", "MatMul")
"""Those whose constants are learned: layers that no cells hold."""


class HostModule(Module):
    """A step of the host, one sample by itself, mapped over the batch.

    Raises InputError if it has an operator without a form here.
    """

    def __init__(self, op: Host) -> None:
        super().__init__()
        graph = op.step.proto.graph
        unknown = sorted({node.op_type for node in graph.node} - set(OPERATORS))
        if unknown:
            raise InputError(f"the host's operator {unknown[0]} has no form in mho.torch; leave it out of the module")
        self.nodes = [
            (node.op_type, list(node.input), node.output[0],
             {a.name: helper.get_attribute_value(a) for a in node.attribute})
            for node in graph.node
        ]
        self.inputs = [(value.name, dims) for value, dims in zip(graph.input, op.step.dims, strict=True)]
        self.op, self.output, self.constants = op, graph.output[0].name, dict[str, str]()
        learned = {name for kind, inputs, _, _ in self.nodes if kind in _PRODUCTS for name in inputs}
        for k, tensor in enumerate(graph.initializer):
            array = numpy_helper.to_array(tensor)
            array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
            if tensor.name in learned:
                self.register_parameter(f"constant{k}", torch.nn.Parameter(torch.from_numpy(array)))
            else:
                self.hold(**{f"constant{k}": array})
            self.constants[tensor.name] = f"constant{k}"
        self.hold(taken=op.taken[:, None], unit=op.unit[:, None])

    def learned(self) -> Host:
        """The step with the weights that there are now."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.op.step.proto)
        for tensor in proto.graph.initializer:
            weight = getattr(self, self.constants[tensor.name])
            if isinstance(weight, torch.nn.Parameter):
                array = weight.detach().cpu().numpy().astype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        return replace(self.op, step=Evaluated.of(proto, pointwise=self.op.step.pointwise))

    def _sample(self, x: torch.Tensor) -> torch.Tensor:
        values: dict[str, torch.Tensor] = {name: getattr(self, buffer) for name, buffer in self.constants.items()}
        first = 0
        for name, dims in self.inputs:
            size = int(np.prod(dims, dtype=int))
            values[name] = x[first : first + size].reshape(dims)
            first += size
        for kind, inputs, output, attributes in self.nodes:
            values[output] = OPERATORS[kind]([values[name] for name in inputs if name], attributes)
        return values[self.output].flatten()

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """Lanes of shape (elements, batch)."""
        lanes = torch.cat(parts)
        results = torch.vmap(self._sample, in_dims=1, out_dims=1)(lanes.double() * self.taken) / self.unit
        # Halves are rounded to even, as the host does.
        codes = torch.round(results.detach()).clamp(-LANE_MAX, LANE_MAX)
        return straight(codes, rounded(results, -LANE_MAX, LANE_MAX)).to(lanes.dtype)


def finished(output: Output, values: torch.Tensor) -> torch.Tensor:
    """An output of the model from the last value, (batch, elements), as far as operators have gradients."""
    y = values[:, output.elements]
    for op in output.host:
        p = op.parameters
        if op.kind == "softmax":
            y = torch.softmax(y, dim=next(iter(p["axes"])))
        elif op.kind == "log_softmax":
            y = torch.log_softmax(y, dim=next(iter(p["axes"])))
        elif op.kind in ("sigmoid", "tanh", "relu"):
            y = getattr(torch, op.kind)(y)
        elif op.kind == "affine":
            scale, offset = (torch.as_tensor(p[name], dtype=y.dtype, device=y.device) for name in ("scale", "offset"))
            y = y * scale.reshape(y.shape[1:]) + offset.reshape(y.shape[1:])
        elif op.kind == "clip":
            y = y.clamp(p["low"], p["high"])
        elif op.kind == "reshape":
            y = y.reshape(len(y), *p["shape"]).movedim(0, p["batch_axis"])
        elif op.kind != "cast":
            raise InputError(f"output {output.name!r}: {op.kind} has no gradient; leave it out of the module")
    return y
