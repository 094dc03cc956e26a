"""Trains the example of a recurrent network and writes ``vibration_lstm.onnx``, with ``noise`` another one.

    python examples/models/train_recurrent.py [plain] [noise]

Needs numpy and onnx. The records are those of ``train_series.py``, whose convolutional network is the measure: an LSTM
of 24 units takes the 128 samples of a machine in 16 frames of 8, and a dense layer says from its last state which of
four states the machine is in. ``noise`` adds noise to all weights in every step, as the relaxation of cells will, and
writes ``vibration_lstm_noise.onnx``. Everything is drawn from a fixed seed. Each takes ten seconds of CPU time.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from train import classifier, cosine, descend, entropy_slope, write
from train_series import DATA, LENGTH, STATES, signals

Float = NDArray[Any]

FRAME, UNITS = 8, 24
STEPS = LENGTH // FRAME
SCALE = 127.0
NOISE = 0.025
"""Standard deviation of the noise of ``noise``, relative to the largest weight of a layer."""
TARGETS = {"plain": "vibration_lstm.onnx", "noise": "vibration_lstm_noise.onnx"}


def _sigmoid(x: Float) -> Float:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


class Lstm:
    """An LSTM and a dense layer of its last state.

    ``values`` are the weights of the inputs and of the states, (inputs, 4 units), and their bias; then those of the
    dense layer. Gates are in ONNX's order: input, output, forget, cell.
    """

    def __init__(self, rng: np.random.Generator, inputs: int = FRAME, units: int = UNITS) -> None:
        shapes = (inputs, 4 * units), (units, 4 * units), (units, len(STATES))
        input_weights, state, last = (rng.normal(size=s).astype("f4") / np.float32(np.sqrt(s[0])) for s in shapes)
        bias = np.zeros(4 * units, "f4")
        bias[2 * units : 3 * units] = 1.0  # remember at first
        self.values = [input_weights, state, bias, last, np.zeros(len(STATES), "f4")]

    def forward(self, frames: Float, values: list[Float]) -> Float:
        """Scores (records, states) of frames (records, steps, samples); keeps what the gradients need."""
        input_weights, state, bias, last, offset = values
        h = c = np.zeros((len(frames), len(state)), "f4")
        self.kept = []
        for t in range(frames.shape[1]):
            gates = frames[:, t] @ input_weights + h @ state + bias
            i, o, f = (_sigmoid(part) for part in np.split(gates[:, : 3 * len(state)], 3, axis=1))
            g, before = np.tanh(gates[:, 3 * len(state) :]), (h, c)
            c = f * c + i * g
            h = o * np.tanh(c)
            self.kept.append((i, o, f, g, c, *before))
        self.last = h
        return h @ last + offset

    def backward(self, frames: Float, values: list[Float], slope: Float) -> list[Float]:
        """Gradients of all values, for that of the scores."""
        _, state, _, last, _ = values
        gradients = [np.zeros_like(v) for v in values]
        gradients[3], gradients[4] = self.last.T @ slope, slope.sum(axis=0)
        dh, dc = slope @ last.T, np.zeros_like(self.last)
        for t in reversed(range(frames.shape[1])):
            i, o, f, g, c, h_before, c_before = self.kept[t]
            bent = np.tanh(c)
            dc = dc + dh * o * (1 - bent**2)
            parts = dc * g * i * (1 - i), dh * bent * o * (1 - o), dc * c_before * f * (1 - f), dc * i * (1 - g**2)
            gates = np.concatenate(parts, axis=1)
            gradients[0] += frames[:, t].T @ gates
            gradients[1] += h_before.T @ gates
            gradients[2] += gates.sum(axis=0)
            dh, dc = gates @ state.T, dc * f
        return gradients


def train(
    x: Float, y: NDArray[np.int64], *, epochs: int = 30, rate: float = 4e-3, noise: float = 0.0, seed: int = 1
) -> Lstm:
    """Adam with a cosine schedule and gradients of a norm of 1 at most, for records (records, LENGTH) in -1..1."""
    rng, frames = np.random.default_rng(seed), x.reshape(len(x), STEPS, FRAME)
    net = Lstm(rng)
    target = np.eye(len(STATES), dtype="f4")[y]

    def gradients(chosen: NDArray[np.int64]) -> list[Float]:
        values = [v if v.ndim == 1 or not noise else
                  v + rng.standard_normal(v.shape, np.float32) * np.float32(noise) * np.abs(v).max()
                  for v in net.values]
        slope = entropy_slope(net.forward(frames[chosen], values), target[chosen])
        slopes = net.backward(frames[chosen], values, slope)
        size = np.sqrt(sum(float((s**2).sum()) for s in slopes))
        return [slope / max(1.0, size) for slope in slopes]

    descend(net.values, gradients, len(x), rng, epochs=epochs, rate=lambda step, steps: rate * cosine(step, steps))
    return net


def to_onnx(net: Lstm, name: str = "vibration_lstm") -> onnx.ModelProto:
    """The network for records [batch, 1, LENGTH] in -127..127, whose scale is folded into the weights of the inputs."""
    input_weights, state, bias, last, offset = net.values
    tensors = {
        "lstm.taken": input_weights.T[None] / np.float32(SCALE), "lstm.state": state.T[None],
        "lstm.bias": np.concatenate([bias, np.zeros_like(bias)])[None], "fc.weight": last, "fc.bias": offset,
        "frames": np.array([0, STEPS, FRAME]), "first": np.array([0]),
    }
    nodes = [
        helper.make_node("Reshape", ["record", "frames"], ["in_frames"], name="frame"),
        helper.make_node("Transpose", ["in_frames"], ["in_time"], name="time", perm=[1, 0, 2]),
        helper.make_node("LSTM", ["in_time", "lstm.taken", "lstm.state", "lstm.bias"], ["", "last"], name="lstm",
                         hidden_size=len(state)),
        helper.make_node("Squeeze", ["last", "first"], ["state"], name="last"),
        helper.make_node("Gemm", ["state", "fc.weight", "fc.bias"], ["score"], name="fc"),
    ]
    return classifier(name, nodes, "score", tensors, source="record", shape=(1, LENGTH), classes=len(STATES))


def main() -> None:
    """Makes the signals, trains, writes, and reports the accuracy of onnxruntime on the records of ``DATA``."""
    x, y = signals(np.random.default_rng(2), 6000)
    with np.load(DATA) as data:
        x_test, y_test = data["x_test"], data["y_test"]
    for kind in sys.argv[1:] or ["plain"]:
        target = Path(__file__).with_name(TARGETS[kind])
        net = train(x.astype("f4") / SCALE, y, noise=NOISE if kind == "noise" else 0.0)
        write(to_onnx(net, target.stem), target, x_test, y_test)


if __name__ == "__main__":
    main()
