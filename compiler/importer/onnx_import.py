"""Import of ONNX networks. Nothing of the file is ever executed: it is read, checked and folded.

Accepted are graphs with one input, in which a value passes through operators of :data:`SUPPORTED`; everything between
two non-linearities becomes one :class:`~compiler.model.network.LinearLayer`, at one or at many positions of an image.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor

from compiler.importer.activation import Flow, Unsupported
from compiler.importer.node import Node, steps_of
from compiler.importer.onnx_constants import FOLDABLE, attributes, fold, numpy_type
from compiler.importer.onnx_ml import ML_DOMAIN, ML_HANDLERS
from compiler.importer.onnx_operators import AT_THE_END, HANDLERS, SUPPORTED, Value
from compiler.model import FloatNetwork
from macro_models.errors import InputError, argument
from macro_models.files import FileKind, read_file

__all__ = ["SUPPORTED", "import_onnx"]

MIN_OPSET, MAX_OPSET = 8, 25
MODEL = FileKind("ONNX model", 1 << 31)
MOST_ELEMENTS = 1 << 26
"""Elements of a value, without the batch: more than any chip can take."""

Array = NDArray[Any]


def import_onnx(model: str | Path | bytes | onnx.ModelProto, *, output: str | None = None) -> FloatNetwork:
    """Reads a network from a file, from its bytes or from a loaded model.

    ``output`` chooses among several outputs of the graph.

    Raises
    ------
    InputError
        If the model cannot be read or uses what is not supported: one sentence that names the file, the node and the
        operator.
    """
    where, proto = _load(model)
    bare = _without_claims(where, proto)
    _check_shapes(where, bare, strict=False)
    network = _Importer(where, proto, output).run()
    # Last, because the importer's own sentences say more.
    _check_shapes(where, bare, strict=True)
    return network


def _load(model: str | Path | bytes | onnx.ModelProto) -> tuple[str, onnx.ModelProto]:
    folder: Path | None = None
    if isinstance(model, (str, Path)):
        path = Path(model)
        where, folder = str(path), path.parent
        proto = _parse(read_file(path, MODEL), where)
    elif isinstance(model, bytes):
        where, proto = "the model", _parse(model, "the model")
    else:
        where, proto = model.graph.name or "the model", model
    _load_external(where, proto, folder)
    return where, proto


def _without_claims(where: str, proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that the checker passed, without what the file says of shapes: runtimes take it for a hint, if at all."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        # The checker asks for a shape, and does not know sequences of dictionaries, as ZipMap makes them.
        if output.type.HasField("sequence_type"):
            output.type.tensor_type.elem_type = TensorProto.FLOAT
        output.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(copy)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InputError(f"{where}: is no valid ONNX model: {_first_line(error)}") from None
    for output, given in zip(copy.graph.output, proto.graph.output, strict=True):
        output.CopyFrom(given)
        if given.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    _without_weights(copy.graph)
    return copy


def _without_weights(graph: onnx.GraphProto) -> None:
    """Large constants become inputs of their type and shape, so that inference has little to take along."""
    inputs, small = {i.name for i in graph.input}, []
    for tensor in graph.initializer:
        if math.prod(tensor.dims) <= 1024:
            small.append(tensor)
        elif tensor.name not in inputs:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    del graph.initializer[:]
    graph.initializer.extend(small)


def _check_shapes(where: str, bare: onnx.ModelProto, *, strict: bool) -> None:
    """Refuse values with more elements than any chip can take; if ``strict``, types and shapes that contradict."""
    try:
        found = onnx.shape_inference.infer_shapes(bare, check_type=strict, strict_mode=strict)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise InputError(f"{where}: is no valid ONNX model: {_first_line(error)}") from None
    for value in (*found.graph.input, *found.graph.value_info, *found.graph.output):
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if math.prod(max(1, d) for d in dims[1:]) > MOST_ELEMENTS:
            raise InputError(
                f"{where}: value {value.name!r} has shape {dims}; at most {MOST_ELEMENTS} elements are supported"
            )


def _parse(data: bytes, where: str) -> onnx.ModelProto:
    try:
        proto = onnx.load_model_from_string(data)
    except (DecodeError, ValueError):
        raise InputError(f"{where}: is no ONNX model (its bytes cannot be decoded)") from None
    if not proto.HasField("graph"):
        raise InputError(f"{where}: is no ONNX model (it has no graph)")
    return proto


def _load_external(where: str, proto: onnx.ModelProto, folder: Path | None) -> None:
    tensors = [*proto.graph.initializer, *(a.t for node in proto.graph.node for a in node.attribute)]
    for tensor in (t for t in tensors if t.data_location == TensorProto.EXTERNAL):
        name = next((e.value for e in tensor.external_data if e.key == "location"), "")
        if folder is None or "\0" in name or not (folder / name).is_file():
            raise InputError(
                f"{where}: weights {tensor.name!r} are in the file {name!r}, which is not beside the model"
            )
        MODEL.check(folder / name, (folder / name).stat().st_size)
        try:
            load_external_data_for_tensor(tensor, str(folder))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise InputError(
                f"{where}: weights {tensor.name!r} cannot be read from {name!r}: {_first_line(error)}"
            ) from None
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


class _Importer:
    """One walk over the nodes of a graph."""

    def __init__(self, where: str, proto: onnx.ModelProto, output: str | None) -> None:
        self.where, self.graph = where, proto.graph
        self.opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
        if not MIN_OPSET <= self.opset <= MAX_OPSET:
            raise InputError(f"{where}: opset {self.opset} is not supported; opsets {MIN_OPSET} to {MAX_OPSET} are")
        self.output = self._choose_output(output)
        self.values: dict[str, Value] = {}

    def run(self) -> FloatNetwork:
        self._read_constants()
        name, shape = self._read_input()
        nodes = self._needed()
        self._look_ahead(nodes)
        self._pin(name)
        with np.errstate(all="ignore"):
            for node in nodes:
                self._visit(node)
        result = self.values.get(self.output)
        if not isinstance(result, Flow):
            raise InputError(f"{self.where}: output {self.output!r} does not depend on the input")
        result = self._finish(result)
        network = FloatNetwork(
            name=self.graph.name or "network", input_name=name, input_shape=shape, steps=steps_of(result.node),
            host=result.host, output_name=self.output,
        )
        if not network.layers:
            raise InputError(f"{self.where}: has no layer with weights; a Gemm, MatMul or Conv is needed")
        self._check_finite(network)
        return network

    # Inputs, outputs, constants ------------------------------------------------------------------

    def _choose_output(self, wanted: str | None) -> str:
        names = [o.name for o in self.graph.output]
        if wanted is not None and wanted not in names:
            raise InputError(f"{self.where}: has no output {wanted!r}; it has {', '.join(names) or 'none'}")
        if wanted is None and len(names) != 1:
            raise InputError(
                f"{self.where}: has {len(names)} outputs ({', '.join(names)}); choose one by its name with "
                f"{argument('output', 'model_output')}"
            )
        return wanted or names[0]

    def _read_constants(self) -> None:
        if self.graph.sparse_initializer:
            raise InputError(f"{self.where}: sparse weights are not supported; dense ones are")
        for tensor in self.graph.initializer:
            try:
                self.values[tensor.name] = numpy_helper.to_array(tensor)
            except (ValueError, TypeError, KeyError) as error:
                raise InputError(
                    f"{self.where}: weights {tensor.name!r} cannot be read: {_first_line(error)}"
                ) from None

    def _read_input(self) -> tuple[str, tuple[int, ...]]:
        inputs = [i for i in self.graph.input if i.name not in self.values]
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs) or "none"
            raise InputError(f"{self.where}: has {len(inputs)} inputs ({names}); models with exactly one are supported")
        (value,) = inputs
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
            raise InputError(
                f"{self.where}: input {value.name!r} has no shape; a batch of fixed-size inputs is supported"
            )
        dims = [d.dim_value if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
        if len(dims) < 2 or min(dims[1:]) < 1:
            raise InputError(
                f"{self.where}: input {value.name!r} has shape {[d or 'unknown' for d in dims]}; a batch dimension "
                "followed by fixed dimensions is supported"
            )
        shape = tuple(dims[1:])
        size = int(np.prod(shape, dtype=np.int64))
        self.values[value.name] = Flow(
            shape=shape,
            scale=np.ones(size),
            offset=np.zeros(size),
            batch=dims[0] or None,
            node=Node(operation=None, size=size),
        )
        return value.name, shape

    def _needed(self) -> list[onnx.NodeProto]:
        """Nodes that the chosen output depends on, in the order of the file, which is topological."""
        wanted = {self.output}
        nodes: list[onnx.NodeProto] = []
        for node in reversed(self.graph.node):
            if wanted.intersection(node.output):
                nodes.append(node)
                wanted.update(node.input)
        return nodes[::-1]

    def _look_ahead(self, nodes: list[onnx.NodeProto]) -> None:
        """Notes how many operators take a value, and of which values more is made than the host can do."""
        self.users: dict[str, int] = {}
        self.inner: set[str] = set()
        outside = _complements(nodes)
        for node in reversed(nodes):
            here = node.op_type in AT_THE_END or node.output[0] in outside
            deep = not here or any(o in self.inner for o in node.output)
            for name in node.input:
                self.users[name] = self.users.get(name, 0) + (node.op_type != "Shape")
                if deep and node.op_type != "Shape":
                    self.inner.add(name)

    def _pin(self, name: str) -> None:
        value = self.values[name]
        if isinstance(value, Flow) and self.users.get(name, 0) > 1:
            self.values[name] = value.pin()

    def _finish(self, flow: Flow) -> Flow:
        flow = flow.end_layers().shaped()
        value = next(o for o in self.graph.output if o.name == self.output)
        elem_type = value.type.tensor_type.elem_type
        if elem_type:
            flow = flow.cast(numpy_type(elem_type))
        return flow

    def _check_finite(self, network: FloatNetwork) -> None:
        """Products and quotients of finite numbers may be none."""
        for layer in network.layers:
            if not (np.isfinite(layer.weight).all() and np.isfinite(layer.bias).all()):
                raise InputError(
                    f"{self.where}: node {layer.name!r} has weights that are NaN or infinite; finite ones are needed"
                )
        sums = [x for s in network.steps for x in vars(s.operation).values() if isinstance(x, np.ndarray)]
        sums += [value for op in network.host if op.kind == "affine" for value in op.parameters.values()]
        if not all(np.isfinite(x).all() for x in sums):
            raise InputError(f"{self.where}: constants multiply to numbers that are NaN or infinite")

    # Nodes ---------------------------------------------------------------------------------------

    def _visit(self, node: onnx.NodeProto) -> None:
        try:
            learned = node.domain == ML_DOMAIN and node.op_type in ML_HANDLERS
            if node.domain not in ("", "ai.onnx") and not learned:
                raise Unsupported(f"operators of {node.domain!r} are not supported; supported are {SUPPORTED}")
            inputs = [self.values[name] if name else None for name in node.input]
            while inputs and inputs[-1] is None:
                inputs.pop()
            if any(isinstance(i, Flow) for i in inputs):
                result = self._apply(node, inputs)
            elif node.op_type in FOLDABLE:
                result = fold(node, [i for i in inputs if isinstance(i, np.ndarray)])
            else:
                raise Unsupported(f"this operator is not supported; supported are {SUPPORTED}")
        except (ValueError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
            name = node.name or (node.output[0] if node.output else "")
            raise InputError(f"{self.where}: node {name!r} ({node.op_type}): {_first_reason(error)}") from None
        for name, value in zip(node.output, result if isinstance(result, tuple) else (result,), strict=False):
            self.values[name] = value
            self._pin(name)

    def _apply(self, node: onnx.NodeProto, inputs: list[Value | None]) -> Value | tuple[Flow, Flow]:
        attrs = attributes(node)
        attrs["opset"] = self.opset
        attrs["node"] = node.name or node.output[0]
        if node.domain == ML_DOMAIN:
            return ML_HANDLERS[node.op_type](inputs, attrs)
        handler = HANDLERS.get(node.op_type)
        if handler is None:
            raise Unsupported(f"this operator is not supported; supported are {SUPPORTED}")
        attrs["inner"] = node.output[0] in self.inner
        return handler(inputs, attrs)


def _complements(nodes: list[onnx.NodeProto]) -> set[str]:
    """Values that make both probabilities of a binary classifier of one: ``Concat(1 - p, p)`` of a Sigmoid ``p``."""
    made = {name: node for node in nodes for name in node.output}
    found: set[str] = set()
    for node in nodes:
        if node.op_type == "Concat" and len(node.input) == 2:
            rest, p = (made.get(name) for name in node.input)
            if rest and p and (rest.op_type, p.op_type) == ("Sub", "Sigmoid") and rest.input[1] == node.input[1]:
                found |= {node.output[0], rest.output[0]}
    return found


def _first_reason(error: Exception) -> str:
    return " ".join(str(error).split()) or "it cannot be evaluated"
