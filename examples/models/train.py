"""Trains the example networks in PyTorch and writes them as ONNX: here, to ``mho/data`` and to ``examples/soc``.

    python examples/models/train.py [NAME ..]

Without names those of ``mho/data`` and ``examples/soc``, with their data. Needs PyTorch, onnxruntime and scikit-learn
(the digits); everything is drawn from fixed seeds. The files that ship were trained in this way by version 0.2, which
had its gradients in numpy. Most recipes add Gaussian noise to the weights in every step, of some percent of each
layer's largest weight: networks that were trained so keep their accuracy when cells relax (Wan et al., Nature 608, 504
(2022), trained with 10 to 20 %). Models take pixels as they are, 0..16 and 0..255, and samples in -127..127.
"""

import io
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

Data = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
"""Training inputs and their classes, then those of the test."""

EXAMPLES = Path(__file__).resolve().parents[1]
SHIPPED = EXAMPLES.parent / "mho" / "data"


def perceptron(*sizes: int) -> nn.Sequential:
    """Layers of these sizes, with ReLU between."""
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def cnn(side: int = 14, channels: tuple[int, int] = (8, 16), pools: tuple[int, int] = (2, 2)) -> nn.Sequential:
    """Two convolutions of 3 x 3, each with ReLU and a pooling, and a dense layer."""
    layers, before, left = list[nn.Module](), 1, side
    for wide, pool in zip(channels, pools, strict=True):
        layers += [nn.Conv2d(before, wide, 3, padding=1), nn.ReLU(), nn.MaxPool2d(pool)]
        before, left = wide, left // pool
    return nn.Sequential(nn.Unflatten(1, (1, side)), *layers, nn.Flatten(), nn.Linear(left * left * before, 10))


