"""Operators of ONNX as C: what the host does between layers, in double precision.

What an operator takes of what is known when it is written down: moves of elements are tables of places, sums and the
largest of some are loops over such tables. An operator without a form here is named and refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.operators.run import run_node, widen
from mho.compiler.model.windows import windows
from mho.macro_models.integer.vector import PAD
from mho.sim.export.c_text import Code, NoFormError, number

Array = NDArray[Any]
MOST_PLACES = 1 << 20
"""Entries of a table of places."""

UNARY = {
    "Abs": "fabs(x)", "Ceil": "ceil(x)", "Cos": "cos(x)", "Erf": "erf(x)", "Exp": "exp(x)", "Floor": "floor(x)",
    "HardSwish": "x * fmax(0.0, fmin(1.0, x / 6.0 + 0.5))", "Log": "log(x)", "Neg": "-x", "Reciprocal": "1.0 / x",
    "Relu": "x > 0.0 ? x : 0.0", "Round": "rint(x)", "Sigmoid": "1.0 / (1.0 + exp(-x))",
    "Sign": "x > 0.0 ? 1.0 : x < 0.0 ? -1.0 : 0.0", "Sin": "sin(x)", "Softplus": "log1p(exp(x))",
    "Softsign": "x / (1.0 + fabs(x))", "Sqrt": "sqrt(x)", "Tan": "tan(x)", "Tanh": "tanh(x)",
}
"""Functions of one element ``x``."""
SEVERAL = {
    "Add": "a + b", "Sub": "a - b", "Mul": "a * b", "Div": "a / b", "Pow": "pow(a, b)", "Max": "fmax(a, b)",
    "Min": "fmin(a, b)", "Sum": "a + b", "Mean": "a + b",
}
"""Functions of elements of two values, of more from left to right."""
MOVES = frozenset((
    *("Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GatherElements", "Identity", "Reshape"),
    *("Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
))
"""Operators whose elements are elements of what they take; how many of what they take are data: all of Concat."""
REDUCED = {
    "ReduceMax": ("fmax(s, x)", "s"), "ReduceMin": ("fmin(s, x)", "s"), "ReduceSum": ("s + x", "s"),
    "ReduceMean": ("s + x", "s / n"), "ReduceProd": ("s * x", "s"), "ReduceL1": ("s + fabs(x)", "s"),
    "ReduceSumSquare": ("s + x * x", "s"), "ReduceL2": ("s + x * x", "sqrt(s)"),
    "GlobalAveragePool": ("s + x", "s / n"), "GlobalMaxPool": ("fmax(s, x)", "s"),
    "MaxPool": ("fmax(s, x)", "s"), "AveragePool": ("s + x", "s / n"),
}
"""How element ``x`` joins ``s``, and what is made of that in the end, ``n`` being how many."""
FIRST = {"fmax(s, x)": "-HUGE_VAL", "fmin(s, x)": "HUGE_VAL", "s * x": "1.0"}
"""What ``s`` begins with, else 0."""


@dataclass(frozen=True)
class Value:
    """An array of doubles in C, or numbers that are known; ``sample`` has its shape."""

    name: str
    sample: Array
    known: bool = False


def operators_in_c(step: Evaluated, code: Code, source: str) -> str:
    """Writes the operators of a step, which takes an array of doubles; returns the name of the array that it makes.

    Raises NoFormError if an operator has no form in C, with its name.
    """
    graph = step.proto.graph
    opset = next(o.version for o in step.proto.opset_import if o.domain in ("", "ai.onnx"))
    rng = np.random.default_rng(0)
    values = {t.name: Value("", widen(numpy_helper.to_array(t)), known=True) for t in graph.initializer}
    first = 0
    for value, dims in zip(graph.input, step.dims, strict=True):
        if value.type.tensor_type.elem_type != onnx.TensorProto.DOUBLE:
            raise NoFormError("whole numbers")
        sample = rng.uniform(0.5, 1.5, dims)
        values[value.name] = Value(f"({source} + {first})" if first else source, sample)
        first += sample.size
    for node in graph.node:
        inputs = [values[name] if name else None for name in node.input]
        results = run_node(node, [None if value is None else value.sample for value in inputs], opset)
        outputs = [
            (name, result) for name, result in zip(node.output, results, strict=True) if name and result is not None
        ]
        if all(value is None or value.known for value in inputs):
            values |= {name: Value("", result, known=True) for name, result in outputs}
            continue
        for k, (name, sample) in enumerate(outputs):
            values[name] = Value(_made(node, inputs, sample, k, opset, code), sample)
    last = values[graph.output[0].name]
    return code.numbers(last.sample) if last.known else last.name


def _made(
    node: onnx.NodeProto, inputs: Sequence[Value | None], sample: Array, output: int, opset: int, code: Code
) -> str:
    """What writes one output of a node; returns its name."""
    kind, attrs = node.op_type, {a.name: helper.get_attribute_value(a) for a in node.attribute}
    data = [value for value in inputs if value is not None]
    if kind in MOVES or (kind == "Cast" and sample.dtype == np.float64):
        return _moved(node, inputs, sample, output, opset, code)
    if sample.dtype != np.float64 or output:
        raise NoFormError(kind)
    if kind in SEVERAL:
        return _joined(kind, data, sample, code)
    if kind in REDUCED:
        return _reduced(kind, data, sample, attrs, code)
    if kind in ("Softmax", "LogSoftmax"):
        return _softmax(kind, data[0], attrs, opset, code)
    if kind in ("MatMul", "Gemm"):
        return _product(kind, data, sample, attrs, code)
    if kind in ("InstanceNormalization", "LayerNormalization"):
        return _standardised(kind, data, attrs, code)
    if kind == "BatchNormalization":
        return _normalised(data, attrs, code)
    return code.each(sample.size, f"{{ const double x = {data[0].name}[k]; to[k] = {_function(kind, data, attrs)}; }}")


def _function(kind: str, data: Sequence[Value], attrs: dict[str, Any]) -> str:
    """A function of the element ``x``."""
    if kind == "LeakyRelu":
        return f"x > 0.0 ? x : {number(attrs.get('alpha', 0.01))} * x"
    if kind == "Elu":
        return f"x > 0.0 ? x : {number(attrs.get('alpha', 1.0))} * expm1(x)"
    if kind == "HardSigmoid":
        return f"fmax(0.0, fmin(1.0, {number(attrs.get('alpha', 0.2))} * x + {number(attrs.get('beta', 0.5))}))"
    if kind == "Clip":
        ends = [float(value.sample.reshape(-1)[0]) for value in data[1:] if value.known]
        if len(ends) == 2 and len(data) == 3:
            return f"fmax({number(ends[0])}, fmin({number(ends[1])}, x))"
    if kind not in UNARY or len(data) != 1:
        raise NoFormError(kind)
    return UNARY[kind]


def _array(value: Value, code: Code) -> str:
    return code.numbers(value.sample) if value.known else value.name


def _element(value: Value, shape: Sequence[int], code: Code) -> str:
    """Element ``k`` of a value that is broadcast to a shape."""
    if value.known and value.sample.size == 1:
        return number(float(value.sample.reshape(-1)[0]))
    places = np.broadcast_to(np.arange(value.sample.size).reshape(value.sample.shape), shape).reshape(-1)
    return f"{_array(value, code)}[{code.place(places)}]"


def _joined(kind: str, data: Sequence[Value], sample: Array, code: Code) -> str:
    rest = [f"b = {_element(value, sample.shape, code)}; a = {SEVERAL[kind]};" for value in data[1:]]
    end = f"a / {number(float(len(data)))}" if kind == "Mean" else "a"
    both = "double a, b = 0.0; (void)b;"
    return code.each(sample.size, f"{{ {both} a = {_element(data[0], sample.shape, code)}; "
                                  f"{' '.join(rest)} to[k] = {end}; }}")


def _moved(
    node: onnx.NodeProto, inputs: Sequence[Value | None], sample: Array, output: int, opset: int, code: Code
) -> str:
    """Elements by their places, which the operator itself moves."""
    every = len(inputs) if node.op_type == "Concat" else 1
    first, numbered = 1, list[Array | None]()
    for k, value in enumerate(inputs):
        if value is None or k >= every:
            if value is not None and not value.known:
                raise NoFormError(node.op_type)
            numbered.append(None if value is None else value.sample)
            continue
        numbered.append(np.arange(first, first + value.sample.size, dtype=np.float64).reshape(value.sample.shape))
        first += value.sample.size
    moved = run_node(node, numbered, opset)[output]
    assert moved is not None
    places = moved.reshape(-1).astype(np.int64) - 1
    if not 0 <= places.min(initial=0) <= places.max(initial=0) < first - 1:
        raise NoFormError(node.op_type)
    data = [value for value in inputs[:every] if value is not None]
    if len(data) == 1 and np.array_equal(places, np.arange(len(places))):
        return _array(data[0], code)
    name, begin = code.doubles(len(places)), 0
    for value in data:
        here = np.flatnonzero((places >= begin) & (places < begin + value.sample.size))
        if here.size:
            from_ = f"{_array(value, code)}[{code.place(places[here] - begin)}]"
            code.loop(len(here), f"{name}[{code.place(here)}] = {from_};")
        begin += value.sample.size
    return name


def _reduced(kind: str, data: Sequence[Value], sample: Array, attrs: dict[str, Any], code: Code) -> str:
    """Sums, the largest, and others of groups of elements."""
    shape = data[0].sample.shape
    numbers = np.arange(data[0].sample.size).reshape(shape)
    count = ""
    if kind in ("MaxPool", "AveragePool"):
        places = windows(shape[2:], [int(k) for k in attrs["kernel_shape"]], attrs)
        size = int(np.prod(shape[2:]))
        groups = np.concatenate([np.where(places.index == PAD, -1, places.index + size * k)
                                 for k in range(int(np.prod(shape[:2])))])
        counted = places.inside if attrs.get("count_include_pad", 0) else places.index != PAD
        count = code.numbers(np.tile(counted.sum(axis=1).astype(np.float64), int(np.prod(shape[:2])))) + "[k]"
    else:
        axes = _axes(kind, data, attrs, len(shape))
        remaining = [k for k in range(len(shape)) if k not in axes]
        groups = numbers.transpose(*remaining, *axes).reshape(sample.size, -1)
    if groups.size > MOST_PLACES:
        raise NoFormError(f"{kind} of {groups.size} elements")
    join, end = REDUCED[kind]
    at = code.place(groups.reshape(-1), f"{groups.shape[1]}u * k + j")
    inside = f"if ({at} < 0) continue;\n      " if (groups < 0).any() else ""
    return code.each(sample.size, f"""{{
    double s = {FIRST.get(join, '0.0')};
    const double n = {count or number(float(groups.shape[1]))};
    uint32_t j;
    for (j = 0; j < {groups.shape[1]}u; j++) {{
      double x;
      {inside}x = {_array(data[0], code)}[{at}];
      s = {join};
    }}
    (void)n;
    to[k] = {end};
  }}""")


def _axes(kind: str, data: Sequence[Value], attrs: dict[str, Any], rank: int) -> list[int]:
    if kind.startswith("Global"):
        return list(range(2, rank))
    axes = attrs.get("axes")
    if axes is None and len(data) > 1:
        if not data[1].known:
            raise NoFormError(kind)
        axes = data[1].sample.reshape(-1).tolist()
    if not axes:
        return [] if attrs.get("noop_with_empty_axes", 0) else list(range(rank))
    return sorted(int(a) % rank for a in axes)


def _softmax(kind: str, data: Value, attrs: dict[str, Any], opset: int, code: Code) -> str:
    shape = data.sample.shape
    axis = int(attrs.get("axis", -1 if opset >= 13 else 1)) % len(shape)
    axes = [axis] if opset >= 13 else list(range(axis, len(shape)))
    remaining = [k for k in range(len(shape)) if k not in axes]
    groups = np.arange(data.sample.size).reshape(shape).transpose(*remaining, *axes).reshape(-1, int(np.prod([
        shape[k] for k in axes])))
    name, at = code.doubles(data.sample.size), code.place(groups.reshape(-1), f"{groups.shape[1]}u * k + j")
    end = f"exp(x[{at}] - most) / s" if kind == "Softmax" else f"x[{at}] - most - log(s)"
    loop = f"for (j = 0; j < {groups.shape[1]}u; j++)"
    code.loop(len(groups), f"""{{
    const double *x = {data.name};
    double most = -HUGE_VAL, s = 0.0;
    uint32_t j;
    {loop} most = fmax(most, x[{at}]);
    {loop} s += exp(x[{at}] - most);
    {loop} {name}[{at}] = {end};
  }}""")
    return name


def _product(kind: str, data: Sequence[Value], sample: Array, attrs: dict[str, Any], code: Code) -> str:
    """Products of matrices, of which none, one or both are computed."""
    left, right = (np.asarray(np.arange(value.sample.size).reshape(value.sample.shape)) for value in data[:2])
    alpha, beta = (float(attrs.get(name, 1.0)) if kind == "Gemm" else 1.0 for name in ("alpha", "beta"))
    if kind == "Gemm":
        left, right = (a.T if attrs.get(key, 0) else a for a, key in ((left, "transA"), (right, "transB")))
    left, right = left[None] if left.ndim == 1 else left, right[:, None] if right.ndim == 1 else right
    stack = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    inner = left.shape[-1]
    rows = np.broadcast_to(left, (*stack, *left.shape[-2:])).reshape(-1, inner)
    columns = np.broadcast_to(right, (*stack, *right.shape[-2:])).swapaxes(-1, -2).reshape(-1, inner)
    if rows.size + columns.size > MOST_PLACES:
        raise NoFormError(f"{kind} of {rows.size + columns.size} elements")
    high, wide = left.shape[-2], right.shape[-1]
    row, column = f"(k / {wide}u)", f"(k / {high * wide}u * {wide}u + k % {wide}u)"
    at = (code.place(rows.reshape(-1), f"{row} * {inner}u + j"),
          code.place(columns.reshape(-1), f"{column} * {inner}u + j"))
    added = ""
    if len(data) > 2:
        added = f" + {number(beta)} * {_element(data[2], sample.shape, code)}"
    return code.each(sample.size, f"""{{
    double s = 0.0;
    uint32_t j;
    for (j = 0; j < {inner}u; j++) s += {_array(data[0], code)}[{at[0]}] * {_array(data[1], code)}[{at[1]}];
    to[k] = {number(alpha)} * s{added};
  }}""")


def _standardised(kind: str, data: Sequence[Value], attrs: dict[str, Any], code: Code) -> str:
    """Groups of elements of mean 0 and deviation 1, then factors and sums of channels or of the last dimensions."""
    shape, layer = data[0].sample.shape, kind == "LayerNormalization"
    if not all(value.known for value in data[1:]):
        raise NoFormError(kind)
    first = int(attrs.get("axis", -1)) % len(shape) if layer else 2
    width = int(np.prod(shape[first:]))
    rest = [constant.sample if layer else constant.sample.reshape(-1, *[1] * (len(shape) - 2)) for constant in data[1:]]
    pair = [_element(Value("", np.broadcast_to(constant, shape).copy(), known=True), shape, code) for constant in rest]
    gain, bias = (text.replace("[k]", f"[{width}u * k + j]") for text in (*pair, "0.0")[:2])
    name, loop = code.doubles(data[0].sample.size), f"for (j = 0; j < {width}u; j++)"
    code.loop(data[0].sample.size // width, f"""{{
    const double *x = {data[0].name} + {width}u * k;
    double mean = 0.0, s = 0.0;
    uint32_t j;
    {loop} mean += x[j] / {number(float(width))};
    {loop} s += (x[j] - mean) * (x[j] - mean) / {number(float(width))};
    s = sqrt(s + {number(attrs.get('epsilon', 1e-5))});
    {loop} {name}[{width}u * k + j] = (x[j] - mean) / s * {gain} + {bias};
  }}""")
    return name


def _normalised(data: Sequence[Value], attrs: dict[str, Any], code: Code) -> str:
    x, rest = data[0], [value.sample for value in data[1:]]
    if not all(value.known for value in data[1:]) or len(rest) != 4:
        raise NoFormError("BatchNormalization")
    scale, bias, mean, variance = rest
    gain = scale / np.sqrt(variance + float(attrs.get("epsilon", 1e-5)))
    shape = [1, -1, *[1] * (x.sample.ndim - 2)]
    pair = [_element(Value("", constant.reshape(shape), known=True), x.sample.shape, code)
            for constant in (gain, bias - mean * gain)]
    return code.each(x.sample.size, f"to[k] = {x.name}[k] * {pair[0]} + {pair[1]};")


