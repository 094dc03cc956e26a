"""Trains the example of a residual network and writes ``fashion14_resnet8.onnx``, with ``noise`` another one.

    python examples/models/train_residual.py [plain|noise] [--pixels 14|28]

Needs numpy and onnx. A convolution, three residual blocks of 16, 32 and 64 channels, the last two with a stride of 2
and a 1 x 1 convolution beside them, the mean of all pixels, and a dense layer, as ResNet-8 of MLPerf Tiny; on
Fashion-MNIST of 14 x 14 pixels, 0..255, or of ``--pixels 28``, as its authors made it (``fashion28_resnet8.onnx``).
There is no batch normalisation: the second convolution of a block begins small (Zhang et al., Fixup, ICLR 2019).
``noise`` adds noise to all weights in every step, as the relaxation of cells will, and writes
``fashion14_resnet8_noise.onnx``; everything is drawn from a fixed seed. Each takes two minutes of CPU time, of 28 x 28
pixels five.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from train import FASHION, Conv, classifier, cosine, descend, entropy_slope, write

Float = NDArray[Any]

CHANNELS = (16, 32, 64)
SCALE = 255.0
NOISE = 0.025
"""Standard deviation of the noise of ``noise``, relative to the largest weight of a layer."""
KINDS = {"plain": "", "noise": "_noise"}
"""What the name of the written file ends with."""
PIXELS = (14, 28)


class Residual:
    """The network.

    ``layers`` are its convolutions in order (stem, then of each block two and, with a stride, the one beside them), the
    dense layer last.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.layers = [Conv(rng, 1, CHANNELS[0], (3, 3), 1)]
        self.blocks: list[tuple[int, int, int | None]] = []
        inputs = CHANNELS[0]
        for channels in CHANNELS:
            first, stride = len(self.layers), 1 if channels == inputs else 2
            self.layers += [Conv(rng, inputs, channels, (3, 3), stride), Conv(rng, channels, channels, (3, 3), 1, 0.3)]
            if stride > 1:
                self.layers.append(Conv(rng, inputs, channels, (1, 1), stride, 0.7))
            self.blocks.append((first, first + 1, first + 2 if stride > 1 else None))
            inputs = channels
        self.layers.append(Conv(rng, inputs, 10, (1, 1), 1, 0.5))

    def gradients(self, x: Float, target: Float, weights: list[Float]) -> tuple[list[Float], list[Float]]:
        """Gradients of the cross entropy for images (images, rows, columns, 1), with ``weights``."""
        net, activations = self.layers, []
        value = np.maximum(net[0].forward(x, weights[0]), 0)
        activations.append(value)
        for a, b, side in self.blocks:
            inner = np.maximum(net[a].forward(value, weights[a]), 0)
            beside = value if side is None else net[side].forward(value, weights[side])
            value = np.maximum(net[b].forward(inner, weights[b]) + beside, 0)
            activations += [inner, value]
        score = net[-1].forward(value.mean(axis=(1, 2), keepdims=True), weights[-1])[:, 0, 0]
        error = entropy_slope(score, target).astype(np.float32)
        gradients: dict[int, tuple[Float, Float]] = {}

        def back(k: int, slope: Float) -> Float:
            weight, bias, slope = net[k].backward(slope)
            gradients[k] = weight, bias
            return slope

        pixels = value.shape[1] * value.shape[2]
        slope = np.broadcast_to(back(len(net) - 1, error[:, None, None]) / np.float32(pixels), value.shape)
        for n, (a, b, side) in reversed(list(enumerate(self.blocks))):
            slope = slope * (activations[2 * n + 2] > 0)
            inner = back(b, slope) * (activations[2 * n + 1] > 0)
            slope = back(a, inner) + (slope if side is None else back(side, slope))
        back(0, slope * (activations[0] > 0))
        return [gradients[k][0] for k in range(len(net))], [gradients[k][1] for k in range(len(net))]


