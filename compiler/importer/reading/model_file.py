"""An ONNX file as it is read: decoded, checked, with its weights, its functions inlined; nothing of it is executed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
from google.protobuf.message import DecodeError, Message
from onnx import TensorProto, numpy_helper

from mho.compiler.inputs import Inputs, NamedInputs
from mho.compiler.model.operators.bounds import MOST_ELEMENTS, external_tensors, location
from mho.compiler.types import Array
from mho.macro_models.errors import InputError, argument
from mho.macro_models.files import FileKind, open_file, read_file
from mho.macro_models.files.memory import size_text

MIN_OPSET, MAX_OPSET = 6, onnx.defs.onnx_opset_version()
FIRST_OPSET = 8
"""Models before it are converted to it."""
OLD_BROADCAST = frozenset(("Add", "Sub", "Mul", "Div", "Pow", "PRelu", "And", "Or", "Equal", "Greater", "Less", "Gemm"))
"""Operators that had to say how they broadcast."""
MODEL = FileKind("ONNX model", 1 << 31)
_PARTS: dict[int, int] = dict.fromkeys((TensorProto.INT4, TensorProto.UINT4), 8)
"""Numbers of a type in four bytes, where numpy's type has a byte for each."""
_DEEPEST = 64
MOST_NODES = 1 << 16
"""Nodes of a model, with those of functions for each call."""


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split())[:200]


def load(model: str | Path | bytes | onnx.ModelProto) -> tuple[str, onnx.ModelProto]:
    """What a sentence calls the model, and the model with all of its weights: one that may be changed."""
    folder: Path | None = None
    if isinstance(model, (str, Path)):
        path = Path(model)
        where, folder = str(path), path.parent
        proto = _parse(read_file(path, MODEL), where)
    elif isinstance(model, bytes):
        where, proto = "the model", _parse(model, "the model")
    else:
        where, proto = model.graph.name or "the model", onnx.ModelProto()
        proto.CopyFrom(model)
    # Before version 4 constants had to be inputs, too; not every exporter knew.
    proto.ir_version = max(proto.ir_version, 4) if proto.ir_version else 0
    _check_calls(where, proto)
    _load_external(where, proto, folder)
    return where, proto


def _check_calls(where: str, proto: onnx.ModelProto) -> None:
    """Refuse functions that call themselves, and those that are too much once they are written out."""
    bodies = {(f.domain, f.name): f.node for f in proto.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Iterable[onnx.NodeProto], within: frozenset[tuple[str, str]]) -> int:
        total = 0
        for node in nodes:
            name = node.domain, node.op_type
            if name in within or len(within) > _DEEPEST:
                raise InputError(f"{where}: its function {node.op_type!r} calls itself, or {_DEEPEST} others in turn")
            if name in bodies and name not in sizes:
                sizes[name] = size(bodies[name], within | {name})
            total += 1 + sizes.get(name, 0)
            total += sum(size(g.node, within) for a in node.attribute for g in (a.g, *a.graphs) if g.node)
            if total > MOST_NODES:
                raise InputError(f"{where}: has more than {MOST_NODES} nodes once its functions are written out")
        return total

    size(proto.graph.node, frozenset())


def opset_of(where: str, proto: onnx.ModelProto) -> int:
    """The opset of ONNX's own operators.

    Raises InputError if it is none that is supported.
    """
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 1)
    if not MIN_OPSET <= opset <= MAX_OPSET:
        raise InputError(f"{where}: opset {opset} is not supported; opsets {MIN_OPSET} to {MAX_OPSET} are")
    return opset


