"""Trains the example classifiers and writes them with their data to ``mho/data``, a small one to ``examples/soc``.

    python examples/models/train.py

Needs scikit-learn (the digits), numpy and onnx. Everything is drawn from fixed seeds. Training adds Gaussian noise to
the weights in every step, 5 or 10 % of each layer's largest weight: networks that were trained so keep their accuracy
when cells relax (Wan et al., Nature 608, 504 (2022), trained with 10 to 20 %). The models take pixels as they are,
0..16 and 0..255.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Float = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "mho" / "data"
FASHION = ROOT / "examples" / "data" / "fashion_mnist14.npz"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a perceptron is trained: Adam with a cosine schedule on the cross entropy."""

    hidden: tuple[int, ...]
    epochs: int
    rate: float = 5e-3
    batch: int = 64
    decay: float = 1e-4
    noise: float = 0.1
    """Standard deviation of the noise on the weights, relative to the layer's largest."""
    flip: bool = False
    """Whether images are mirrored at random."""
    smoothing: float = 0.1
    """Probability that is shared out among the wrong classes."""
    seed: int = 1


class Adam:
    """Adam (Kingma and Ba, 2015) with its usual rates: means of the gradients of some values and of their squares.

    Attributes
    ----------
    step
        Steps so far.
    """

    def __init__(self, values: Sequence[NDArray[Any]]) -> None:
        self.step = 0
        self._first, self._second = [np.zeros_like(v) for v in values], [np.zeros_like(v) for v in values]

    def updates(self, slopes: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """What each value is to go down by in the next step, at a rate of 1."""
        first, second = self._first, self._second
        self.step += 1
        for k, slope in enumerate(slopes):
            first[k] = 0.9 * first[k] + 0.1 * slope
            second[k] = 0.999 * second[k] + 0.001 * slope**2
            yield (first[k] / (1 - 0.9**self.step)) / (np.sqrt(second[k] / (1 - 0.999**self.step)) + 1e-8)


def cosine(step: int, steps: int) -> float:
    """Of the rate in a step of so many: from 1 down to 0."""
    return 0.5 * (1 + np.cos(np.pi * step / steps))


def descend(
    values: list[NDArray[Any]], slopes: Callable[[NDArray[np.int64]], Iterable[NDArray[Any]]], count: int,
    rng: np.random.Generator, *, epochs: int, rate: Callable[[int, int], float], decay: float = 0.0,
) -> None:
    """Adam in single precision on whole batches of 50 of ``count`` examples; ``values`` are changed where they lie.

    ``slopes`` gives the gradients for the examples of a batch, ``rate`` the rate in a step of so many; matrices decay.
    """
    adam, batch = Adam(values), 50
    steps = epochs * (count // batch)
    for _ in range(epochs):
        order = rng.permutation(count)
        for start in range(0, count - batch + 1, batch):
            gradients = slopes(order[start : start + batch])
            now = rate(adam.step + 1, steps)
            for value, update in zip(values, adam.updates(gradients), strict=True):
                value -= (now * update).astype(np.float32)
                if decay and value.ndim > 1:
                    value *= np.float32(1 - now * decay)


class Conv:
    """A convolution with padding that keeps the size at a stride of 1; records over time have one row.

    Weights are (inputs, outputs), inputs by row, column and channel of the window.
    """

    def __init__(
        self, rng: np.random.Generator, inputs: int, outputs: int, kernel: tuple[int, int], stride: int,
        gain: float = 1.0,
    ) -> None:
        fan = kernel[0] * kernel[1] * inputs
        self.weight = (rng.normal(size=(fan, outputs)) * gain * np.sqrt(2 / fan)).astype(np.float32)
        self.bias = np.zeros(outputs, np.float32)
        self.kernel, self.stride = kernel, stride

    def _places(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """Where each pixel of the window lies in the padded image."""
        high, wide = (-(-side // self.stride) for side in shape[1:3])
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                yield (slice(i, i + self.stride * (high - 1) + 1, self.stride),
                       slice(j, j + self.stride * (wide - 1) + 1, self.stride))

    def _padded(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.pad(x, ((0, 0), *((side // 2, side // 2) for side in self.kernel), (0, 0)))

    def forward(self, x: NDArray[Any], weight: NDArray[Any] | None = None) -> NDArray[Any]:
        """Images (images, rows, columns, channels), with ``weight`` in place of its own if it is given."""
        padded = self._padded(x)
        self.patches = np.concatenate([padded[:, a, b] for a, b in self._places(x.shape)], axis=3)
        self.shape, self.used = x.shape, self.weight if weight is None else weight
        return self.patches @ self.used + self.bias

    def backward(self, slope: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Gradients of the weights, of the biases, and of the images."""
        flat = slope.reshape(-1, slope.shape[3])
        weight = self.patches.reshape(len(flat), -1).T @ flat
        patches = (flat @ self.used.T).reshape(self.patches.shape)
        padded = np.zeros_like(self._padded(np.empty(self.shape, np.float32)))
        for k, (a, b) in enumerate(self._places(self.shape)):
            padded[:, a, b] += patches[..., k * self.shape[3] : (k + 1) * self.shape[3]]
        top, left = (side // 2 for side in self.kernel)
        return weight, flat.sum(axis=0), padded[:, top : top + self.shape[1], left : left + self.shape[2]]


def entropy_slope(score: NDArray[Any], target: NDArray[Any]) -> NDArray[Any]:
    """Gradient of the mean cross entropy of a softmax, with respect to scores (examples, classes)."""
    e = np.exp(score - score.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True) - target) / len(score)


def train(x: Float, y: NDArray[np.int64], recipe: Recipe) -> list[tuple[Float, Float]]:
    """Weights (inputs, outputs) and biases of each layer for images (images, height, width) scaled to 0..1."""
    rng = np.random.default_rng(recipe.seed)
    sizes = [x[0].size, *recipe.hidden, int(y.max()) + 1]
    values = [rng.normal(size=(a, b)) * np.sqrt(2 / a) for a, b in pairwise(sizes)]
    values += [np.zeros(b) for b in sizes[1:]]
    layers = len(sizes) - 1
    adam = Adam(values)
    target = np.eye(sizes[-1])[y] * (1 - recipe.smoothing) + recipe.smoothing / sizes[-1]
    steps = recipe.epochs * -(-len(x) // recipe.batch)
    for _ in range(recipe.epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), recipe.batch):
            chosen = order[start : start + recipe.batch]
            images = _augment(x[chosen], recipe, rng).reshape(len(chosen), -1)
            noisy = [w + rng.normal(size=w.shape) * recipe.noise * np.abs(w).max() for w in values[:layers]]
            slopes = _gradients(images, target[chosen], noisy, values[layers:])
            rate = recipe.rate * cosine(adam.step + 1, steps)
            for k, update in enumerate(adam.updates(slopes)):
                values[k] = values[k] - rate * update - recipe.rate * recipe.decay * (k < layers) * values[k]
    return list(zip(values[:layers], values[layers:], strict=True))


def _augment(images: Float, recipe: Recipe, rng: np.random.Generator) -> Float:
    if recipe.flip:
        mirrored = rng.random(len(images)) < 0.5
        images = np.where(mirrored[:, None, None], images[:, :, ::-1], images)
    return images


def _gradients(x: Float, target: Float, weights: Sequence[Float], biases: Sequence[Float]) -> list[Float]:
    """Gradients of the cross entropy with respect to weights, then biases."""
    values = [x]
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = values[-1] @ w + b
        values.append(np.maximum(z, 0) if k + 1 < len(weights) else z)
    error = entropy_slope(values[-1], target)
    slopes: list[Float] = []
    offsets: list[Float] = []
    for k in range(len(weights) - 1, -1, -1):
        slopes.insert(0, values[k].T @ error)
        offsets.insert(0, error.sum(axis=0))
        error = (error @ weights[k].T) * (values[k] > 0)
    return [*slopes, *offsets]


def to_onnx(name: str, layers: Sequence[tuple[Float, Float]], shape: tuple[int, ...], scale: float) -> onnx.ModelProto:
    """The perceptron with the scale of its pixels folded into the first layer."""
    nodes = [helper.make_node("Flatten", ["image"], ["flat"], name="flatten")]
    tensors, value = dict[str, NDArray[Any]](), "flat"
    for k, (w, b) in enumerate(layers):
        w = w / scale if k == 0 else w
        tensors |= {f"fc{k}.weight": w.T.astype(np.float32), f"fc{k}.bias": b.astype(np.float32)}
        nodes.append(
            helper.make_node("Gemm", [value, f"fc{k}.weight", f"fc{k}.bias"], [f"fc{k}.out"], name=f"fc{k}", transB=1)
        )
        value = f"fc{k}.out"
        if k + 1 < len(layers):
            nodes.append(helper.make_node("Relu", [value], [f"relu{k}"], name=f"relu{k}"))
            value = f"relu{k}"
    return classifier(name, nodes, value, tensors, source="image", shape=shape, classes=layers[-1][1].size)


def classifier(
    name: str, nodes: Sequence[onnx.NodeProto], scores: str, tensors: Mapping[str, NDArray[Any]], *, source: str,
    shape: Sequence[int], classes: int,
) -> onnx.ModelProto:
    """A model from an input ``source`` of some shape to probabilities, by a softmax of the value ``scores``."""
    softmax = helper.make_node("Softmax", [scores], ["probability"], name="softmax", axis=-1)
    ends = [
        [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["batch", *sizes])]
        for end, sizes in ((source, shape), ("probability", (classes,)))
    ]
    weights = [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in tensors.items()]
    graph = helper.make_graph([*nodes, softmax], name, ends[0], ends[1], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="mho")


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """1297 training and 500 test images of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = images[order].reshape(-1, 8, 8).astype(np.uint8), classes[order].astype(np.int64)
    return x[500:], y[500:], x[:500], y[:500]


def _half_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    """The same with sums of two rows: 4 x 8 pixels, 0..32, for a tile of 64 lines."""
    x, y, x_test, y_test = _digits()
    half, half_test = (images.reshape(-1, 4, 2, 8).sum(axis=2, dtype=np.uint8) for images in (x, x_test))
    return half, y, half_test[:100], y_test[:100]


def _fashion() -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
    with np.load(FASHION, allow_pickle=False) as data:
        return data["x_train"], data["y_train"].astype(np.int64), data["x_test"], data["y_test"].astype(np.int64)


RECIPES = {
    "digits": (_digits, 16.0, Recipe(hidden=(48,), epochs=300, batch=32), TARGET),
    "fashion14": (_fashion, 255.0, Recipe(hidden=(64,), epochs=200, flip=True, noise=0.05, decay=1e-2), TARGET),
    "half_digits": (_half_digits, 32.0, Recipe(hidden=(32,), epochs=300, batch=32), ROOT / "examples" / "soc"),
}


def main() -> None:
    """Trains all and reports their accuracy in onnxruntime's arithmetic, where that is installed."""
    for name, (load, scale, recipe, folder) in RECIPES.items():
        x, y, x_test, y_test = load()
        layers = train(x / scale, y, recipe)
        model = to_onnx(name, layers, x.shape[1:], scale)
        np.savez_compressed(folder / f"{name}.npz", x=x_test, y=y_test.astype(np.uint8), calibrate=x[:256])
        write(model, folder / f"{name}.onnx", x_test, y_test)


def write(model: onnx.ModelProto, path: Path, x: NDArray[Any], y: NDArray[np.integer]) -> None:
    """Write a model, and print the share of test inputs that it puts into their class in onnxruntime's arithmetic."""
    import onnxruntime

    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: x.astype(np.float32)})
    right = (np.argmax(np.asarray(output), axis=1) == y).mean()
    print(f"{path.stem}: {right:.2%} of {len(y)} test inputs")


if __name__ == "__main__":
    main()