def train(
    x: Float, y: NDArray[np.int64], *, epochs: int = 60, rate: float = 3e-3, noise: float = 0.0, seed: int = 1
) -> Residual:
    """Adam with a cosine schedule for images (images, rows, columns) scaled to 0..1; mirrored and moved at random."""
    rng = np.random.default_rng(seed)
    net = Residual(rng)
    values = [layer.weight for layer in net.layers] + [layer.bias for layer in net.layers]
    target, edge = (np.eye(10, dtype=np.float32) * 0.9 + 0.01)[y], x.shape[1]
    far = edge // PIXELS[0]

    def gradients(chosen: NDArray[np.int64]) -> list[Float]:
        images = np.where(rng.random((len(chosen), 1, 1)) < 0.5, x[chosen, :, ::-1], x[chosen])
        down, right = rng.integers(0, 2 * far + 1, size=2)
        images = np.pad(images, ((0, 0), (far, far), (far, far)))[:, down : down + edge, right : right + edge]
        weights = [layer.weight for layer in net.layers]
        if noise:
            weights = [w + rng.standard_normal(w.shape, np.float32) * np.float32(noise) * np.abs(w).max()
                       for w in weights]
        slopes, offsets = net.gradients(images[..., None], target[chosen], weights)
        return [*slopes, *offsets]

    descend(values, gradients, len(x), rng, epochs=epochs, decay=2e-2,
            rate=lambda step, steps: float(rate * min(1, step / 100) * cosine(step, steps)))
    return net


def to_onnx(net: Residual, name: str, shape: tuple[int, int]) -> onnx.ModelProto:
    """The network for images [batch, rows, columns] of pixels 0..255, whose scale is folded into the first layer."""
    nodes = [helper.make_node("Unsqueeze", ["image", "axis"], ["x"], name="channel")]
    tensors = {"axis": np.array([1])}

    def conv(k: int, value: str, called: str) -> str:
        layer = net.layers[k]
        w = layer.weight / (SCALE if k == 0 else 1.0)
        high, wide = layer.kernel
        tensors[f"{called}.weight"] = w.reshape(high, wide, -1, w.shape[1]).transpose(3, 2, 0, 1).astype(np.float32)
        tensors[f"{called}.bias"] = layer.bias
        nodes.append(helper.make_node(
            "Conv", [value, f"{called}.weight", f"{called}.bias"], [f"{called}.y"], name=called,
            kernel_shape=[high, wide], pads=[high // 2, wide // 2] * 2, strides=[layer.stride] * 2))
        return f"{called}.y"

    def relu(value: str, called: str) -> str:
        nodes.append(helper.make_node("Relu", [value], [called], name=f"{called}.relu"))
        return called

    value = relu(conv(0, "x", "stem"), "v0")
    for n, (a, b, side) in enumerate(net.blocks, 1):
        inner = relu(conv(a, value, f"block{n}.a"), f"block{n}.inner")
        beside = value if side is None else conv(side, value, f"block{n}.side")
        both = [conv(b, inner, f"block{n}.b"), beside]
        nodes.append(helper.make_node("Add", both, [f"block{n}.sum"], name=f"add{n}"))
        value = relu(f"block{n}.sum", f"v{n}")
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["mean"], name="mean"))
    nodes.append(helper.make_node("Flatten", ["mean"], ["flat"], name="flatten"))
    tensors |= {"fc.weight": net.layers[-1].weight, "fc.bias": net.layers[-1].bias}
    nodes.append(helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["score"], name="fc"))
    return classifier(name, nodes, "score", tensors, source="image", shape=shape, classes=10)


def main() -> None:
    """Trains, writes, and reports the accuracy of onnxruntime."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", nargs="?", choices=[*KINDS], default="plain", help="default: plain")
    parser.add_argument("--pixels", type=int, choices=PIXELS, default=PIXELS[0], help="of a side (default: 14)")
    options = parser.parse_args()
    with np.load(FASHION.with_name(f"fashion_mnist{options.pixels}.npz"), allow_pickle=False) as data:
        x, y, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    noise = NOISE if options.kind == "noise" else 0.0
    net = train(x.astype(np.float32) / SCALE, y.astype(np.int64), noise=noise)
    target = Path(__file__).with_name(f"fashion{options.pixels}_resnet8{KINDS[options.kind]}.onnx")
    write(to_onnx(net, target.stem, x.shape[1:]), target, x_test, y_test)


if __name__ == "__main__":
    main()
