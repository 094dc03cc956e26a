"""A graph run on samples: shapes, types, what is constant, and what the right answer is.

Nodes whose inputs are all constants are replaced by what they make. What is an abbreviation (a recurrent layer, an
integer product) is replaced by the operators that it stands for, once its shapes are known
(:data:`~mho.compiler.importer.reading.rewrite.REWRITES`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import numpy_helper

from mho.compiler.importer.graph import Graph, Input, Op
from mho.compiler.importer.reading.model_file import MOST_NODES, first_line
from mho.compiler.importer.reading.rewrite import REWRITES, dequantised_again
from mho.compiler.importer.reading.subgraphs import SUBGRAPHS
from mho.compiler.importer.values.spatial import check_convolution
from mho.compiler.model.operators.bounds import spend
from mho.compiler.model.operators.run import MOST_ELEMENTS, MOST_OF_ALL, run_node, runnable, widen
from mho.compiler.types import Array
from mho.macro_models.errors import InputError, argument

Values = dict[str, Array]

WRITTEN = 5e5
"""Nanoseconds of a node of a graph inside of another one, each time that it is written out."""
LONGEST = 200
"""Characters of a sentence about nodes, without the name of the file."""


class NodeError(ValueError):
    """What a node cannot do: a sentence that names it."""


def sentence(op: Op, reason: str) -> str:
    """A sentence about a node."""
    where = f"node {op.name[:60]!r} ({op.kind}): "
    return where + (reason if len(where + reason) <= LONGEST else reason[: LONGEST - len(where) - 3] + "...")


def read_graph(where: str, proto: onnx.ModelProto, outputs: Sequence[str], opset: int) -> Graph:
    """The graph of a model, its constants and inputs.

    Raises InputError if weights cannot be read or operators are unknown: all of them are named.
    """
    graph = proto.graph
    if graph.sparse_initializer:
        raise InputError(f"{where}: sparse weights are not supported; dense ones are")
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        try:
            constants[tensor.name] = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{where}: weights {tensor.name!r} cannot be read: {first_line(error)}") from None
    inputs = []
    for value in graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
            raise InputError(
                f"{where}: input {value.name!r} has no shape; give one with {argument('input_shape', 'input_shape')}"
            )
        # Runtimes take a negative dimension for an open one.
        dims = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim)
        if math.prod(d or 1 for d in dims) > MOST_ELEMENTS:
            raise InputError(
                f"{where}: input {value.name!r} has shape {list(dims)}; at most {MOST_ELEMENTS} elements are supported"
            )
        try:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        except KeyError:
            dtype = np.dtype(object)
        if dtype.kind not in "fiub" and not dtype.name.startswith("bfloat"):
            raise InputError(f"{where}: input {value.name!r} holds no numbers; numbers are supported")
        inputs.append(Input(value.name, dims, dtype))
    parsed = Graph(
        name=graph.name or "network", opset=opset, ops=[Op(node) for node in graph.node], constants=constants,
        inputs=inputs, outputs=tuple(outputs),
    )
    parsed.wanted = frozenset(parsed.prune())
    _refuse_unknown(where, parsed)
    return parsed


def _refuse_unknown(where: str, graph: Graph) -> None:
    """Names all nodes with operators that there are not."""
    unknown = [op for op in graph.ops if not known(op)]
    if unknown:
        names = ", ".join(f"{op.name[:40]!r} ({op.domain + '.' if op.domain else ''}{op.kind})" for op in unknown)
        names = names if len(names) <= 100 else names[:90] + f"... ({len(unknown)} in all)"
        raise InputError(
            f"{where}: node{'s' * (len(unknown) > 1)} {names}: not supported; mho compile --operators lists what is"
        )


def known(op: Op) -> bool:
    """Whether an operator may be in a graph at all."""
    return op.kind in REWRITES or runnable(op.proto) or (op.domain == "" and op.kind in SUBGRAPHS)


def samples(inputs: Sequence[Input], batch: int | None, rng: np.random.Generator) -> Values:
    """Random inputs of a graph; of a ``batch``, or None for whole shapes as they are."""
    values = {}
    for graph_input in inputs:
        shape = [1 if d is None else d for d in graph_input.shape]
        if batch is not None and shape:
            shape[0] = batch
        if graph_input.dtype.kind in "iub":
            values[graph_input.name] = rng.integers(0, 2, shape).astype(graph_input.dtype)
        else:
            values[graph_input.name] = rng.normal(size=shape)
    return values


def probe(graph: Graph, feeds: Mapping[str, Array]) -> tuple[Graph, Values]:
    """The graph with shapes, types, folded constants and abbreviations written out, and the values that it makes.

    Raises NodeError if a node cannot be carried out.
    """
    constants, values = dict(graph.constants), {k: widen(v) for k, v in feeds.items()}
    result = replace(graph, constants=constants, ops=[], shapes={}, types={}, warnings=list(graph.warnings),
                     sequences={})
    for name, value in feeds.items():
        result.shapes[name], result.types[name] = value.shape, value.dtype
    queue, users, written, room = graph.ops[::-1], graph.users(), 0, MOST_OF_ALL
    for op in queue:
        if op.kind == "DynamicQuantizeLinear" and not dequantised_again(op, users, graph):
            raise NodeError(sentence(op, "its scale is of the whole batch, and its integers are used without it"))
    while queue:
        op, written = queue.pop(), written + 1
        if written > MOST_NODES:
            raise NodeError(f"it has more than {MOST_NODES} nodes once loops and recurrent layers are written out")
        try:
            if op.kind in SUBGRAPHS:
                parts = SUBGRAPHS[op.kind](op, result)
                spend(WRITTEN * len(parts))
                queue.extend(reversed(parts))
                continue
            computed = [i for i in op.inputs if i and i not in constants]
            op = _of_one(op, result)
            rewrite = REWRITES.get(op.kind)
            if rewrite is not None and (parts := rewrite(op, result)) is not None:
                queue.extend(reversed(parts))
                continue
            inputs = [None if not i else constants[i] if i in constants else values[i] for i in op.inputs]
            if op.kind == "Conv" and not op.domain and len(inputs) > 1 and all(x is not None for x in inputs[:2]):
                # Its sentences say more than those of the evaluation.
                x, w, b = (None if x is None else x.shape for x in (*inputs, None)[:3])
                check_convolution(x or (), w or (), b, op.attrs)
            outputs = run_node(op.proto, inputs, graph.opset, wide=bool(computed), room=room)
        except (ValueError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
            raise NodeError(sentence(op, " ".join(str(error).split()) or "it cannot be evaluated")) from error
        if op.kind in ("Shape", "Size"):
            computed = []
        for name, value in zip(op.outputs, outputs, strict=False):
            if not name or value is None:
                continue
            room -= value.size
            result.shapes[name], result.types[name] = value.shape, value.dtype
            (values if computed else constants)[name] = value
        if computed:
            result.ops.append(op)
    result.prune()
    return result, values


def _of_one(op: Op, graph: Graph) -> Op:
    """A Reshape to a batch of a fixed size, for one sample."""
    count = graph.inputs[0].shape[0] if graph.batched and graph.inputs[0].shape else None
    target = graph.constants.get(op.inputs[1]) if op.kind == "Reshape" and len(op.inputs) > 1 else None
    if count is None or count < 2 or target is None or target.ndim != 1 or target[:1] != count:
        return op
    name = f"{op.outputs[0]}/of_one"
    graph.constants[name] = np.array([1, *target[1:]], dtype=np.int64)
    return op.renamed({op.inputs[1]: name})