class Block(nn.Module):
    """Two convolutions and what is beside them, with batch normalisation."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.second, self.second_norm = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        beside = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.beside = nn.Identity() if stride == 1 else beside

    def forward(self, x: Any) -> Any:
        """Images of shape (batch, channels, rows, columns)."""
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(inner)) + self.beside(x))


def resnet8(channels: int = 1) -> nn.Sequential:
    """ResNet-8 of MLPerf Tiny, for images of shape (batch, channels, rows, columns) and ten classes."""
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), Block(16, 16, 1),
        Block(16, 32, 2), Block(32, 64, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )


STATES = ("sound", "unbalanced", "bearing", "loose")
LENGTH, FRAME, UNITS = 128, 8, 24


def series() -> nn.Sequential:
    """Three convolutions over time, the mean of all steps, a dense layer."""
    sizes = ((1, 16, 7), (16, 32, 5), (32, 32, 3))
    layers = [layer for a, b, k in sizes for layer in (nn.Conv1d(a, b, k, 2, k // 2), nn.ReLU())]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(32, len(STATES)))


class Lstm(nn.Module):
    """An LSTM that takes a record in 16 frames of 8 samples, and a dense layer of its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(FRAME, UNITS, batch_first=True), nn.Linear(UNITS, len(STATES))
        nn.init.normal_(self.lstm.weight_ih_l0, std=FRAME**-0.5)
        nn.init.constant_(self.lstm.bias_ih_l0[UNITS : 2 * UNITS], 1.0)  # remember at first

    def forward(self, x: Any) -> Any:
        """Records of shape (batch, 1, LENGTH)."""
        _, (state, _) = self.lstm(x.reshape(-1, LENGTH // FRAME, FRAME))
        return self.out(state[0])


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained: Adam with a cosine schedule on the cross entropy."""

    net: Callable[[], nn.Module]
    data: Callable[[], Data]
    scale: float
    """By which inputs are divided."""
    epochs: int
    rate: float = 5e-3
    batch: int = 50
    decay: float = 1e-2
    noise: float = 0.0
    """Standard deviation of the noise on the weights, relative to the layer's largest."""
    smoothing: float = 0.1
    """Probability that is shared out among the classes."""
    flip: bool = False
    """Whether images are mirrored at random."""
    shift: int = 0
    """Pixels by which the images of a batch are moved at most."""
    folder: Path = EXAMPLES / "models"
    source: str = "image"
    """Name of the model's input."""


def spread(net: nn.Module) -> nn.Module:
    """The network with weights with which values keep their size from layer to layer (He et al., ICCV 2015)."""
    for layer in net.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return net


def fit(net: nn.Module, x: NDArray[Any], y: NDArray[Any], recipe: Recipe) -> nn.Module:
    """The network after training on inputs as the model takes them, scaled by the recipe."""
    inputs, classes = torch.tensor(x, dtype=torch.float32) / recipe.scale, torch.tensor(y, dtype=torch.int64)
    loss = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
    optimizer = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    steps = recipe.epochs * -(-len(x) // recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 100) * 0.5 * (1.0 + cos(pi * step / steps)))
    spread(net).train()
    for _ in range(recipe.epochs):
        for chosen in torch.randperm(len(x)).split(recipe.batch):
            optimizer.zero_grad()
            scores = torch.func.functional_call(net, _noisy(net, recipe.noise), _augmented(inputs[chosen], recipe))
            loss(scores, classes[chosen]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net.eval()


def _noisy(net: nn.Module, noise: float) -> dict[str, Any]:
    return {name: p + noise * p.detach().abs().max() * torch.randn_like(p) if noise and p.ndim > 1 else p
            for name, p in net.named_parameters()}


def _augmented(images: Any, recipe: Recipe) -> Any:
    if recipe.flip:
        mirrored = torch.rand(len(images), *[1] * (images.ndim - 1)) < 0.5
        images = torch.where(mirrored, images.flip(-1), images)
    if far := recipe.shift:
        (down, right), (rows, columns) = torch.randint(0, 2 * far + 1, (2,)).tolist(), images.shape[-2:]
        images = nn.functional.pad(images, (far,) * 4)[..., down : down + rows, right : right + columns]
    return images


class Classifier(nn.Module):
    """Probabilities of classes, from inputs as they are."""

    def __init__(self, net: nn.Module, scale: float) -> None:
        super().__init__()
        self.net, self.scale = net, scale

    def forward(self, x: Any) -> Any:
        """A batch of inputs."""
        return torch.softmax(self.net(x / self.scale), dim=-1)


def to_onnx(net: nn.Module, x: NDArray[Any], scale: float = 1.0, source: str = "image") -> onnx.ModelProto:
    """A network with a softmax, for batches of inputs like ``x``."""
    file, names = io.BytesIO(), [source, "probability"]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter about itself
        torch.onnx.export(
            Classifier(net, scale).eval(), (torch.tensor(x[:2], dtype=torch.float32),), file, input_names=names[:1],
            output_names=names[1:], dynamic_axes={name: {0: "batch"} for name in names}, dynamo=False)
    return onnx.load_model_from_string(file.getvalue())


def _digits() -> Data:
    """1297 training and 500 test images of scikit-learn's digits."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x, y = images[order].reshape(-1, 8, 8).astype(np.uint8), classes[order]
    return x[500:], y[500:], x[:500], y[:500]


def _half_digits() -> Data:
    """The same with sums of two rows: 4 x 8 pixels, 0..32, for a tile of 64 lines."""
    x, y, x_test, y_test = _digits()
    half, half_test = (images.reshape(-1, 4, 2, 8).sum(axis=2, dtype=np.uint8) for images in (x, x_test))
    return half, y, half_test[:100], y_test[:100]


def _fashion(pixels: int = 14, channels: tuple[int, ...] = ()) -> Data:
    with np.load(EXAMPLES / "data" / f"fashion_mnist{pixels}.npz", allow_pickle=False) as data:
        x, x_test = (data[name].reshape(-1, *channels, pixels, pixels) for name in ("x_train", "x_test"))
        return x, data["y_train"], x_test, data["y_test"]


def signals(rng: np.random.Generator, count: int) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Records (count, 1, LENGTH) of an 8-bit accelerometer, -127..127, and which of STATES the machine is in.

    Tones of a shaft that turns 4 to 6 times in a record. With its phase p: sound is sin p; unbalanced 1.5 sin p + 0.6
    sin 2p; bearing is sound with a decaying tone of 20 times the frequency, begun anew 3.6 times a turn; loose is sin p
    cut at 0.4, with 0.5 sin p/2. Each is scaled by 0.7 to 1.3, and has normal noise of half of its root mean square.
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
    return np.clip(np.rint(32 * records), -127, 127).astype(np.int8)[:, None], state


def _vibration(count: int = 2000) -> Data:
    """Records of :func:`signals`; those of ``vibration.npz`` are the first 256 of 2,000, and those of the test."""
    rng = np.random.default_rng(0)
    usual, test = signals(rng, 2000), signals(rng, 500)
    return *(usual if count == 2000 else signals(np.random.default_rng(2), count)), *test


def _residual(pixels: int, noise: float = 0.0) -> Recipe:
    return Recipe(net=resnet8, data=lambda: _fashion(pixels, (1,)), scale=255.0, epochs=60, rate=3e-3, decay=2e-2,
                  noise=noise, flip=True, shift=pixels // 14)


def _lstm(noise: float = 0.0) -> Recipe:
    return Recipe(net=Lstm, data=lambda: _vibration(6000), scale=127.0, epochs=30, rate=4e-3, decay=0.0, noise=noise,
                  smoothing=0.0, source="record")


RECIPES = {
    "digits": Recipe(net=lambda: perceptron(64, 48, 10), data=_digits, scale=16.0, epochs=300, batch=32, noise=0.1,
                     folder=SHIPPED),
    "fashion14": Recipe(net=lambda: perceptron(196, 64, 10), data=_fashion, scale=255.0, epochs=200, batch=64,
                        noise=0.05, flip=True, folder=SHIPPED),
    "half_digits": Recipe(net=lambda: perceptron(32, 32, 10), data=_half_digits, scale=32.0, epochs=300, batch=32,
                          noise=0.1, folder=EXAMPLES / "soc"),
    "fashion14_cnn": Recipe(net=cnn, data=_fashion, scale=255.0, epochs=160, rate=6e-3, noise=0.04, flip=True),
    "fashion14_resnet8": _residual(14), "fashion14_resnet8_noise": _residual(14, 0.025),
    "fashion28_resnet8": _residual(28), "fashion28_resnet8_noise": _residual(28, 0.025),
    "vibration_cnn": Recipe(net=series, data=_vibration, scale=127.0, epochs=40, rate=3e-3, decay=0.0, smoothing=0.0,
                            source="record"),
    "vibration_lstm": _lstm(), "vibration_lstm_noise": _lstm(0.025),
}


def main() -> None:
    """Train, write, and report accuracies in onnxruntime's arithmetic."""
    import onnxruntime

    torch.set_num_threads(1)  # small tensors
    for name in sys.argv[1:] or [name for name, recipe in RECIPES.items() if recipe.folder.name != "models"]:
        recipe = RECIPES[name]
        torch.manual_seed(1)
        x, y, x_test, y_test = recipe.data()
        model = to_onnx(fit(recipe.net(), x, y, recipe), x, recipe.scale, recipe.source)
        onnx.save(model, str(recipe.folder / f"{name}.onnx"))
        if recipe.folder.name != "models":
            np.savez_compressed(recipe.folder / f"{name}.npz", x=x_test, y=y_test.astype(np.uint8), calibrate=x[:256])
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (output,) = session.run(None, {recipe.source: x_test.astype(np.float32)})
        print(f"{name}: {(np.argmax(np.asarray(output), axis=1) == y_test).mean():.2%} of {len(y_test)} test inputs")


if __name__ == "__main__":
    main()
