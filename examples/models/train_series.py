"""Trains the example of a time series and writes ``vibration_cnn.onnx`` and ``../data/vibration.npz``.

    python examples/models/train_series.py

Needs numpy and onnx. Which of four states a machine is in, from 128 samples of an 8-bit accelerometer: three
convolutions over time, the mean of all steps, a dense layer. The signals are made here, by the law of :func:`signals`,
which is simple on purpose: tones of a shaft that turns 4 to 6 times in a record, and what goes wrong in each state,
under noise half as strong as the signal. Everything is drawn from a fixed seed.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from train import Conv, classifier, cosine, descend, entropy_slope, write

Float = NDArray[Any]

STATES = ("sound", "unbalanced", "bearing", "loose")
LENGTH = 128
CHANNELS, KERNELS, STRIDES = (16, 32, 32), (7, 5, 3), (2, 2, 2)
DATA = Path(__file__).resolve().parents[1] / "data" / "vibration.npz"


def signals(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Records (count, LENGTH) in -127..127, and their states.

    With the phase p of the shaft: sound is sin p; unbalanced 1.5 sin p + 0.6 sin 2p; bearing is sound with a decaying
    tone of 20 times the frequency, begun anew 3.6 times a turn; loose is sin p cut at 0.4, with 0.5 sin p/2. Each is
    scaled by 0.7 to 1.3, and has normal noise of half of its root mean square.
    """
    state = rng.integers(0, len(STATES), count)
    turns, start = rng.uniform(4, 6, (count, 1)), rng.uniform(0, 1, (count, 1))
    phase = 2 * np.pi * (turns * np.arange(LENGTH) / LENGTH + start)
    tone = np.sin(phase)
    since = (3.6 * phase / (2 * np.pi)) % 1
    ring = np.exp(-4 * since) * np.sin(2 * np.pi * 20 / 3.6 * since)
    kinds = [tone, 1.5 * tone + 0.6 * np.sin(2 * phase), tone + 1.5 * ring,
             np.clip(tone, -0.4, 0.4) + 0.5 * np.sin(phase / 2)]
    records = np.choose(state[:, None], kinds) * rng.uniform(0.7, 1.3, (count, 1))
    records += 0.5 * np.sqrt((records**2).mean(axis=1, keepdims=True)) * rng.normal(size=records.shape)
    return np.clip(np.rint(32 * records), -127, 127).astype(np.int8), state


def train(x: Float, y: NDArray[np.int64], *, epochs: int = 20, rate: float = 3e-3, seed: int = 1) -> list[Conv]:
    """Adam with a cosine schedule, for records (records, steps) scaled to -1..1; the dense layer is the last one."""
    rng = np.random.default_rng(seed)
    sizes = zip((1, *CHANNELS), (*CHANNELS, len(STATES)), (*KERNELS, 1), (*STRIDES, 1), strict=True)
    net = [Conv(rng, before, after, (1, kernel), stride) for before, after, kernel, stride in sizes]
    values = [v for layer in net for v in (layer.weight, layer.bias)]
    target = np.eye(len(STATES), dtype="f4")[y]

    def gradients(chosen: NDArray[np.int64]) -> list[Float]:
        activations = [x[chosen, None, :, None]]
        for layer in net[:-1]:
            activations.append(np.maximum(layer.forward(activations[-1]), 0))
        score = net[-1].forward(activations[-1].mean(axis=2, keepdims=True))
        slope, slopes = entropy_slope(score[:, 0, 0], target[chosen])[:, None, None], list[Float]()
        for k in reversed(range(len(net))):
            weight, bias, slope = net[k].backward(slope)
            slopes = [weight, bias, *slopes]
            if k == len(net) - 1:
                slope = np.broadcast_to(slope / activations[k].shape[2], activations[k].shape)
            slope = slope * (activations[k] > 0)
        return slopes

    descend(values, gradients, len(x), rng, epochs=epochs, rate=lambda step, steps: rate * cosine(step, steps))
    return net


def to_onnx(net: list[Conv]) -> onnx.ModelProto:
    """The network for records [batch, 1, LENGTH] in -127..127, whose scale is folded into the first layer."""
    nodes, tensors, value = [], dict[str, Float](), "record"
    for k, layer in enumerate(net[:-1]):
        weight = layer.weight.reshape(layer.kernel[1], -1, layer.bias.size).transpose(2, 1, 0)
        weight = weight / (127.0 if k == 0 else 1.0)
        tensors |= {f"conv{k}.weight": weight.astype("f4"), f"conv{k}.bias": layer.bias}
        nodes.append(helper.make_node(
            "Conv", [value, f"conv{k}.weight", f"conv{k}.bias"], [f"c{k}"], name=f"conv{k}",
            kernel_shape=[layer.kernel[1]], pads=[layer.kernel[1] // 2] * 2, strides=[layer.stride]))
        nodes.append(helper.make_node("Relu", [f"c{k}"], [f"r{k}"], name=f"relu{k}"))
        value = f"r{k}"
    tensors |= {"fc.weight": net[-1].weight, "fc.bias": net[-1].bias}
    nodes += [helper.make_node("GlobalAveragePool", [value], ["mean"], name="mean"),
              helper.make_node("Flatten", ["mean"], ["flat"], name="flatten"),
              helper.make_node("Gemm", ["flat", "fc.weight", "fc.bias"], ["score"], name="fc")]
    return classifier("vibration_cnn", nodes, "score", tensors, source="record", shape=(1, LENGTH), classes=len(STATES))


def main() -> None:
    """Makes the signals, trains, writes, and reports the accuracy of onnxruntime."""
    rng = np.random.default_rng(0)
    (x, y), (x_test, y_test) = signals(rng, 2000), signals(rng, 500)
    net = train(x.astype("f4") / 127, y)
    np.savez_compressed(DATA, x_train=x[:256, None], y_train=y[:256], x_test=x_test[:, None], y_test=y_test)
    write(to_onnx(net), Path(__file__).with_name("vibration_cnn.onnx"), x_test[:, None], y_test)


if __name__ == "__main__":
    main()
