"""What each operator of ONNX makes at most, and costs, by the shapes of what it takes: see :mod:`.bounds`.

Dimensions of 0 count as 1, since a sum along them has elements again.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from mho.compiler.model.operators.bounds import LOOP, Bound, Rule, Taken, size_of, solid
from mho.compiler.model.windows import positions, transposed_pads, transposed_size


def _broadcast(*shapes: Sequence[int]) -> int:
    """Elements of what shapes broadcast to, or more."""
    rank = max(map(len, shapes), default=0)
    aligned = [[1] * (rank - len(s)) + [int(d) for d in s] for s in shapes]
    return solid([max(dims) for dims in zip(*aligned, strict=True)])


# Rules of many operators ----------------------------------------------------------------------------------------------


def each(ns: float) -> Rule:
    """Each element of the result from one of every input."""
    def rule(t: Taken) -> Bound:
        size = _broadcast(*(a.shape for a in t.there)) * max(1, len(t.node.output))
        return Bound(size, ns * size, 3 * size)
    return rule


def at_most(ns: float, results: int = 1) -> Rule:
    """No result has more elements than all inputs together: what moves, chooses, or sums along dimensions."""
    def rule(t: Taken) -> Bound:
        size = size_of(*t.there)
        return Bound(results * size, ns * size, 3 * size)
    return rule


def _with_parameters(ns: float) -> Rule:
    """Elements of the first input with parameters of channels, which must not make it larger."""
    def rule(t: Taken) -> Bound:
        data = t[0]
        size = solid(data.shape)
        for p in t.there[1:]:
            channels = data.shape[1] if data.ndim > 1 else 1
            if p.ndim > 1 or p.size not in (1, channels):
                size = max(size, min(_broadcast(data.shape, p.shape), size * solid(p.shape)))
                size *= 1 if _broadcast(data.shape, p.shape) <= solid(data.shape) else solid(p.shape)
        return Bound(size * max(1, len(t.node.output)), ns * size, 4 * size)
    return rule


def made(count: Callable[[Taken], float], ns: float) -> Rule:
    """A result of so many elements."""
    def rule(t: Taken) -> Bound:
        size = max(1.0, float(count(t)))
        inputs = size_of(*t.there)
        return Bound(size, ns * (size + inputs), size + inputs)
    return rule


def _range(t: Taken) -> float:
    first, end, step = (float(np.ravel(t[k])[0]) for k in range(3))
    return abs((end - first) / step) + 1 if step else 1


def _gathered(t: Taken) -> float:
    axis, data = int(t.attrs.get("axis", 0)), t[0]
    rest = [d for k, d in enumerate(data.shape) if k != axis % max(data.ndim, 1)]
    return solid(rest) * size_of(t[1])


def _padded(t: Taken) -> float:
    data, before = t[0], t.attrs.get("pads", t.attrs.get("paddings"))
    pads = [int(p) for p in before] if before is not None else t.whole(1)
    axes = [int(a) % data.ndim for a in np.ravel(extra)] if (extra := t.get(3)) is not None else list(range(data.ndim))
    dims = list(data.shape)
    for k, pad in enumerate(pads):
        dims[axes[k % len(axes)]] += max(0, pad)
    return solid(dims)


def _resized(t: Taken) -> float:
    data = t[0]
    axes = [int(a) % data.ndim for a in t.attrs.get("axes", range(data.ndim))]
    last = next((a for a in reversed(t.there[1:]) if a.size), None)
    if last is None:
        last = np.asarray(t.attrs.get("scales", [1.0] * data.ndim))
    dims = [float(max(1, d)) for d in data.shape]
    for axis, number in zip(axes, np.ravel(last).astype(np.float64), strict=False):
        dims[axis] = max(1.0, abs(number)) if last.dtype.kind in "iu" else dims[axis] * max(1.0, abs(number))
    size = math.prod(dims)
    return size if math.isfinite(size) else 1e30


def _cropped(t: Taken) -> float:
    data, sizes = t[0], t.whole(1)
    axes = [int(a) % data.ndim for a in t.attrs.get("axes", range(data.ndim))]
    return solid(data.shape) * solid(sizes[: len(axes)])


def _gathered_nd(t: Taken) -> Bound:
    data, index, batch = t[0], t[1], int(t.attrs.get("batch_dims", 0))
    count = solid(index.shape[:-1])
    size = count * solid(data.shape[batch + (index.shape[-1] if index.ndim else 0) :])
    return Bound(size, LOOP * count + 10 * size, size)


def _scattered(t: Taken) -> Bound:
    size, count = size_of(t[0]), size_of(t[1])
    return Bound(size, LOOP * count + 10 * size, size + count)


def _kernel(t: Taken) -> list[int]:
    """The kernel of a convolution."""
    dims = [int(d) for d in t[1].shape[2:]]
    if [int(d) for d in t.attrs.get("kernel_shape", dims)] != dims or t[0].ndim != t[1].ndim or t[0].ndim < 3:
        raise ValueError("its kernel_shape does not fit its weights, or these its input")
    return dims


def _convolved(t: Taken) -> Bound:
    x, w = t[0], t[1]
    reach, _, counts = positions(x.shape[2:], _kernel(t), t.attrs)
    places, rows = solid(counts), solid(x.shape[1:2]) * solid(reach)
    batch, size = solid(x.shape[:1]), solid(x.shape[:1]) * solid(w.shape[:1]) * places
    # Columns of all windows, with an index for each dimension; the kernel with its gaps.
    scratch = rows * places * (batch + len(reach)) + solid(w.shape[:2]) * solid(reach)
    products = size * solid(w.shape[1:2]) * solid(reach)
    return Bound(size, 30 * scratch + 1.5 * products, scratch)


def _transposed(t: Taken) -> Bound:
    x, w, groups = t[0], t[1], max(1, int(t.attrs.get("group", 1)))
    kernel = _kernel(t)
    full, pads = (of(x.shape[2:], kernel, t.attrs) for of in (transposed_size, transposed_pads))
    size_made = [max(n, n - a - b) for n, a, b in zip(full, pads, pads[len(full) :], strict=False)]
    channels, batch = solid(w.shape[1:2]) * groups, solid(x.shape[:1])
    size, work = batch * channels * solid(size_made), batch * channels * solid(kernel) * solid(x.shape[2:])
    return Bound(size, (60.0 + 1.5 * solid(x.shape[1:2])) * work + 10 * size, 2 * size + 2 * work)


def _pooled(t: Taken) -> Bound:
    data, kernel = t[0], [int(k) for k in t.attrs.get("kernel_shape", ())]
    _, _, counts = positions(data.shape[2:], kernel, t.attrs)
    size, each_of = solid(data.shape[:2]) * solid(counts), solid(kernel)
    several = len([o for o in t.node.output if o]) > 1
    return Bound(size * (2 if several else 1), size * each_of * (LOOP if several else 80.0), 2 * size * each_of)


def _unpooled(t: Taken) -> Bound:
    kernel = [int(k) for k in t.attrs.get("kernel_shape", ())]
    size_made = transposed_size(t[0].shape[2:], kernel, t.attrs)
    requested = t.whole(2) if t.get(2) is not None else [1]
    size = max(solid(t[0].shape[:2]) * solid(size_made), solid(requested))
    return Bound(2 * size, LOOP * size_of(t[0]) + 10 * size, 2 * size)


def _in_columns(t: Taken) -> Bound:
    size = size_of(t[0]) * solid(t.whole(1))
    return Bound(size, 2 * LOOP * size_of(t[0]) + 10 * size, size)


def _on_grid(t: Taken) -> Bound:
    points = solid(t[1].shape[1:-1]) * solid(t[0].shape[:2])
    return Bound(points, 100 * LOOP * points, points)


def _product(t: Taken) -> Bound:
    """MatMul, in all of its forms."""
    b = t[3] if t.node.op_type == "QLinearMatMul" else t[1]
    left, right = t[0].shape, b.shape
    left, right = (1, *left) if len(left) < 2 else left, (*right, 1) if len(right) < 2 else right
    size = _broadcast(left[:-2], right[:-2]) * solid(left[-2:-1]) * solid(right[-1:])
    return Bound(size, 1.5 * size * max(1, left[-1]) + 30 * size_of(t[0], b), 2 * size + size_of(t[0], b))


def _general_product(t: Taken) -> Bound:
    left, right = (t[k].shape[:: -1 if t.attrs.get(name, 0) else 1] for k, name in ((0, "transA"), (1, "transB")))
    added = t.get(2)
    shape = (*left[:1], *right[-1:])
    size = _broadcast(shape, added.shape if added is not None else (1,))
    return Bound(size, 1.5 * solid(shape) * solid(left[-1:]) + 30 * size, 3 * size)


def _einsum(t: Taken) -> Bound:
    inputs, arrow, result = t.attrs.get("equation", b"").decode().replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(t.there):
        raise ValueError(f"its equation has {len(terms)} terms for {len(t.there)} values")
    sizes: dict[str, int] = {}
    rest = 1
    for term, array in zip(terms, t.there, strict=True):
        first, dots, last = term.partition("...")
        dims = array.shape
        if len(first) + len(last) > len(dims) or (not dots and len(first) != len(dims)):
            raise ValueError(f"its term {term!r} does not fit {len(dims)} dimensions")
        pairs = [*zip(first, dims, strict=False), *zip(last[::-1], dims[::-1], strict=False)]
        for letter, size in pairs:
            sizes[letter] = max(sizes.get(letter, 1), int(size))
        rest = max(rest, 1) * (solid(dims[len(first) : len(dims) - len(last)]) if dots else 1)
    once = {c for c in "".join(terms) if "".join(terms).count(c) == 1} - {"."}
    letters = result.replace("...", "") if arrow else once
    size = rest * math.prod(sizes.get(c, 1) for c in letters)
    return Bound(size, 10 * rest * math.prod(sizes.values()), 2 * max(size, size_of(*t.there)))


def _recurrent(t: Taken) -> Bound:
    x, w, r = t[0], t[1], t[2]
    steps, batch, hidden = solid(x.shape[:1]), solid(x.shape[1:2]), solid(r.shape[-1:])
    if int(t.attrs.get("layout", 0)):
        steps, batch = batch, steps
    ways = solid(w.shape[:1])
    size = (steps + 2) * batch * ways * hidden
    products = steps * batch * (size_of(w) + size_of(r))
    return Bound(size, steps * ways * 40 * LOOP + products, 3 * size)


def _attention(t: Taken) -> Bound:
    q, k, v = t[0], t[1], t[2]
    past = t.get(4)
    heads = int(q.shape[1]) if q.ndim == 4 else max(1, int(t.attrs.get("q_num_heads", 1)))
    if q.ndim not in (3, 4) or heads > max(1, q.shape[-1] * (q.shape[1] if q.ndim == 4 else 1)):
        raise ValueError("its heads do not fit its queries")
    keys = int(k.shape[-2]) + (int(past.shape[-2]) if past is not None else 0)
    scores = solid(q.shape[:1]) * heads * solid(q.shape[-2:-1]) * max(1, keys)
    mask = t.get(3)
    scores = max(scores, 1 if mask is None else _broadcast(mask.shape, (*q.shape[:1], heads, q.shape[-2], keys)))
    # Keys and values are repeated for the queries of a group.
    inputs = size_of(*t.there) + heads * size_of(k, v)
    return Bound(inputs + scores, scores * (40 + q.shape[-1] + v.shape[-1]) + 20 * inputs, 6 * scores + 2 * inputs)


def _local(t: Taken) -> Bound:
    """LRN: sums of as many channels as it says."""
    size, span = size_of(t[0]), max(1, int(t.attrs.get("size", 1)))
    wide = size // max(1, solid(t[0].shape[1:2])) * (solid(t[0].shape[1:2]) + span)
    return Bound(size, 10.0 * size * span, 3 * wide)


def _quantised(t: Taken) -> Bound:
    """Scales may be of blocks."""
    size = max(size_of(t[0]), size_of(*t.there[1:]) * max(1, abs(int(t.attrs.get("block_size", 1)))))
    return Bound(size, 100 * size, 3 * size)


def _determinant(t: Taken) -> Bound:
    size = size_of(t[0])
    return Bound(size, 50.0 * size * max(1, t[0].shape[-1] if t[0].ndim else 1), 2 * size)


def _eye(t: Taken) -> float:
    data = t[0]
    return solid(data.shape) ** (2 if data.ndim < 2 else 1)


def _constant(t: Taken) -> Bound:
    if "sparse_value" in t.attrs:
        raise ValueError("its value is sparse; a dense one is supported")
    return Bound(t.node.ByteSize(), 10.0 * t.node.ByteSize())


def _spectra(t: Taken) -> float:
    """STFT: two parts of each frame."""
    length = t.whole(3)[0] if t.get(3) is not None else solid(t[2].shape)
    frames = max(0, t[0].shape[1] - length) // max(1, t.whole(1)[0]) + 1
    return 2.0 * solid(t[0].shape[:1]) * frames * length


BOUNDS: dict[str, Rule] = {
    **dict.fromkeys((
        *("Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Clip", "Div", "Equal", "Greater"),
        *("GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "Pow", "Sub", "Sum"),
        *("SwiGLU", "Where", "Xor"),
    ), each(60)),
    **dict.fromkeys((
        *("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Cos"),
        *("Cosh", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN"),
        *("LeakyRelu", "Log", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin"),
        *("Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"),
    ), each(60)),
    **dict.fromkeys(("Gelu", "Mish"), each(600)),
    **dict.fromkeys((
        *("ArgMax", "ArgMin", "Compress", "Concat", "CumProd", "CumSum", "DepthToSpace", "Flatten"),
        *("GlobalAveragePool", "GlobalMaxPool", "Hardmax", "LogSoftmax", "LpNormalization"),
        *("MeanVarianceNormalization", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax"),
        *("ReduceMean", "ReduceMin", "ReduceProd"),
        *("ReduceSum", "ReduceSumSquare", "Reshape", "Shape", "Size", "Slice", "Softmax", "SpaceToDepth", "Split"),
        *("Squeeze", "Transpose", "Trilu", "Unsqueeze"),
    ), at_most(50)),
    "Cast": at_most(3000), "CastLike": at_most(3000), "Dropout": at_most(100, 2), "TopK": at_most(1000, 2),
    "Unique": at_most(1000, 4), "ReverseSequence": at_most(LOOP), "DynamicQuantizeLinear": at_most(200, 2),
    "NonZero": lambda t: Bound(size_of(t[0]) * max(1, t[0].ndim), 100.0 * size_of(t[0]) * max(1, t[0].ndim)),
    **dict.fromkeys((
        *("BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "PRelu"),
        *("RMSNormalization", "RotaryEmbedding"),
    ), _with_parameters(60)),
    "Expand": made(lambda t: _broadcast(t[0].shape, t.whole(1)), 20),
    "Tile": made(lambda t: size_of(t[0]) * solid(t.whole(1)), 20), "Range": made(_range, 20),
    "ConstantOfShape": made(lambda t: solid(t.whole(0)), 20), "EyeLike": made(_eye, 20),
    "OneHot": made(lambda t: size_of(t[0]) * max(1, int(np.ravel(t[1])[0])), 300), "Gather": made(_gathered, 20),
    "GatherElements": made(lambda t: size_of(t[1]), 300), "Pad": made(_padded, 50),
    "Resize": made(_resized, 500), "Upsample": made(_resized, 500), "CenterCropPad": made(_cropped, 50),
    **dict.fromkeys(("BlackmanWindow", "HannWindow", "HammingWindow"), made(lambda t: max(1, *t.whole(0)), 300)),
    "STFT": made(_spectra, 600),
    "GatherND": _gathered_nd, **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND"), _scattered),
    **dict.fromkeys(("Conv", "ConvInteger"), _convolved), "ConvTranspose": _transposed,
    "QLinearConv": lambda t: _convolved(Taken(t.node, [t[0], t[3]], t.attrs)),
    **dict.fromkeys(("AveragePool", "LpPool", "MaxPool"), _pooled), "MaxUnpool": _unpooled, "Col2Im": _in_columns,
    "GridSample": _on_grid, **dict.fromkeys(("MatMul", "MatMulInteger", "QLinearMatMul"), _product),
    "Gemm": _general_product, "Einsum": _einsum, **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
    "Attention": _attention, "LRN": _local, "Det": _determinant, "Constant": _constant,
    **dict.fromkeys(("DequantizeLinear", "QuantizeLinear"), _quantised),
}
"""Operators of ONNX that may run, no loops, no random numbers, no text, no files: what each makes at most."""
