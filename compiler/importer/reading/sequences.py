"""Sequences, taken apart: which value is where is known once shapes are. What is drawn at random is known, too."""

from collections.abc import Callable
from zlib import crc32

import numpy as np

from mho.compiler.importer.graph import Graph, Op, integers
from mho.compiler.types import Array


def _position(op: Op, graph: Graph, place: int, default: int) -> int:
    name = op.inputs[place] if len(op.inputs) > place else ""
    if name and name not in graph.constants:
        raise ValueError("its position is computed; a constant one is supported")
    return int(graph.constants[name].reshape(-1)[0]) if name else default


def _made(op: Op, graph: Graph, names: list[str]) -> list[Op]:
    """Nothing, but that a sequence holds these values from now on."""
    if op.first in graph.outputs:
        raise ValueError("it makes an output of the model; a sequence is supported on the way")
    graph.sequences[op.first] = names
    return []


def _inserted(op: Op, graph: Graph) -> list[Op]:
    names = list(graph.sequences[op.inputs[0]])
    names.insert(_position(op, graph, 2, len(names)), op.inputs[1])
    return _made(op, graph, names)


def _split(op: Op, graph: Graph) -> list[Op]:
    """SplitToSequence, by choices of elements."""
    x, axis, ops = op.inputs[0], int(op.attrs.get("axis", 0)), list[Op]()
    length = (graph.constants[x].shape if x in graph.constants else graph.shapes[x])[axis]
    given = op.inputs[1] if len(op.inputs) > 1 else ""
    if given and given not in graph.constants:
        raise ValueError("its sizes are computed; constant ones are supported")
    sizes: Array = graph.constants[given] if given else np.ones((), np.int64)
    if not sizes.ndim:
        ends = np.append(np.arange(int(sizes), length, max(int(sizes), 1)), length)
    else:
        ends = np.cumsum(integers(sizes, "its sizes"))
    for k, (first, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        index = np.arange(first, end) if given or op.attrs.get("keepdims", 1) else np.array(first)
        ops.append(Op.make("Gather", [x, graph.constant(op, f"{k}i", index)], [f"{op.first}/{k}"], axis=axis))
    _made(op, graph, [part.first for part in ops])
    return ops


def _joined(op: Op, graph: Graph) -> list[Op]:
    """ConcatFromSequence."""
    names, axis = graph.sequences[op.inputs[0]], int(op.attrs["axis"])
    if op.attrs.get("new_axis", 0):
        return graph.stacked(names, op.outputs[0], axis)
    return [Op.make("Concat", names, op.outputs, op.name, axis=axis)]


def _length(op: Op, graph: Graph) -> list[Op]:
    number = graph.constant(op, "length", np.array(len(graph.sequences[op.inputs[0]]), np.int64))
    return [Op.make("Identity", [number], op.outputs)]


def _at(op: Op, graph: Graph) -> list[Op]:
    return [Op.make("Identity", [graph.sequences[op.inputs[0]][_position(op, graph, 1, 0)]], op.outputs, op.name)]


def _same(op: Op, graph: Graph) -> list[Op] | None:
    """Identity of a sequence, as loops have it."""
    names = graph.sequences.get(op.inputs[0])
    return None if names is None else _made(op, graph, names)


def _drawn(op: Op, graph: Graph) -> list[Op]:
    """Numbers at random, the same for each input, by the seed that the node has or by its name."""
    of = op.inputs[0] if op.inputs else ""
    shape = tuple(op.attrs["shape"]) if not of else (
        graph.constants[of].shape if of in graph.constants else graph.shapes[of])
    graph.warnings.append(f"node {op.name!r} ({op.kind}) draws at random: here the same numbers for every input; make "
                          "them an input of the model to give others")
    seed = np.float32(op.attrs["seed"]).view(np.uint32) if "seed" in op.attrs else crc32(op.first.encode())
    rng, sample = np.random.default_rng(int(seed)), shape[1:] if of else shape
    if "Normal" in op.kind:
        value = rng.normal(op.attrs.get("mean", 0.0), op.attrs.get("scale", 1.0), sample)
    else:
        value = rng.uniform(op.attrs.get("low", 0.0), op.attrs.get("high", 1.0), sample)
    name = graph.constant(op, "drawn", np.broadcast_to(value, shape).astype(np.float32))
    return [Op.make("Identity", [name], op.outputs, op.name)]


SEQUENCES: dict[str, Callable[[Op, Graph], "list[Op] | None"]] = {
    "SequenceConstruct": lambda op, graph: _made(op, graph, list(op.inputs)),
    "SequenceEmpty": lambda op, graph: _made(op, graph, []), "SequenceInsert": _inserted, "SequenceAt": _at,
    "SequenceLength": _length, "SplitToSequence": _split, "ConcatFromSequence": _joined, "Identity": _same,
}
RANDOM: dict[str, Callable[[Op, Graph], list[Op]]] = dict.fromkeys(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _drawn)
"""By operator: (node, graph) -> nodes in its place."""
