"""A network without what pruning has emptied: inputs whose weights are all 0, and outputs that nothing takes any more.

An output whose weights are all 0 is a constant. What takes it everywhere adds it to its bias, so that nothing takes the
output, either. Layers lose whole channels or groups, since tiles walk over images of whole channels, and so does what
is made of these. Layers that are called several times stay as they are, and so does a network without such zeros.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mho.compiler.model.evaluated import Evaluated
from mho.compiler.model.layer import LinearLayer
from mho.compiler.model.network import FloatNetwork
from mho.compiler.model.stages import Gather, Linear, Map, Operation, Step
from mho.compiler.types import Float
from mho.macro_models.integer.vector import PAD
from mho.macro_models.integer.window import recover
from mho.macro_models.types import Flags, Indices


def pruned(network: FloatNetwork) -> FloatNetwork:
    """The network with the same outputs, but for rounding, and fewer inputs and outputs of its layers.

    It is the network itself where no weights are 0 that would let something go.
    """
    if all(layer.weight.any(axis=1).all() and (layer.norms > 0).all() for layer in network.layers):
        return network
    once = {calls[0] for calls in network.calls if len(calls) == 1}
    folded = _folded(network.steps, network.features, once)
    steps = _without(folded, network.features, once)
    while lost := {k for k in once if _walks(network.steps[k].operation) and not _walks(steps[k].operation)}:
        once -= lost
        steps = _without(folded, network.features, once)
    small = replace(network, steps=tuple(steps))
    weights, left = (sum(layer.weight.size for layer in net.layers) for net in (network, small))
    if left == weights:
        return network
    sentence = f"{weights - left} of {weights} weights are left out, since zeros among them empty inputs or outputs"
    return replace(small, warnings=(*small.warnings, sentence))


def _walks(op: Operation) -> bool:
    """Whether a window walks over an image, which the channels that are left must still be evenly spaced for."""
    return isinstance(op, Linear) and op.window is not None and len(op.patches) > 1


def _without(folded: Sequence[Step], features: int, once: set[int]) -> list[Step]:
    """Steps without what goes of layers ``once``, and of what is made of it."""
    needed, dropped, steps = _needed(folded, features, once), [np.zeros(features, bool)], list[Step]()
    for k, step in enumerate(folded):
        op, gone = step.operation, np.concatenate([dropped[v] for v in step.inputs])
        number = np.cumsum(~gone) - 1
        if isinstance(op, Linear):
            outputs, rows = np.ones(op.layer.outputs, bool), np.ones(op.layer.inputs, bool)
            if k in once:
                outputs = _outputs(op, needed[k + 1])
                rows = _rows(op, outputs)
            dropped.append(np.repeat(~outputs, len(op.patches)))
            op = _smaller(op, outputs, rows, number)
        else:
            dropped.append(~needed[k + 1] & _takes(op, gone))
            op = _other(op, ~dropped[-1], number)
        steps.append(replace(step, operation=op))
    return steps


def _folded(steps: Sequence[Step], features: int, once: set[int]) -> list[Step]:
    """Steps of which layers ``once`` have what is constant in their bias, and weights of 0 for it."""
    steps, more = list(steps), True
    while more:
        more = False
        values = [np.full(features, np.nan)]
        for k, step in enumerate(steps):
            op, x = step.operation, np.concatenate([values[v] for v in step.inputs])
            if isinstance(op, Linear) and k in once and (layer := _without_constants(op, x)) is not op.layer:
                op, more = replace(op, layer=layer), True
                steps[k] = replace(step, operation=op)
            values.append(_constants(op, x))
    return steps


def _constants(op: Operation, x: Float) -> Float:
    """What each element is where it is constant, else NaN, from the same of those that a step takes."""
    if isinstance(op, Linear):
        bias = np.maximum(op.layer.bias, 0.0) if op.layer.relu else op.layer.bias
        return np.repeat(np.where(op.layer.weight.any(axis=1), np.nan, bias), len(op.patches))
    return np.full(op.size, np.nan) if isinstance(op, Evaluated) else op.compute(x[None])[0]


def _without_constants(op: Linear, x: Float) -> LinearLayer:
    """The layer with what channels give that are the same number at all positions in its bias.

    Of those that are so but for zeros around the image one is left, with the weights of all.
    """
    layer, outside = op.layer, op.patches == PAD
    rows = np.where(outside, op.pad, x[op.patches])
    within = np.where(outside, -np.inf, rows).max(axis=0)
    counts = ~outside.all(axis=0) & (layer.norms > 0) & np.isfinite(within)
    constant = _whole(op, counts & (rows == within).all(axis=0))
    if constant.any():
        bias = layer.bias + layer.product(np.where(constant, within, 0.0))
        return replace(layer, weight=layer.scaled(np.where(constant, 0.0, 1.0)), bias=bias)
    alike = _whole(op, counts & ((rows == within) | (outside & (op.pad == 0.0))).all(axis=0))
    channels = within.reshape(-1, _taps(op))
    alike = alike.reshape(channels.shape)[:, 0] & (channels == channels[:, :1]).all(axis=1)
    if layer.groups > 1 or alike.sum() < 2:
        return layer
    weight, first = layer.weight.reshape(-1, *channels.shape).copy(), np.argmax(alike)
    weight[:, first] = np.einsum("oct,c->ot", weight[:, alike], channels[alike, 0] / channels[first, 0])
    weight[:, alike & (np.arange(len(alike)) != first)] = 0.0
    return replace(layer, weight=weight.reshape(layer.weight.shape))


def _whole(op: Linear, rows: Flags) -> Flags:
    """Rows of channels that have all of theirs among some."""
    return np.repeat(rows.reshape(-1, _taps(op)).all(axis=1), _taps(op))


def _taps(op: Linear) -> int:
    """Rows of a channel."""
    return op.layer.inputs // op.window.channels if op.window is not None else 1


def _needed(steps: Sequence[Step], features: int, once: set[int]) -> list[Flags]:
    """Which elements of all values something is made of; layers ``once`` take what their weights count."""
    needed = [np.zeros(size, bool) for size in (features, *(step.operation.size for step in steps))]
    needed[-1][:] = True
    for k in range(len(steps) - 1, -1, -1):
        op, inputs = steps[k].operation, steps[k].inputs
        sizes = [len(needed[v]) for v in inputs]
        taken = np.zeros(sum(sizes) + 1, bool)  # the last one stands for padding
        if isinstance(op, Linear):
            rows = _rows(op, _outputs(op, needed[k + 1])) if k in once else np.ones(op.layer.inputs, bool)
            taken[op.patches[:, rows]] = True
        elif isinstance(op, Evaluated):
            taken[:] = True
        else:
            for index in _indices(op):
                taken[index[needed[k + 1]]] = True
        for v, part in zip(inputs, np.split(taken[:-1], np.cumsum(sizes)[:-1]), strict=True):
            needed[v] |= part
    return needed


def _indices(op: Operation) -> list[Indices]:
    """What each element of a step is made of, by the first dimension of each array."""
    if isinstance(op, Map):
        return [np.arange(op.size, dtype=np.int32)]
    assert not isinstance(op, Linear | Evaluated)
    return [op.index, op.like] if isinstance(op, Gather) else [op.index]


def _takes(op: Operation, gone: Flags) -> Flags:
    """Which elements of a step are made of those that are gone."""
    if isinstance(op, Evaluated):
        return np.zeros(op.size, bool)
    padded, result = np.append(gone, False), np.zeros(op.size, bool)
    for index in _indices(op):
        result = result | padded[index].reshape(op.size, -1).any(axis=1)
    return result


def _outputs(op: Linear, needed: Flags) -> Flags:
    """Outputs that stay: those that are needed, with all of their group, and at least one."""
    stay = np.repeat(needed.reshape(op.layer.groups, -1).any(axis=1), op.layer.outputs // op.layer.groups)
    if op.layer.groups == 1:
        stay = np.logical_or.reduce(needed.reshape(op.layer.outputs, -1), axis=1)
    if not stay.any():
        stay[: op.layer.outputs // op.layer.groups] = True
    return stay


def _rows(op: Linear, outputs: Flags) -> Flags:
    """Rows that stay for these outputs: of channels with weights other than 0, or of groups."""
    layer = op.layer
    if layer.groups > 1:
        return np.repeat(outputs.reshape(layer.groups, -1)[:, 0], layer.weight.shape[1])
    stay = np.repeat(layer.weight[outputs].any(axis=0).reshape(-1, _taps(op)).any(axis=1), _taps(op))
    if not stay.any():
        stay[: _taps(op)] = True
    return stay


def _smaller(op: Linear, outputs: Flags, rows: Flags, number: Indices) -> Linear:
    """A layer with these outputs and rows, which takes elements by their new numbers."""
    layer, window = op.layer, op.window
    patches = _renumbered(op.patches[:, rows], number)
    weight, groups = layer.weight[outputs], layer.groups
    if groups > 1:
        groups = int(outputs.sum()) * groups // layer.outputs
    else:
        weight = weight[:, rows]
    if window is not None:
        channels = int(rows.sum()) // _taps(op)
        positions, kernel, stride, dilation = (
            [getattr(axis, name) for axis in window.axes] for name in ("positions", "kernel", "stride", "dilation"))
        window = recover(patches, channels, positions, kernel, stride, dilation, groups)
    if not (outputs.all() and rows.all()):
        layer = replace(layer, weight=weight, bias=layer.bias[outputs], groups=groups)
    return replace(op, layer=layer, patches=patches, pad=op.pad[rows], window=window)


def _other(op: Operation, stay: Flags, number: Indices) -> Operation:
    """A step without a layer that makes these of its elements, and takes elements by their new numbers."""
    if isinstance(op, Map):
        return replace(op, size=int(stay.sum()))
    if isinstance(op, Evaluated):
        return op
    parts = {name: part[stay] for name, part in vars(op).items() if isinstance(part, np.ndarray)}
    parts |= {name: _renumbered(part, number) for name, part in parts.items() if name in ("index", "like")}
    return replace(op, **parts)


def _renumbered(index: Indices, number: Indices) -> Indices:
    return np.where(index == PAD, PAD, number[index]).astype(index.dtype)