def modern(where: str, proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its local functions inlined, of an opset that the importer reads."""
    opset = opset_of(where, proto)
    if proto.functions:
        try:
            proto = onnx.inliner.inline_local_functions(proto)
        except Exception as error:
            raise InputError(f"{where}: its functions cannot be inlined: {first_line(error)}") from None
    if opset >= FIRST_OPSET:
        return proto
    old = [n for n in proto.graph.node if n.op_type in OLD_BROADCAST]
    if not any(a.name in ("broadcast", "axis") for n in old for a in n.attribute):
        # Nothing that these versions say otherwise.
        next(o for o in proto.opset_import if o.domain in ("", "ai.onnx")).version = FIRST_OPSET
        return proto
    try:
        return onnx.version_converter.convert_version(proto, FIRST_OPSET)
    except Exception as error:
        raise InputError(
            f"{where}: opset {opset} cannot be converted to {FIRST_OPSET} ({first_line(error)[:80]}); export it again "
            "with a newer one"
        ) from None


def _named_input(where: str, proto: onnx.ModelProto, name: str, option: str) -> onnx.ValueInfoProto:
    """The input that an option names."""
    inputs = {i.name: i for i in proto.graph.input}
    if name not in inputs:
        raise InputError(
            f"{where}: {argument(option, option)} names the input {name!r}; it has {', '.join(inputs) or 'none'}"
        )
    return inputs[name]


def freeze(where: str, proto: onnx.ModelProto, values: Mapping[str, Array]) -> None:
    """Makes inputs of a model constants from now on."""
    frozen = {name: _named_input(where, proto, name, "freeze") for name in values}
    for name, value in values.items():
        dtype = onnx.helper.tensor_dtype_to_np_dtype(frozen[name].type.tensor_type.elem_type)
        proto.graph.initializer.append(numpy_helper.from_array(np.asarray(value).astype(dtype), name))
        proto.graph.input.remove(frozen[name])


def without_claims(where: str, proto: onnx.ModelProto) -> onnx.ModelProto:
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
        raise InputError(f"{where}: is no valid ONNX model: {first_line(error)}") from None
    for output, original in zip(copy.graph.output, proto.graph.output, strict=True):
        output.CopyFrom(original)
        if original.type.HasField("tensor_type"):
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


def check_shapes(where: str, bare: onnx.ModelProto, *, strict: bool) -> None:
    """Refuse values with more elements than any chip can take; if ``strict``, types and shapes that contradict."""
    try:
        inferred = onnx.shape_inference.infer_shapes(bare, check_type=strict, strict_mode=strict)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise InputError(f"{where}: is no valid ONNX model: {first_line(error)}") from None
    for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
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
    _check_text(where, proto)
    for value in (*proto.graph.input, *proto.graph.output):
        tensor = value.type.tensor_type
        if tensor.elem_type and tensor.elem_type not in TensorProto.DataType.values():
            raise InputError(f"{where}: value {value.name!r} has type {tensor.elem_type}, which ONNX does not know")
    return proto


def _check_text(where: str, message: Message) -> None:
    """Refuse names that are no text, which Python gets as bytes."""
    for field, value in message.ListFields():
        repeated = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
        for item in value if repeated and field.type in (field.TYPE_STRING, field.TYPE_MESSAGE) else (value,):
            if isinstance(item, Message):
                _check_text(where, item)
            elif field.type == field.TYPE_STRING and isinstance(item, bytes):
                raise InputError(f"{where}: {field.name} must be text in UTF-8, not {item!r}")


def external_files(path: Path) -> list[str]:
    """Names of the files beside a model that hold its weights.

    Raises InputError if it is no model.
    """
    return [location(tensor) for tensor in external_tensors(_parse(read_file(path, MODEL), str(path)))]


def _load_external(where: str, proto: onnx.ModelProto, folder: Path | None) -> None:
    """Weights from files in the folder of the model, or below it; of links counts where they lead."""
    room = MODEL.most or 0
    for tensor in list(external_tensors(proto)):
        name = location(tensor)
        path = None if folder is None or "\0" in name else (folder / name).resolve()
        if folder is None or path is None or not path.is_file() or not path.is_relative_to(folder.resolve()):
            raise InputError(
                f"{where}: weights {tensor.name!r} are in the file {name!r}, which is not beside the model"
            )
        try:
            kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            first, length = (int(location(tensor, key) or 0) for key in ("offset", "length"))
        except (KeyError, ValueError) as error:
            raise InputError(f"{where}: weights {tensor.name!r} cannot be read: {first_line(error)}") from None
        # Types of less than a byte are two or four to a byte.
        count = -(-math.prod(tensor.dims) * 4 * kind.itemsize // _PARTS.get(tensor.data_type, 4))
        room -= count
        if min(tensor.dims, default=0) < 0 or first < 0 or length not in (0, count) or room < 0:
            raise InputError(
                f"{where}: weights {tensor.name!r} of shape {list(tensor.dims)} cannot be {length} bytes of {name!r}; "
                f"{count} are needed, and a model may have {size_text(MODEL.most or 0)}"
            )
        with open_file(path, MODEL) as (stream, size):
            if first + count > size:
                raise InputError(
                    f"{where}: weights {tensor.name!r} cannot be read from {name!r}: it has {size} bytes, not the "
                    f"{first + count} that are needed"
                )
            stream.seek(first)
            tensor.raw_data = stream.read(count)
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]


def shapes_of(proto: onnx.ModelProto, x: Inputs | None, frozen: Iterable[str]) -> dict[str, list[int]]:
    """Whole shapes of inputs that the file leaves open behind the batch, as samples have them, 0 for the batch."""
    constant = {*frozen, *(tensor.name for tensor in proto.graph.initializer)}
    inputs, shapes = [i for i in proto.graph.input if i.name not in constant], {}
    for value in inputs:
        array = x.arrays.get(value.name) if isinstance(x, NamedInputs) else x if len(inputs) == 1 else None
        dims = value.type.tensor_type.shape.dim
        if array is None or array.ndim != len(dims) or not dims or dims[0].dim_value > 0:
            continue
        if all(d.dim_value in (0, n) or d.dim_value < 0 for d, n in zip(dims[1:], array.shape[1:], strict=True)):
            if any(d.dim_value <= 0 for d in dims[1:]):
                shapes[value.name] = [0, *array.shape[1:]]
    return shapes


def set_shapes(where: str, proto: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> None:
    """Gives inputs of a model these whole shapes; 0 leaves a dimension open, that of the batch alone."""
    for name, shape in shapes.items():
        tensor = _named_input(where, proto, name, "input_shape").type.tensor_type
        if tensor.HasField("shape") and len(tensor.shape.dim) != len(shape):
            raise InputError(
                f"{where}: input {name!r} has {len(tensor.shape.dim)} dimensions, not the {len(shape)} of "
                f"{argument('input_shape', 'input_shape')}"
            )
        del tensor.shape.dim[:]
        tensor.shape.SetInParent()
        for d in shape:
            dim = tensor.shape.dim.add()
            if d:
                dim.dim_value = int(d)
            else:
                dim.dim_param = "batch"
