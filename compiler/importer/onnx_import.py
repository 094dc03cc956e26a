"""Import of ONNX networks: read, checked, run on samples, understood, and compared with what the samples gave.

Everything between two non-linearities becomes one :class:`~mho.compiler.model.network.LinearLayer`, at one or at many
positions. What is no product with constant weights is done by the digital side, by tables, or at the host
(:mod:`mho.compiler.importer.reading.regions`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from mho.compiler.importer.graph import Graph, Op, attributes
from mho.compiler.importer.reading import model_file
from mho.compiler.importer.reading.batch import batch_axes, batch_first, sample_pair
from mho.compiler.importer.reading.probe import NodeError, Values, probe, read_graph, sentence
from mho.compiler.importer.reading.regions import ARRAY, HOST, TABLE, TAIL, evaluated, form_regions, inner
from mho.compiler.importer.reading.rewrite import without_quantisation
from mho.compiler.importer.values.flow import Flow, Unsupported
from mho.compiler.importer.values.handlers import HANDLERS, Value, weights
from mho.compiler.importer.values.movers import MOVERS, interpolates, move, resample, resampling
from mho.compiler.importer.values.node import Node, steps_of
from mho.compiler.importer.values.products import ML_HANDLERS, einsum, join, parse_einsum
from mho.compiler.inputs import Inputs
from mho.compiler.model import FloatNetwork, HostOp, Output
from mho.compiler.model.operators.bounds import budget
from mho.compiler.model.operators.run import ML_DOMAIN
from mho.compiler.model.pruned import pruned
from mho.compiler.options import layer_name
from mho.compiler.types import Array
from mho.macro_models.errors import InputError, argument

IMPORT_WORK = 6e10
"""Nanoseconds that the operators of a model may take while it is run on samples."""
MOST_DIFFERENCE = 2e-3
"""Of what is imported from what the model gives, relative to its largest number."""


@budget(IMPORT_WORK)
def import_onnx(
    model: str | Path | bytes | onnx.ModelProto, *, output: str | None = None,
    frozen: Mapping[str, Array] | None = None, shapes: Mapping[str, Sequence[int]] | None = None,
    x: Inputs | None = None, digital: Sequence[str] = (), prune: bool = True,
) -> FloatNetwork:
    """Reads a network from a file, from its bytes or from a loaded model.

    Raises InputError if the model cannot be read or uses what is not supported: one sentence that names the file, the
    node and the operator.

    Parameters
    ----------
    model
        What is read. Nothing of it is executed but operators of ONNX on numbers.
    output
        Which of several outputs of the graph; None: all of them.
    frozen
        Inputs of the graph that are constants, by name.
    shapes
        Whole shapes of inputs, by name, where the file leaves them open; None: those of ``x``.
    x
        Inputs, of shape (samples, ...), on which the network is compared with the model; random ones otherwise.
    digital
        Names of products that the host computes.
    prune
        Whether what weights of 0 have emptied is left out; training may fill it again.
    """
    where, proto = model_file.load(model)
    shapes = model_file.shapes_of(proto, x, frozen or {}) | dict(shapes or {})
    model_file.set_shapes(where, proto, shapes)
    model_file.freeze(where, proto, frozen or {})
    model_file.opset_of(where, proto)
    bare = model_file.without_claims(where, proto)
    model_file.check_shapes(where, bare, strict=False)
    proto = model_file.modern(where, proto)
    graph = read_graph(where, proto, _choose_outputs(where, proto, output), model_file.opset_of(where, proto))
    graph = batch_first(graph, proto)
    with np.errstate(all="ignore"):
        network = _first_that_fits(where, graph, proto, x, digital, prune)
    # Last, because the importer's own sentences say more.
    model_file.check_shapes(where, bare, strict=True)
    return network


def _choose_outputs(where: str, proto: onnx.ModelProto, output: str | None) -> list[str]:
    names = list(dict.fromkeys(o.name for o in proto.graph.output))
    if not names:
        raise InputError(f"{where}: has no output; a model with an output is needed")
    if output is not None and output not in names:
        raise InputError(f"{where}: has no output {output!r}; it has {', '.join(names)}")
    return names if output is None else [output]


def _first_that_fits(
    where: str, graph: Graph, proto: onnx.ModelProto, x: Inputs | None, digital: Sequence[str], prune: bool
) -> FloatNetwork:
    """The network with the first dimension as that of the batch; if that is a fixed number, else of whole inputs."""
    _check_inputs(where, graph)
    firsts = {i.shape[0] if i.shape else 0 for i in graph.inputs}
    ways = [True] if None in firsts or 1 in firsts else [True, False]
    if any(len(i.shape) < 2 and None not in i.shape for i in graph.inputs):
        ways = [False]
    errors: list[InputError] = []
    for batched in ways:
        try:
            return _Importer(where, replace(graph, batched=batched), proto, x, digital, prune).run()
        except InputError as error:
            errors.append(error)
    raise errors[-1]


def _check_inputs(where: str, graph: Graph) -> None:
    if not graph.inputs:
        raise InputError(f"{where}: has no input; a model with an input is needed")
    for value in graph.inputs:
        if not value.shape or any(d is None or d < 1 for d in value.shape[1:]) or 0 in value.shape:
            shape = ["unknown" if not d else d for d in value.shape]
            raise InputError(
                f"{where}: input {value.name!r} has shape {shape}; a batch dimension followed by fixed dimensions is "
                f"supported: give them with {argument('input_shape', 'input_shape')}"
            )


class _Importer:
    """One reading of a graph, with the first dimension as that of the batch or not."""

    def __init__(
        self, where: str, graph: Graph, proto: onnx.ModelProto, x: Inputs | None, digital: Sequence[str], prune: bool
    ) -> None:
        self.where, self.raw, self.proto, self.x, self.digital, self.prune = where, graph, proto, x, digital, prune
        self.values: dict[str, Value] = {}

    def run(self) -> FloatNetwork:
        try:
            graph, feeds, expected, axes = self._prepare()
        except InputError:
            raise
        except (ValueError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
            said = " ".join(str(error).split())
            reason = said if isinstance(error, NodeError) else f"cannot be understood: {said}"
            raise InputError(f"{self.where}: {reason[:200]}") from None
        self.graph = graph
        self.inner, self.users = inner(graph), {k: len(v) for k, v in graph.users().items()}
        self.users.update({name: self.users.get(name, 0) + 1 for name in graph.outputs})
        size = sum(v.size for v in feeds.values())
        self.values.update(graph.constants)
        whole = Flow(
            shape=(size,), scale=np.ones(size), offset=np.zeros(size), batched=graph.batched,
            node=Node(operation=None, size=size), pinned=len(feeds) > 1,
        )
        place = 0
        for name, value in feeds.items():
            # Several inputs are side by side in one.
            self.values[name] = whole.move(place + np.arange(value.size).reshape(value.shape))
            place += value.size
            self._pin(name)
        for op in graph.ops:
            self._visit(op)
        last, outputs = self._outputs(axes)
        shapes = [value.shape[1 if graph.batched else 0 :] or (1,) for value in feeds.values()]
        network = FloatNetwork(
            name=graph.name, input_name=", ".join(feeds), steps=steps_of(last), outputs=outputs,
            warnings=tuple(graph.warnings), input_shape=shapes[0] if len(shapes) == 1 else (size,),
            parts=tuple(zip(feeds, shapes, strict=True)) if len(feeds) > 1 else (),
        )
        network = pruned(network) if self.prune else network
        if not network.layers:
            raise InputError(f"{self.where}: {self._without_layers()}")
        self._check_finite(network)
        x = np.concatenate([v.reshape(-1) for v in feeds.values()]) if len(feeds) > 1 else next(iter(feeds.values()))
        try:
            results = network.compute_all(x.reshape(1, *network.input_shape))
        except ValueError as error:
            raise InputError(f"{self.where}: what was understood cannot be computed: {error}"[:200]) from None
        for name, axis in axes.items():
            self._compare(results[name], expected[name], axis)
        return network

    def _outputs(self, axes: dict[str, int | None]) -> tuple[Node, tuple[Output, ...]]:
        """What makes all outputs, side by side where they are made of different values, and what the host does."""
        flows = {name: self._output(name, axis) for name, axis in axes.items()}
        nodes = list({id(f.node): f.node for f in flows.values() if isinstance(f, Flow)}.values())
        starts = dict(zip(map(id, nodes), np.cumsum([0, *(n.size for n in nodes)]).tolist(), strict=False))
        outputs = []
        for name, flow in flows.items():
            if not isinstance(flow, Flow):
                outputs.append(Output(name=name, host=flow, size=0))
            elif len(nodes) == 1:
                outputs.append(Output(name=name, host=flow.host))
            else:
                outputs.append(Output(name=name, host=flow.host, first=starts[id(flow.node)], size=flow.node.size))
        if len(nodes) == 1:
            return nodes[0], tuple(outputs)
        like = next(f for f in flows.values() if isinstance(f, Flow))
        return join(nodes, np.arange(sum(n.size for n in nodes)), like).node, tuple(outputs)

    def _output(self, name: str, axis: int | None) -> "Flow | tuple[HostOp, ...]":
        """An output with its shape and type; of one that no input changes, what the host gives for each sample."""
        result = self.values[name]
        elem_type = next(o for o in self.proto.graph.output if o.name == name).type.tensor_type.elem_type
        if isinstance(result, Flow):
            flow = result.end_layers().shaped(axis)
            return flow.cast(_output_type(elem_type)) if elem_type not in (0, TensorProto.STRING) else flow
        shape = list(result.shape)
        if axis is not None:
            del shape[axis]
        if result.dtype.kind in "OUS":
            raise InputError(f"{self.where}: output {name!r} is constant text; choose another one")
        dtype = _output_type(elem_type) if elem_type else result.dtype
        return (
            HostOp(kind="constant", parameters={"value": result.reshape(-1).astype(np.float64).tolist()}),
            HostOp(kind="reshape", parameters={"shape": shape, "batch_axis": axis or 0}),
            HostOp(kind="cast", parameters={"dtype": dtype.name}),
        )

    def _prepare(self) -> tuple[Graph, Values, Values, dict[str, int | None]]:
        """The graph as it is understood, an input, what it gives, and which dimension of each is the batch."""
        raw = self.raw
        first, two = sample_pair(raw, self.x)
        graph, values = probe(raw, first)
        if not any(name in values for name in raw.outputs):
            raise InputError(f"{self.where}: output {raw.outputs[0]!r} does not depend on the input")
        axes = batch_axes(self.where, raw, graph, values, first, two)
        if without_quantisation(graph, inner(graph)):
            graph, values = probe(graph, first)
        expected = {name: values[name] if name in values else graph.constants[name] for name in graph.outputs}
        form_regions(graph, self._digital_nodes(graph))
        return graph, first, expected, axes

    def _digital_nodes(self, graph: Graph) -> set[str]:
        """Names of the nodes that the user leaves to the host."""
        products = [op.name for op in graph.ops if op.kind in ARRAY]
        return {layer_name(products, name, f"{self.where}: compile option 'digital'") for name in self.digital}

    def _pin(self, name: str) -> None:
        value = self.values[name]
        if isinstance(value, Flow) and self.users.get(name, 0) > 1:
            self.values[name] = value.pin()

    # Nodes ---------------------------------------------------------------------------------------

    def _visit(self, op: Op) -> None:
        try:
            result = self._apply(op, [self.values[name] if name else None for name in op.inputs])
        except (ValueError, LookupError, TypeError, ArithmeticError, MemoryError) as error:
            reason = " ".join(str(error).split()) or "it cannot be read"
            raise InputError(f"{self.where}: {sentence(op, reason)}") from None
        for name, value in zip(op.outputs, result if isinstance(result, tuple) else (result,), strict=False):
            if name:
                self.values[name] = value
                self._pin(name)

    def _apply(self, op: Op, inputs: list[Value | None]) -> Value | tuple[Flow, ...]:
        while inputs and inputs[-1] is None:
            inputs.pop()
        if op.kind in (TABLE, HOST, TAIL):
            return self._region(op, [x for x in inputs if isinstance(x, Flow)])
        attrs = attributes(op.proto) | {"opset": self.graph.opset, "node": op.name}
        if op.domain == ML_DOMAIN:
            return ML_HANDLERS[op.kind](inputs, attrs)
        if op.kind == "Einsum":
            rule = parse_einsum(op, self.graph)
            assert rule is not None
            x, w = inputs if rule.first else inputs[::-1]
            assert isinstance(x, Flow)
            return einsum(x, weights(w), rule, op.name)
        if op.kind == "Concat" and len(inputs) == 2 and all(isinstance(x, Flow) and x.host for x in inputs):
            first, second = (x for x in inputs if isinstance(x, Flow))
            return second.complement(first)
        if interpolates(op) and isinstance(inputs[0], Flow) and (factors := resampling(op, self.graph)) is not None:
            return resample(inputs[0].on_chip(), factors, self.graph.shapes[op.outputs[0]])
        if op.kind in MOVERS:
            return self._move(op, inputs)
        attrs |= {"inner": op.outputs[0] in self.inner, "type": self.graph.types[op.outputs[0]]}
        return HANDLERS[op.kind](inputs, attrs)

    def _move(self, op: Op, inputs: list[Value | None]) -> tuple[Flow, ...]:
        flow = inputs[0]
        if isinstance(flow, Flow) and flow.host:
            # At the end, the same numbers under other dimensions.
            shape = self.graph.shapes[op.outputs[0]]
            if op.kind not in ("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze"):
                raise Unsupported(f"it follows {flow.host[0].kind}, which is supported at the end only")
            return (flow.with_shape(shape),)
        return move(op, inputs, self.graph.opset)

    def _region(self, op: Op, flows: list[Flow]) -> Flow:
        """What a table, the host on the way, or the host at the end makes of values."""
        step, shape = evaluated(op, self.graph), self.graph.shapes[op.outputs[0]]
        if op.kind == TAIL:
            if len(flows) == 1:
                return flows[0].end_with(step, shape)
            joined = [f.on_chip().materialise() for f in flows]
            return _side_by_side(joined).end_with(step, shape)
        if op.kind == TABLE:
            (flow,) = (f.on_chip().materialise() for f in flows)
            return flow.then(step, shape=shape)
        joined = [f.on_chip().materialise() for f in flows]
        return joined[0].then(step, *[f.node for f in joined], shape=shape)

    def _without_layers(self) -> str:
        """What is said of a network that nothing of is done by cells."""
        host = [o for p in self.graph.ops if p.kind in (HOST, TAIL) for o in dict.fromkeys(x.kind for x in p.parts)]
        said = ", ".join(dict.fromkeys(host))
        if not said:
            return "has no layer with weights; a Gemm, MatMul or Conv is needed"
        said = said if len(said) <= 80 else said[:77] + "..."
        needed = "a Gemm, MatMul or Conv with constant weights is needed"
        return f"has no layer with weights: {said} is done at the host; {needed}"

    # Checks --------------------------------------------------------------------------------------

    def _check_finite(self, network: FloatNetwork) -> None:
        """Products and quotients of finite numbers may be none."""
        for layer in network.layers:
            if not (np.isfinite(layer.weight).all() and np.isfinite(layer.bias).all()):
                raise InputError(
                    f"{self.where}: node {layer.name!r} has weights that are NaN or infinite; finite ones are needed"
                )
        sums = [x for s in network.steps for x in vars(s.operation).values() if isinstance(x, np.ndarray)]
        last = [op for output in network.outputs for op in output.host if op.kind in ("affine", "constant")]
        sums += [value for op in last for value in op.parameters.values()]
        if not all(np.isfinite(x).all() for x in sums):
            raise InputError(f"{self.where}: constants multiply to numbers that are NaN or infinite")

    def _compare(self, got: Array, expected: Array, axis: int | None) -> None:
        """The network and the model give the same for a sample."""
        expected = expected[None] if axis is None else expected
        if got.shape == expected.shape and expected.dtype.kind in "OUS":
            if np.array_equal(got, expected.astype(np.str_)):
                return
            apart = "are other words"
        elif got.shape == expected.shape:
            finite = np.isfinite(expected.astype(np.float64)) & np.isfinite(got.astype(np.float64))
            a, b = got[finite].astype(np.float64), expected[finite].astype(np.float64)
            if not a.size or np.abs(a - b).max() <= MOST_DIFFERENCE * np.abs(b).max() + 1e-6:
                return
            apart = f"differ by {np.abs(a - b).max():.3g} of {np.abs(b).max():.3g}"
        else:
            apart = f"have shape {list(got.shape)} instead of {list(expected.shape)}"
        raise InputError(
            f"{self.where}: the outputs of what was understood {apart} for a sample: it is not compiled, since its "
            "answers would be wrong; please report the model"
        )


def _side_by_side(flows: Sequence[Flow]) -> Flow:
    """All elements of several values in a row."""
    grid = np.arange(sum(f.size for f in flows))
    return join([f.node for f in flows], grid, flows[0])


def _output_type(elem_type: int) -> np.dtype[Any]:
    """Type of the output in numpy; those that it does not know are float32."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(elem_type)
    return dtype if dtype.kind in "fiub" else np.dtype(np.float32)
