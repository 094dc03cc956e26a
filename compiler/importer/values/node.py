"""The graph under construction: nodes that know their inputs, so that branches may part and meet.

What an import still has to fold goes back into the node that made a value, where that has no other user.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.stages import Combine, Gather, Linear, Map, Operation, Step
from mho.compiler.types import Float
from mho.macro_models.integer.vector import PAD
from mho.macro_models.types import Indices


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """A value of ``size`` elements: an operation on the values of other nodes, or the network's input (None)."""

    operation: Operation | None
    inputs: tuple["Node", ...] = ()
    size: int

    @property
    def layer(self) -> LinearLayer | None:
        """The layer that makes this value, if one does."""
        return self.operation.layer if isinstance(self.operation, Linear) else None


def fold(node: Node, scale: Float, offset: Float) -> Node | None:
    """A node whose value is ``scale * x + offset``, made by the same kind of operation, or None if there is none."""
    op = node.operation
    if isinstance(op, Linear) and not op.layer.relu:
        a, c = (v.reshape(op.layer.outputs, -1) for v in (scale, offset))
        if (a == a[:, :1]).all() and (c == c[:, :1]).all():
            weight, bias = op.layer.weight * a[:, :1], op.layer.bias * a[:, 0] + c[:, 0]
            return replace(node, operation=replace(op, layer=replace(op.layer, weight=weight, bias=bias)))
    if isinstance(op, Combine):
        folded = replace(op, coefficient=op.coefficient * scale[:, None], offset=op.offset * scale + offset)
        return replace(node, operation=folded)
    if _is_join(node):
        parts = _split(node, scale, offset)
        folds = [fold(*part) for part in parts]
        if all(f is not None for f in folds):
            return replace(node, inputs=tuple(f for f in folds if f is not None))
    return None


def rectify(node: Node) -> Node | None:
    """A node whose value is ``max(x, 0)``, made by layers that do so themselves, or None."""
    op = node.operation
    if isinstance(op, Linear) and not op.layer.relu:
        return replace(node, operation=replace(op, layer=replace(op.layer, relu=True)))
    if _is_join(node):
        rectified = [rectify(source) for source in node.inputs]
        if all(r is not None for r in rectified):
            return replace(node, inputs=tuple(r for r in rectified if r is not None))
    return None


def _is_join(node: Node) -> bool:
    """Whether a node puts the outputs of layers into order: the groups of a convolution, positions before channels."""
    op = node.operation
    return (
        isinstance(op, Gather)
        and all(source.layer is not None for source in node.inputs)
        and np.array_equal(np.sort(op.index), np.arange(sum(source.size for source in node.inputs)))
    )


def _split(node: Node, scale: Float, offset: Float) -> list[tuple[Node, Float, Float]]:
    assert isinstance(node.operation, Gather)
    order = np.argsort(node.operation.index)
    parts, first = [], 0
    for source in node.inputs:
        at = order[first : first + source.size]
        parts.append((source, scale[at], offset[at]))
        first += source.size
    return parts


def opened(node: Node, index: Indices) -> tuple[list[Node], Indices]:
    """What elements of a node are taken of: values side by side are opened where nothing is taken of some of them.

    Returns nodes, and indices of the elements where those are side by side; ``[node], index`` if all are taken of.
    """
    op = node.operation
    if not isinstance(op, Gather) or (op.index[index] == PAD).any():
        return [node], index
    starts, elements = np.cumsum([0, *(part.size for part in node.inputs)]), op.index[index]
    which, inner = np.searchsorted(starts, elements, side="right") - 1, np.zeros(len(index), np.int32)
    sources: list[Node] = []
    for k in np.unique(which):
        before = sum(source.size for source in sources)
        nodes, inner_index = opened(node.inputs[k], elements[which == k] - starts[k])
        inner[which == k] = before + inner_index
        sources += nodes
    return ([node], index) if sources == list(node.inputs) else (sources, inner)


def _ordered(last: Node) -> list[Node]:
    """All nodes that ``last`` depends on, and itself, inputs before users; depth first without recursion."""
    result: list[Node] = []
    done: set[int] = set()
    stack: list[tuple[Node, bool]] = [(last, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            result.append(node)
        else:
            stack.append((node, True))
            stack.extend((source, False) for source in reversed(node.inputs))
    return result


def is_chain(last: Node) -> bool:
    """Whether a value is made by layers alone, each of which takes its input as it is."""
    node = last
    while node.operation is not None:
        if not isinstance(node.operation, Linear) or not node.operation.takes_all(node.inputs[0].size):
            return False
        (node,) = node.inputs
    return True


def steps_of(last: Node) -> tuple[Step, ...]:
    """The steps that make the value of ``last`` from the input of the network.

    Layers with the same weights, bias and ReLU, such as those of the steps of a recurrent network, are one layer.
    """
    number: dict[int, int] = {}
    steps: list[Step] = []
    same: dict[tuple[Any, ...], LinearLayer] = {}
    for node in _ordered(last):
        op = node.operation
        if op is None:
            number[id(node)] = 0
            continue
        if isinstance(op, Linear):
            layer = op.layer
            key = (layer.weight.shape, layer.relu, layer.weight.tobytes(), layer.bias.tobytes())
            op = replace(op, layer=same.setdefault(key, layer))
        steps.append(Step(operation=op, inputs=tuple(number[id(layer)] for layer in node.inputs)))
        number[id(node)] = len(steps)
    return tuple(steps)


def is_positive(node: Node) -> bool:
    """Whether a value is never negative because of how it is made."""
    op = node.operation
    if isinstance(op, Linear):
        return op.layer.relu
    if isinstance(op, Map):
        return op.function == "sigmoid" or (op.function == "clip" and op.low >= 0)
    if isinstance(op, Gather) and (op.index == PAD).any() and op.fill < 0:
        return False
    return isinstance(op, Gather) and all(is_positive(source) for source in node.inputs)
