"""Graphs inside of nodes, written out: the branch of an If that is taken, the iterations of a Loop or Scan.

Which branch and how many iterations have to be constant once shapes are known. Iterations are written out one at a
time, since whether there is another one may be known only when the last one has been evaluated: what is left of a loop
is a loop again, with the number of its next iteration and the values that it has stacked so far.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from mho.compiler.importer.graph import Graph, Op
from mho.compiler.types import Array

MOST_ITERATIONS = 1024


def _inlined(
    body: onnx.GraphProto, names: dict[str, str], at: str, within: str, constants: dict[str, Array]
) -> tuple[list[Op], list[str]]:
    """The nodes of a graph, and the names of its outputs.

    ``names`` are those of its inputs; ``at`` stands before the names of its values, ``within`` of its constants.
    """
    names = names | {name: f"{at}/{name}" for node in body.node for name in node.output if name}
    for tensor in body.initializer:
        names[tensor.name] = f"{within}/{tensor.name}"
        if names[tensor.name] not in constants:
            constants[names[tensor.name]] = numpy_helper.to_array(tensor)
    nodes = []
    for node in body.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [names.get(i, i) for i in node.input]
        copy.output[:] = [names.get(o, o) for o in node.output]
        for attribute in copy.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, names)
        nodes.append(Op(copy))
    return nodes, [names.get(output.name, output.name) for output in body.output]


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """What a graph inside of another one takes from it, by its new names."""
    for node in graph.node:
        node.input[:] = [names.get(i, i) for i in node.input]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, names)
    for output in graph.output:
        output.name = names.get(output.name, output.name)


def _same(sources: Sequence[str], targets: Sequence[str]) -> list[Op]:
    return [Op.make("Identity", [name], [output]) for name, output in zip(sources, targets, strict=True) if output]


def _branch(op: Op, graph: Graph) -> list[Op]:
    """The nodes of the branch of an If that its constant condition chooses."""
    condition = graph.constants.get(op.inputs[0])
    if condition is None:
        raise ValueError("its condition is computed; a constant one is supported, or Where in its place")
    body: onnx.GraphProto = op.attrs["then_branch" if condition.reshape(-1)[0] else "else_branch"]
    nodes, ends = _inlined(body, {}, op.outputs[0], op.outputs[0], graph.constants)
    return nodes + _same(ends, op.outputs)


def _loop(op: Op, graph: Graph) -> list[Op]:
    """The next iteration of a Loop and what is left of it; at its end what it gives."""
    step, constants, body = int(op.attrs.get("step", 0)), graph.constants, op.attrs["body"]
    count, condition = (constants.get(name) for name in op.inputs[:2])
    if (op.inputs[0] and count is None) or (op.inputs[1] and condition is None):
        raise ValueError("how often it is done is computed; a constant number is supported")
    carried = list(op.inputs[2:])
    done = count is not None and step >= int(count.reshape(-1)[0])
    if done or (condition is not None and not condition.reshape(-1)[0]):
        return _end(op, graph, carried, [0] * (len(op.outputs) - len(carried)), [0] * len(op.outputs))
    number = f"{op.first}/{step}/number"
    constants[number] = np.array(step)
    go = op.inputs[1] or f"{op.first}/go"
    constants.setdefault(go, np.array(True))
    nodes, (go, *ends) = _written(op, graph, body, step, [number, go, *carried])
    return nodes + _rest(op, step, [op.inputs[0], go, *ends[: len(carried)]], ends[len(carried) :])


def _scan(op: Op, graph: Graph) -> list[Op]:
    """The next iteration of a Scan and what is left of it; at its end what it gives."""
    step, body, scanned = int(op.attrs.get("step", 0)), op.attrs["body"], int(op.attrs["num_scan_inputs"])
    if graph.opset < 9:
        raise ValueError("as it was before opset 9 it is not supported; a newer one is")
    carried, scans = list(op.inputs[:-scanned]), op.inputs[-scanned:]
    axes, back = (op.attrs.get(f"scan_input_{n}", [0] * scanned) for n in ("axes", "directions"))
    length = (graph.constants[scans[0]].shape if scans[0] in graph.constants else graph.shapes[scans[0]])[axes[0]]
    outputs = len(op.outputs) - len(carried)
    if step >= length:
        ways = (op.attrs.get(f"scan_output_{n}", [0] * outputs) for n in ("axes", "directions"))
        return _end(op, graph, carried, *ways)
    parts, now = [], []
    for k, name in enumerate(scans):
        index = f"{op.first}/{step}/{k}/index"
        graph.constants[index] = np.array(length - 1 - step if back[k] else step)
        now.append(f"{op.first}/{step}/{k}/part")
        parts.append(Op.make("Gather", [name, index], [now[-1]], axis=axes[k]))
    nodes, ends = _written(op, graph, body, step, [*carried, *now])
    return parts + nodes + _rest(op, step, [*ends[: len(carried)], *scans], ends[len(carried) :])


def _written(op: Op, graph: Graph, body: onnx.GraphProto, step: int, args: list[str]) -> tuple[list[Op], list[str]]:
    if step >= MOST_ITERATIONS:
        raise ValueError(f"it goes on after {MOST_ITERATIONS} iterations, as many as are supported")
    names = {value.name: name for value, name in zip(body.input, args, strict=True)}
    return _inlined(body, names, f"{op.first}/{step}", op.first, graph.constants)


def _rest(op: Op, step: int, inputs: Sequence[str], stacked: Sequence[str]) -> list[Op]:
    """The loop after an iteration that gave values to be ``stacked``."""
    attrs = op.attrs | {"step": step + 1, "stacked": [*op.attrs.get("stacked", []), *stacked]}
    if not attrs["stacked"]:
        del attrs["stacked"]
    return [Op.make(op.kind, inputs, op.outputs, op.proto.name, **attrs)]


def _end(op: Op, graph: Graph, carried: list[str], axes: Sequence[int], back: Sequence[int]) -> list[Op]:
    """The values that a loop carries, and those that it has stacked, along new dimensions."""
    stacked = [name.decode() for name in op.attrs.get("stacked", [])]
    last = op.outputs[len(carried) :]
    if last and not stacked:
        raise ValueError("it is done no time and stacks values; once or more often is supported")
    ops = _same(carried, op.outputs[: len(carried)])
    for k, name in enumerate(last):
        parts = stacked[k :: len(last)][:: -1 if back[k] else 1]
        ops += graph.stacked(parts, name, axes[k]) if name else []
    return ops


SUBGRAPHS = {"If": _branch, "Loop": _loop, "Scan": _scan}
"""By operator: (node, graph) -> nodes in its place."""
