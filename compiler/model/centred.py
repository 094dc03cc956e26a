"""Scores of classes without what they have in common.

A Softmax, an ArgMax and what is made of them alone stay the same when one number is added to all scores of an input.
What the weights of all classes have in common does just that, and takes cells and codes from what tells classes apart:
the logarithms of probabilities of a naive Bayes classifier lie around -5, and differ by 1. Whether outputs are of that
kind is seen by adding numbers to scores; nothing is known of the operators.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mho.compiler.model.network import FloatNetwork
from mho.compiler.model.stages import Linear
from mho.compiler.types import Array, Float

MOST_LEFT = 0.25
"""Part of the sum of squares of the weights that is left at most: classes of networks have little in common as a rule,
and those weights stay as they are."""

INPUTS = 64
"""Inputs on which outputs are compared."""
TOLERANCE = 1e-3
"""By which they may differ, relative to their size or to 1: operators in single precision lose that much of large sums.
"""


def centred(network: FloatNetwork, x: Float) -> FloatNetwork:
    """The network with the same outputs whose last layer has weights of mean 0 for each of its inputs.

    It is the network itself where they have little in common, or outputs depend on it. ``x`` are inputs of shape
    (images, features).
    """
    step = network.steps[-1]
    op = step.operation
    if not isinstance(op, Linear) or len(op.patches) != 1 or len(network.calls[-1]) != 1:
        return network
    layer = op.layer
    whole = all(output.size in (None, 0, layer.outputs) for output in network.outputs)
    if layer.relu or layer.groups != 1 or layer.outputs == 1 or not whole:
        return network
    weight = layer.weight - layer.weight.mean(axis=0)
    if (weight**2).sum() > MOST_LEFT * (layer.weight**2).sum() or not _takes_differences(network, x[:INPUTS]):
        return network
    layer = replace(layer, weight=weight, bias=layer.bias - layer.bias.mean())
    return replace(network, steps=(*network.steps[:-1], replace(step, operation=replace(op, layer=layer))))


def _takes_differences(network: FloatNetwork, x: Float) -> bool:
    """Whether outputs stay the same when a number is added to all scores of an input."""
    scores = network.last(x)
    mean, outputs = scores.mean(axis=1, keepdims=True), network.finish_all(scores)
    shifts = np.random.default_rng(0).normal(scale=max(float(scores.std()), TOLERANCE), size=mean.shape)
    return all(_same(outputs, network.finish_all(scores - less)) for less in (mean, mean + shifts))


def _same(outputs: Mapping[str, Array], moved: Mapping[str, Array]) -> bool:
    return all(
        np.allclose(moved[name], values, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True) if values.dtype.kind == "f"
        else bool((moved[name] == values).all())
        for name, values in outputs.items()
    )
