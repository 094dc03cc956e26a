"""What of a graph the chip does by itself, what a table does, and what is left to the host.

Natural operators are those of which the importer makes layers, sums, choices and limits. Of the others, those that make
a function of one value become a table that is filled by running them; whatever else there is becomes a step of the
host, together with what lies between two such operators. What follows the last layer is the host's in any case.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.importer.values.handlers import ACTIVATIONS, HANDLERS
from mho.compiler.importer.values.movers import MOVERS, data_inputs, interpolates, resampling
from mho.compiler.importer.values.products import ML_HANDLERS, parse_einsum
from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.operators.onnx_compat import ML_DOMAIN, ML_OPSET
from mho.compiler.model.operators.run import is_float_type, widen

TABLE, HOST, TAIL = "table", "host", "tail"
"""Kinds of regions."""

ARRAY = frozenset(("Gemm", "MatMul", "Conv", "ConvTranspose", "Einsum", "LinearRegressor"))
"""Products with constant weights, which cells hold."""

_ONLY_THERE = frozenset(("Softmax", "LogSoftmax", "ArgMax", "Normalizer", "ArrayFeatureExtractor"))
_HOSTS = _ONLY_THERE | {"Sigmoid", "Tanh"}
AT_THE_END = _HOSTS | {"Relu", "Clip", "Identity", "Cast", "Neg", "Flatten", "Reshape", "Squeeze", "Unsqueeze"}
"""Operators that the host can do after the last step."""

NATURAL = (ARRAY | MOVERS.keys() | HANDLERS.keys() | ML_HANDLERS.keys()) - _ONLY_THERE
"""What the importer has a rule for on the way."""

POINTWISE = ACTIVATIONS.keys() | frozenset((
    *("Relu", "Sigmoid", "Tanh", "Neg", "Clip"),
    *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Cast", "Ceil", "Celu", "Cos", "Cosh"),
    *("DequantizeLinear", "Div", "Equal", "Erf", "Exp", "Floor", "Greater", "GreaterOrEqual", "Identity", "IsInf"),
    *("IsNaN", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mod", "Mul", "Not", "Or", "PRelu", "Pow"),
    *("QuantizeLinear", "Reciprocal", "Round", "Shrink", "Sign", "Sin", "Sinh", "Softsign", "Sqrt", "Sub", "Sum"),
    *("Tan", "ThresholdedRelu", "Where", "Xor", "Binarizer"),
))
"""Functions of one value, where the others are one constant number or functions of the same."""


def inner(graph: Graph) -> set[str]:
    """Values of which more is made than the host can do after the last step."""
    names: set[str] = set()
    outside = complements(graph.ops)
    for op in reversed(graph.ops):
        here = op.kind in AT_THE_END or op.outputs[0] in outside
        if not here or any(o in names for o in op.outputs):
            names.update(op.inputs)
    return names


def complements(ops: Sequence[Op]) -> set[str]:
    """Values that make both probabilities of a binary classifier of one: ``Concat(1 - p, p)`` of a Sigmoid ``p``."""
    makers = {name: op for op in ops for name in op.outputs}
    names: set[str] = set()
    for op in ops:
        if op.kind == "Concat" and len(op.inputs) == 2:
            rest, p = (makers.get(name) for name in op.inputs)
            if rest and p and (rest.kind, p.kind) == ("Sub", "Sigmoid") and rest.inputs[1:] == op.inputs[1:]:
                names |= {op.outputs[0], rest.outputs[0]}
    return names


class _Finder:
    """One analysis of a graph."""

    def __init__(self, graph: Graph, digital: Collection[str]) -> None:
        self.digital = digital
        self.graph, self.users, self.makers = graph, graph.users(), graph.makers()
        self.deep, self.outside = inner(graph), complements(graph.ops)
        self.root: dict[str, str] = {}
        self.dirty: set[str] = set()
        self.host: set[Op] = set()
        self.array: set[Op] = set()
        self.cut: set[str] = {i.name for i in graph.inputs}
        for op in graph.ops:
            self._classify(op)
        # Values that a product is made of.
        self.early: set[str] = set()
        for op in reversed(graph.ops):
            if op in self.array or any(o in self.early for o in op.outputs):
                self.early.update(op.inputs)

    def _classify(self, op: Op) -> None:
        natural = self.natural(op)
        computed = self.graph.computed(op)
        if natural and op.kind in ARRAY:
            self.array.add(op)
        root = self._root(op, computed)
        if root is not None:
            (output,) = op.outputs
            self.root[output] = root
            if not natural or any(i in self.dirty for i in computed):
                self.dirty.add(output)
            elif all(i in self.cut for i in computed):
                self.cut.add(output)
        elif not natural:
            self.host.add(op)
        elif op.kind in ARRAY or all(i in self.cut for i in computed):
            self.cut.update(op.outputs)

    def _root(self, op: Op, computed: Sequence[str]) -> str | None:
        """The value of which a node is a function, element by element."""
        graph = self.graph
        if op.kind not in POINTWISE or len(op.outputs) != 1 or not computed:
            return None
        roots = {self.root.get(i, i) for i in computed}
        if len(roots) != 1:
            return None
        (root,) = roots
        if any(graph.constants[i].size != 1 for i in op.inputs if i and i in graph.constants):
            return None
        same = graph.shapes[op.outputs[0]] == graph.shapes[root] and all(
            graph.shapes[i] == graph.shapes[root] for i in computed
        )
        return root if same else None

    def natural(self, op: Op) -> bool:
        """Whether the importer makes steps of a node by its own rules."""
        graph, computed = self.graph, self.graph.computed(op)
        if op.name in self.digital:
            return False
        if op.kind in _ONLY_THERE:
            tail = all(o not in self.deep for o in op.outputs)
            return tail and not (op.kind == "Normalizer" and op.attrs.get("norm", b"MAX") != b"L1") and (
                op.kind != "ArrayFeatureExtractor" or _is_numbers(graph.constants.get(op.inputs[0]))
            )
        if op.kind not in NATURAL:
            return False
        constant = [i in graph.constants for i in op.inputs]
        if op.kind in ("Gemm", "MatMul"):
            return constant[:2].count(True) == 1
        if op.kind == "Einsum":
            return constant.count(True) == 1 and parse_einsum(op, graph) is not None
        if op.kind in ("Conv", "ConvTranspose"):
            return not constant[0] and all(constant[1:])
        if op.kind in MOVERS:
            data = data_inputs(op)
            if op.attrs.get("reduction", b"none") != b"none":
                return False
            if interpolates(op) and resampling(op, graph) is None:
                return False
            return all(k in data for k, c in enumerate(constant) if not c and op.inputs[k])
        if op.kind == "Mul":
            return len(computed) == 1 or self._gated(op)
        if op.kind == "Div":
            return constant == [False, True]
        if op.kind in ("Max", "Min"):
            return not any(constant) or (len(computed) == 1 and all(
                graph.constants[i].size == 1 for i in op.inputs if i in graph.constants
            ))
        if op.kind == "Cast":
            to = graph.types[op.outputs[0]]
            return is_float_type(to) or not is_float_type(graph.types[op.inputs[0]]) or op.outputs[0] not in self.deep
        if op.kind == "MaxPool":
            return self.used(op) == [op.outputs[0]]
        return not constant[0] if op.kind not in ("Add", "Sub", "Sum", "Mean") else True

    def used(self, op: Op) -> list[str]:
        """The outputs of a node that anything is made of."""
        return [o for o in op.outputs if o and (o in self.users or o in self.graph.outputs)]

    def _gated(self, op: Op) -> bool:
        """Whether a value is multiplied by its own sigmoid, which is how SiLU is exported."""
        for x, gate in (op.inputs, op.inputs[::-1]):
            maker = self.makers.get(gate)
            if maker is not None and maker.kind == "Sigmoid" and maker.inputs == (x,):
                return True
        return False

    # Regions -------------------------------------------------------------------------------------

    def grown(self, sink: Op, claimed: set[Op], *, tail: bool = False) -> list[Op]:
        """The nodes of a region that ends with ``sink``: what nobody else takes and the chip would not do at once.

        At the end, ``tail``, functions are the host's anyway, and what several outputs take is done for each.
        """
        region, before = {sink}, False
        for op in reversed(self.graph.ops):
            if op is sink:
                before = True
            elif before and op not in claimed and op not in self.array and self._within(op, region, tail):
                region.add(op)
        return [op for op in self.graph.ops if op in region]

    def _within(self, op: Op, region: set[Op], tail: bool) -> bool:
        users = [u for o in op.outputs for u in self.users.get(o, [])]
        if tail:
            hidden = any(u in region for u in users) and not any(o in self.early for o in op.outputs)
        else:
            hidden = not any(o in self.graph.outputs for o in op.outputs) and all(u in region for u in users)
        closed = all(o in self.cut for o in op.outputs) and not (tail and op.kind in _HOSTS)
        return bool(users) and hidden and not closed

    def needs_host(self, region: Iterable[Op]) -> bool:
        """Whether any of its nodes is more than the chip does."""
        return any(op in self.host or any(o in self.dirty for o in op.outputs) for op in region)


def _is_numbers(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def form_regions(graph: Graph, digital: Collection[str] = ()) -> None:
    """Replaces what the chip does not do by itself by nodes of kind :data:`TABLE`, :data:`HOST` and :data:`TAIL`.

    ``digital`` are names of nodes that are the host's whatever they do.
    """
    find = _Finder(graph, digital)
    claimed: set[Op] = set()
    regions: dict[Op, list[Op]] = {}

    def put(kind: str, parts: list[Op], sink: Op) -> None:
        inside = {o for p in parts for o in p.outputs}
        inputs = list(dict.fromkeys(i for p in parts for i in graph.computed(p) if i not in inside))
        name = next((p for p in reversed(parts) if p in find.host), sink).name
        # A step makes one value: of a node that makes several, one for each.
        protos = [helper.make_node(kind, inputs, [o], name=name, domain="mho") for o in find.used(sink)]
        regions[sink] = [Op(proto, parts=tuple(parts)) for proto in protos]
        claimed.update(parts)

    for last in dict.fromkeys(find.makers[name] for name in graph.outputs if name in find.makers):
        if last not in find.array and not any(o in find.early for o in last.outputs):
            region = find.grown(last, set(), tail=True)
            if find.needs_host(region):
                put(TAIL, region, last)
    for op in reversed(graph.ops):
        if op in find.host and op not in claimed:
            put(HOST, find.grown(op, claimed), op)
    _tables(graph, find, claimed, regions)
    # What only regions take goes; of a value that the end takes more may be made before.
    graph.replace_ops(new for op in graph.ops for new in regions.get(op, [op]))
    graph.prune()


def _tables(graph: Graph, find: _Finder, claimed: set[Op], regions: dict[Op, list[Op]]) -> None:
    """Tables for the functions of one value that others than such functions take."""
    for op in [op for op in graph.ops if op not in claimed and op.outputs[0] in find.dirty]:
        (value,) = op.outputs
        users = find.users.get(value, [])
        if all(u.outputs[0] in find.root and u not in claimed for u in users) and value not in graph.outputs:
            continue
        root, parts, needed = find.root[value], [], {value}
        for candidate in reversed(graph.ops[: graph.ops.index(op) + 1]):
            if candidate.outputs[0] in needed and find.root.get(candidate.outputs[0]) == root:
                parts.append(candidate)
                needed.update(i for i in candidate.inputs if i != root)
        proto = helper.make_node(TABLE, [root], [value], name=op.name, domain="mho")
        regions[op] = [Op(proto, parts=tuple(reversed(parts)))]


def evaluated(op: Op, graph: Graph) -> Evaluated:
    """The step of a region."""
    names = {i for p in op.parts for i in p.inputs}
    constants = [numpy_helper.from_array(np.asarray(widen(v), order="C"), k) for k, v in graph.constants.items()
                 if k in names]
    inputs = [_info(name, graph, keep=op.kind != TABLE) for name in op.inputs]
    info = _info(op.outputs[0], graph, keep=op.kind == HOST)
    model = helper.make_model(
        helper.make_graph(
            [p.proto for p in op.parts], "step", inputs, [info], constants
        ),
        opset_imports=[helper.make_opsetid("", graph.opset)] + (
            [helper.make_opsetid(ML_DOMAIN, ML_OPSET)] if any(p.domain == ML_DOMAIN for p in op.parts) else []
        ),
        ir_version=10, producer_name="mho",
    )
    return Evaluated.of(model, pointwise=op.kind == TABLE)


def _info(name: str, graph: Graph, *, keep: bool) -> onnx.ValueInfoProto:
    dtype = graph.types[name]
    kind = helper.np_dtype_to_tensor_dtype(dtype) if keep and not is_float_type(dtype) else TensorProto.DOUBLE
    return helper.make_tensor_value_info(name, kind, graph.shapes[name])
