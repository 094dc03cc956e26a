"""Trains the example of a convolutional network and writes ``fashion14_cnn.onnx`` beside this file.

    python examples/models/train_cnn.py

Needs numpy and onnx. Two convolutions of 3 x 3, each with ReLU and a pooling, and a dense layer, on Fashion-MNIST of
14 x 14 pixels, 0..255. Training adds noise to the weights as in ``train.py``; everything is drawn from a fixed seed.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import helper
from train import FASHION, classifier, cosine, descend, entropy_slope, write

Float = NDArray[Any]

SCALE = 255.0
TARGET = Path(__file__).with_name("fashion14_cnn.onnx")


def _patches(x: Float) -> Float:
    """Windows of 3 x 3 around each pixel: (batch, height, width, channels) to (batch, height, width, 9 * channels)."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    view = sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.ascontiguousarray(view).reshape(*x.shape[:3], -1)


def _spread(slope: Float, channels: int) -> Float:
    """Adds the gradients of windows to their pixels."""
    batch, height, width, _ = slope.shape
    parts = slope.reshape(batch, height, width, channels, 3, 3)
    padded = np.zeros((batch, height + 2, width + 2, channels), dtype=slope.dtype)
    for i in range(3):
        for j in range(3):
            padded[:, i : i + height, j : j + width] += parts[..., i, j]
    return padded[:, 1:-1, 1:-1]


def _pool(x: Float, size: int) -> tuple[Float, NDArray[np.bool_]]:
    """Largest of each ``size`` x ``size``, and where it was."""
    batch, height, width, channels = x.shape[0], x.shape[1] // size, x.shape[2] // size, x.shape[3]
    blocks = x[:, : height * size, : width * size].reshape(batch, height, size, width, size, channels)
    largest = blocks.max(axis=(2, 4))
    return largest, blocks == largest[:, :, None, :, None]


def _unpool(slope: Float, where: NDArray[np.bool_], shape: tuple[int, ...]) -> Float:
    result = np.zeros(shape, dtype=slope.dtype)
    blocks = where * slope[:, :, None, :, None] / where.sum(axis=(2, 4), keepdims=True)
    height, width = where.shape[1] * where.shape[2], where.shape[3] * where.shape[4]
    result[:, :height, :width] = blocks.reshape(len(slope), height, width, -1)
    return result


@dataclass
class Cnn:
    """Weights as (inputs, outputs) with inputs in the order (channel, row, column), and biases."""

    weights: list[Float]
    biases: list[Float] = field(default_factory=list)
    pools: tuple[int, int] = (2, 2)

    @classmethod
    def random(
        cls, rng: np.random.Generator, *, side: int = 14, channels: tuple[int, int] = (8, 16),
        pools: tuple[int, int] = (2, 2),
    ) -> "Cnn":
        """Two convolutions with so many channels, each with a pooling, for images of ``side`` x ``side`` pixels."""
        pixels = (side // pools[0] // pools[1]) ** 2
        sizes = [(9, channels[0]), (9 * channels[0], channels[1]), (pixels * channels[1], 10)]
        weights = [(rng.normal(size=s) * np.sqrt(2 / s[0])).astype(np.float32) for s in sizes]
        return cls(weights, [np.zeros(w.shape[1], dtype=np.float32) for w in weights], pools)

    def gradients(self, x: Float, target: Float, weights: list[Float]) -> tuple[list[Float], list[Float]]:
        """Gradients of the cross entropy with ``weights`` in place of the network's own."""
        activations, value = [], x
        for w, b, size in zip(weights[:2], self.biases[:2], self.pools, strict=True):
            patches = _patches(value)
            y = np.maximum(patches @ w + b, 0)
            pooled, where = _pool(y, size)
            activations.append((patches, y, where, value.shape[-1]))
            value = pooled
        flat = value.transpose(0, 3, 1, 2).reshape(len(x), -1)
        error = entropy_slope(flat @ weights[2] + self.biases[2], target).astype(np.float32)
        slopes, offsets = [flat.T @ error], [error.sum(axis=0)]
        slope = (error @ weights[2].T).reshape(len(x), value.shape[3], *value.shape[1:3]).transpose(0, 2, 3, 1)
        for w, (patches, y, where, channels) in zip(weights[1::-1], activations[::-1], strict=True):
            slope = _unpool(slope, where, y.shape) * (y > 0)
            slopes.insert(0, np.tensordot(patches, slope, axes=((0, 1, 2), (0, 1, 2))))
            offsets.insert(0, slope.sum(axis=(0, 1, 2)))
            slope = _spread(slope @ w.T, channels)
        return slopes, offsets


def train(
    x: Float, y: NDArray[np.int64], *, epochs: int = 160, rate: float = 6e-3, noise: float = 0.04, seed: int = 1,
    flip: bool = True, **shape: Any,
) -> Cnn:
    """Adam with a cosine schedule for images (images, height, width) scaled to 0..1; with ``flip`` mirrored at random.

    ``shape`` is that of :meth:`Cnn.random`.
    """
    rng = np.random.default_rng(seed)
    net = Cnn.random(rng, **shape)
    target = (np.eye(10, dtype=np.float32) * 0.9 + 0.01)[y]

    def gradients(chosen: NDArray[np.int64]) -> list[Float]:
        images = np.where(rng.random((len(chosen), 1, 1)) < 0.5 * flip, x[chosen, :, ::-1], x[chosen])
        noisy = [w + rng.normal(size=w.shape).astype(np.float32) * noise * np.abs(w).max() for w in net.weights]
        slopes, offsets = net.gradients(images[..., None], target[chosen], noisy)
        return [*slopes, *offsets]

    descend([*net.weights, *net.biases], gradients, len(x), rng, epochs=epochs, decay=5e-3,
            rate=lambda step, steps: float(rate * cosine(step, steps)))
    return net


def to_onnx(net: Cnn, name: str = "fashion14_cnn", side: int = 14) -> onnx.ModelProto:
    """The network for images [batch, side, side] of pixels 0..255, whose scale is folded into the first layer."""
    nodes = [helper.make_node("Unsqueeze", ["image", "axis"], ["v0"], name="channel")]
    tensors = {"axis": np.array([1])}
    for k, size in enumerate(net.pools):
        w = net.weights[k] / (SCALE if k == 0 else 1.0)
        tensors |= {f"conv{k}.weight": w.T.reshape(w.shape[1], -1, 3, 3).astype(np.float32)}
        tensors |= {f"conv{k}.bias": net.biases[k]}
        names = [f"v{k}", f"conv{k}.weight", f"conv{k}.bias"]
        nodes.append(helper.make_node("Conv", names, [f"c{k}"], name=f"conv{k}", pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{k}"], [f"r{k}"], name=f"relu{k}"))
        ends = [f"r{k}"], [f"v{k + 1}"]
        nodes.append(helper.make_node("MaxPool", *ends, name=f"pool{k}", kernel_shape=[size] * 2, strides=[size] * 2))
    tensors |= {"fc.weight": net.weights[2], "fc.bias": net.biases[2]}
    nodes.append(helper.make_node("Flatten", ["v2"], ["flat"], name="flatten"))
    nodes.append(helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["score"], name="fc"))
    return classifier(name, nodes, "score", tensors, source="image", shape=(side, side), classes=10)


def main() -> None:
    """Trains, writes, and reports the accuracy of onnxruntime."""
    with np.load(FASHION, allow_pickle=False) as data:
        x, y, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    write(to_onnx(train(x.astype(np.float32) / SCALE, y.astype(np.int64))), TARGET, x_test, y_test)


if __name__ == "__main__":
    main()
