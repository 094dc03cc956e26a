"""Networks that scikit-learn trains here, on features as they are: the compiler has not been fitted to them."""

from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions, compile_model
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, perceptron, reference
from tests.sim.outputs import quantised_outputs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

DAY = 86_400.0
Layers = list[tuple[Array, Array]]


def split(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[: len(x) * 6 // 10], order[len(x) * 6 // 10 :]
    return x[train].astype(np.float32), y[train], x[test].astype(np.float32), y[test]


def folded(layers: Layers, mean: Array, deviation: Array) -> Layers:
    """The standardisation of the features inside the first layer."""
    (w, b), *rest = layers
    w = w / deviation[:, None]
    return [(w, b - mean @ w), *rest]


@pytest.mark.parametrize("name", ["digits", "sequences"])
def test_convolutional_network(name: str) -> None:
    """Convolutions of random weights; the dense layer behind them is trained."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    if name == "digits":
        images, y = load_digits(return_X_y=True)
        images, rank = (images / 16).reshape(-1, 1, 8, 8), 2
    else:
        y, rank = rng.integers(0, 3, 900), 1
        phase = rng.uniform(0, 1, (900, 1)) + np.arange(32) / 10
        shape = np.stack([np.sin(2 * np.pi * phase), np.sign(phase % 1 - 0.5), 2 * (phase % 1) - 1], axis=1)
        images = (shape[np.arange(900), y] + 0.3 * rng.normal(size=(900, 32)))[:, None]
    x, y, x_test, y_test = split(images, y)
    weights = {
        "k": rng.normal(size=(8, 1, *[3] * rank)) * np.sqrt(2 / 3**rank), "b": rng.normal(size=8) / 4,
        "l": rng.normal(size=(16, 8, *[3] * rank)) * np.sqrt(2 / 8 / 3**rank), "c": rng.normal(size=16) / 4,
    }
    weights = {key: value.astype("f4") for key, value in weights.items()}
    body = [
        node("Conv", "x k b", "h", pads=[1] * 2 * rank), node("Relu", "h", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2] * rank, strides=[2] * rank),
        node("Conv", "p l c", "g", pads=[1] * 2 * rank), node("Relu", "g", "s"), node("Flatten", "s", "f"),
    ]
    size = 16 * 4**rank if name == "digits" else 16 * 16
    features = build([*body, node("Identity", "f", "y")], weights, shape=("N", *x.shape[1:]), output=("N", size))
    trained = LogisticRegression(max_iter=300, C=0.1).fit(reference(features, x), y)
    weights |= {"w": trained.coef_.T.astype("f4"), "v": trained.intercept_.astype("f4")}
    last = [node("Gemm", "f w v", "z"), node("Softmax", "z", "y", axis=1)]
    model = build([*body, *last], weights, shape=("N", *x.shape[1:]), output=("N", len(trained.classes_)))
    network = compile_model(model, load_chip("neurram-core"), calibrate=x[:200], options=CompileOptions(samples=200))

    def accuracy(outputs: Array) -> float:
        return 100.0 * float((outputs.argmax(axis=1) == y_test).mean())

    backend, expected = FunctionalBackend(), accuracy(reference(model, x_test))
    assert expected > 80.0
    assert accuracy(quantised_outputs(network, backend, x_test).outputs) >= expected - 1.5
    aged = [accuracy(execute(network, backend, x_test, seed=s, time_s=DAY).outputs) for s in range(3)]
    assert np.mean(aged) >= expected - 4.0


CLASSIFIERS = [
    ("load_iris", (16,), "folded"),
    ("load_iris", (10, 10), "in the graph"),
    ("load_wine", (16,), "folded"),
    ("load_wine", (32, 16), "in the graph"),
    ("load_breast_cancer", (16,), "folded"),
    ("load_breast_cancer", (32, 16, 8), "in the graph"),
    ("load_digits", (), "none"),
    ("load_digits", (32,), "none"),
    ("load_digits", (64, 32, 16), "none"),
]


@pytest.mark.parametrize(("data", "hidden", "scaling"), CLASSIFIERS)
def test_classifier(data: str, hidden: tuple[int, ...], scaling: str) -> None:
    from sklearn import datasets
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    x, y, x_test, y_test = split(*getattr(datasets, data)(return_X_y=True))
    mean, deviation = (x.mean(axis=0), x.std(axis=0)) if scaling != "none" else (0 * x[0], 0 * x[0] + 1)
    scaled = (x - mean) / deviation
    if hidden:
        trained = MLPClassifier(hidden, random_state=0, max_iter=400).fit(scaled, y)
        layers: Layers = list(zip(trained.coefs_, trained.intercepts_, strict=True))
    else:
        linear = LogisticRegression(max_iter=400).fit(scaled, y)
        layers = [(linear.coef_.T, linear.intercept_)]
    final = "Softmax" if layers[-1][1].size > 1 else "Sigmoid"
    if scaling == "in the graph":
        model = perceptron(layers, final=final, mean=mean, deviation=deviation)
    else:
        model = perceptron(folded(layers, mean, deviation), final=final)
    network = compile_model(model, load_chip("neurram-core"), calibrate=x)

    def accuracy(outputs: Array) -> float:
        chosen = outputs.argmax(axis=1) if outputs.shape[1] > 1 else outputs[:, 0] > 0.5
        return 100.0 * float((chosen == y_test).mean())

    backend = FunctionalBackend()
    expected = accuracy(reference(model, x_test))
    aged = [accuracy(execute(network, backend, x_test, seed=s, time_s=DAY).outputs) for s in range(5)]
    # One sample of a small test set weighs more than the bound.
    assert accuracy(quantised_outputs(network, backend, x_test).outputs) >= expected - max(1.5, 101.0 / len(y_test))
    assert np.mean(aged) >= expected - 4.0


@pytest.mark.parametrize("hidden", [(32,), (24, 12)])
@pytest.mark.parametrize("data", ["load_diabetes", "make_friedman1"])
def test_regressor(data: str, hidden: tuple[int, ...]) -> None:
    from sklearn import datasets
    from sklearn.neural_network import MLPRegressor

    if data == "load_diabetes":
        data_set: Any = datasets.load_diabetes(return_X_y=True, scaled=False)
    else:
        data_set = datasets.make_friedman1(800, n_features=10, random_state=0)
    x, y, x_test, _ = split(*data_set)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    trained = MLPRegressor(hidden_layer_sizes=hidden, random_state=0, max_iter=600, alpha=0.1)
    trained.fit((x - mean) / deviation, (y - y.mean()) / y.std())
    layers: Layers = list(zip(trained.coefs_, trained.intercepts_, strict=True))
    w, b = layers[-1]
    layers[-1] = (w * y.std(), b * y.std() + y.mean())
    model = perceptron(folded(layers, mean, deviation), final=None)
    network = compile_model(model, load_chip("neurram-core"), calibrate=x)
    backend, expected = FunctionalBackend(), reference(model, x_test)

    def error(outputs: Array) -> float:
        return float(np.sqrt(((outputs - expected) ** 2).mean()) / expected.std())

    assert error(quantised_outputs(network, backend, x_test).outputs) <= 0.05
    aged = [error(execute(network, backend, x_test, seed=s, time_s=DAY).outputs) for s in range(5)]
    assert np.mean(aged) <= 0.09


@pytest.mark.parametrize("final", ["frequency", "shape"])
def test_means_over_positions(final: str) -> None:
    """Random convolutions, of which one channel is nearly dead, and their means over all positions.

    Errors that are the same at all positions do not average out.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    rng = np.random.default_rng(1)
    shape, frequency = rng.integers(0, 3, 900), rng.uniform(0.5, 2.0, 900)
    phase = rng.uniform(0, 1, (900, 1)) + np.outer(frequency, np.arange(32) / 8)
    waves = np.stack([np.sin(2 * np.pi * phase), np.sign(phase % 1 - 0.5), 2 * (phase % 1) - 1], axis=1)
    signals = waves[np.arange(900), shape] + 0.1 * rng.normal(size=(900, 32))
    x, y, x_test, y_test = split(signals[:, None], frequency if final == "frequency" else shape)
    weights = {
        "k": rng.normal(size=(8, 1, 5)) * 0.6, "b": rng.normal(size=8) / 4,
        "l": rng.normal(size=(32, 8, 5)) * 0.25, "c": rng.normal(size=32) / 4,
    }
    weights = {key: value.astype("f4") for key, value in weights.items()}
    body = [
        node("Conv", "x k b", "h", pads=[2, 2]), node("Relu", "h", "r"), node("Conv", "r l c", "g", pads=[2, 2]),
        node("Relu", "g", "s"), node("GlobalAveragePool", "s", "p"), node("Flatten", "p", "f"),
    ]

    def convolved() -> Array:
        return reference(build([*body, node("Identity", "f", "y")], weights, shape=("N", 1, 32), output=("N", 32)), x)

    before_relu = build([*body[:3], node("Identity", "g", "y")], weights, shape=("N", 1, 32), output=("N", 32, 32))
    weights["c"][0] -= reference(before_relu, x)[:, 0].max() - 1e-4
    trained = (Ridge(1.0) if final == "frequency" else LogisticRegression(max_iter=2000, C=100)).fit(convolved(), y)
    weights |= {"w": np.atleast_2d(trained.coef_).T.astype("f4"), "v": np.ravel(trained.intercept_).astype("f4")}
    model = build([*body, node("Gemm", "f w v", "y")], weights, shape=("N", 1, 32), output=("N", weights["v"].size))
    network = compile_model(model, load_chip("neurram-core"), calibrate=x[:64])
    expected = reference(model, x_test)

    def lost(outputs: Array) -> float:
        if final == "frequency":
            return float(np.sqrt(((outputs - expected) ** 2).mean()) / expected.std())
        return float((expected.argmax(axis=1) == y_test).mean() - (outputs.argmax(axis=1) == y_test).mean())

    backend = FunctionalBackend()
    ideal = lost(quantised_outputs(network, backend, x_test).outputs)
    aged = np.mean([lost(execute(network, backend, x_test, seed=s, time_s=DAY).outputs) for s in range(5)])
    assert ideal <= (0.05 if final == "frequency" else 0.015)
    assert aged <= (0.12 if final == "frequency" else 0.04)
