"""Networks that scikit-learn trains here, on features as they are: the compiler has not been fitted to them."""

import numpy as np
import pytest

from compiler import compile_model
from hw.config import load_chip
from sim.executor import execute, quantised_outputs
from sim.functional import FunctionalBackend
from tests.compiler.onnx_models import Array, perceptron, reference

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
    wanted = accuracy(reference(model, x_test))
    aged = [accuracy(execute(network, backend, x_test, seed=s, time_s=DAY).outputs) for s in range(5)]
    # One sample of a small test set weighs more than the bound.
    assert accuracy(quantised_outputs(network, backend, x_test).outputs) >= wanted - max(1.5, 101.0 / len(y_test))
    assert np.mean(aged) >= wanted - 4.0


@pytest.mark.parametrize("hidden", [(32,), (24, 12)])
@pytest.mark.parametrize("data", ["load_diabetes", "make_friedman1"])
def test_regressor(data: str, hidden: tuple[int, ...]) -> None:
    from sklearn import datasets
    from sklearn.neural_network import MLPRegressor

    if data == "load_diabetes":
        x, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    else:
        x, y = datasets.make_friedman1(800, n_features=10, random_state=0)
    x, y, x_test, _ = split(x, y)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    trained = MLPRegressor(hidden_layer_sizes=hidden, random_state=0, max_iter=600, alpha=0.1)
    trained.fit((x - mean) / deviation, (y - y.mean()) / y.std())
    layers: Layers = list(zip(trained.coefs_, trained.intercepts_, strict=True))
    w, b = layers[-1]
    layers[-1] = (w * y.std(), b * y.std() + y.mean())
    model = perceptron(folded(layers, mean, deviation), final=None)
    network = compile_model(model, load_chip("neurram-core"), calibrate=x)
    wanted, got = reference(model, x_test), quantised_outputs(network, FunctionalBackend(), x_test).outputs
    assert np.sqrt(((got - wanted) ** 2).mean()) <= 0.05 * wanted.std()
