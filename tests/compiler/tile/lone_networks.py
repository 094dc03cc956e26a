"""Networks for a chip of one tile of 16 lines: perceptrons of two and three layers, a convolution with pooling."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler import CompileOptions, Network
from mho.compiler.passes import compile_for_chip
from mho.hw.config import Chip, load_chip
from tests.compiler.importer.onnx_models import build, node

__all__ = ["CHIP", "chain", "convolution", "perceptron"]

CHIP = load_chip("tnsa16-core", {"tile.programs": True})


def perceptron(chip: Chip = CHIP) -> tuple[Network, NDArray[Any]]:
    """Two layers, which share the tile; and inputs."""
    nodes = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "y", transB=1)]
    return _made(nodes, {"a": (6, 8), "w": (4, 6)}, (8,), chip)


def chain(chip: Chip = CHIP) -> tuple[Network, NDArray[Any]]:
    """Three layers, of which the tile looks at all products before the first input is to come; and inputs."""
    nodes = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r v", "d", transB=1),
             node("Tanh", "d", "t"), node("Gemm", "t w", "y", transB=1)]
    return _made(nodes, {"a": (6, 8), "v": (6, 6), "w": (4, 6)}, (8,), chip)


def convolution(chip: Chip = CHIP) -> tuple[Network, NDArray[Any]]:
    """A convolution, pooling and a layer; and inputs."""
    nodes = [node("Conv", "x a", "c"), node("Relu", "c", "r"),
             node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", "p", "f"),
             node("Gemm", "f w", "y", transB=1)]
    return _made(nodes, {"a": (2, 1, 2, 2), "w": (3, 8)}, (1, 5, 5), chip)


def _made(
    nodes: list[Any], shapes: dict[str, tuple[int, ...]], shape: tuple[int, ...], chip: Chip
) -> tuple[Network, NDArray[Any]]:
    rng = np.random.default_rng(1)
    weights = {k: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype("f4") for k, s in shapes.items()}
    x = rng.uniform(-1, 1, size=(16, *shape)).astype("f4")
    model = build(nodes, weights, shape=("batch", *shape), output=("batch", "b"))
    options = CompileOptions(seeds=1, samples=16)
    return compile_for_chip(model.SerializeToString(), chip, calibrate=x, options=options), x
