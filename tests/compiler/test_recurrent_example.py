"""The example of a trained recurrent network: its trainer, and what it gives on chips."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions, compile_for_chip
from mho.hw.config import load_chip
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, reference

EXAMPLES = Path(__file__).parents[2] / "examples"
DAY = 86_400.0


@pytest.fixture(name="trainer")
def _trainer(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLES / "models"))
    for name in ("train_recurrent", "train_series"):
        sys.modules.pop(name, None)
    import train_recurrent  # pyright: ignore[reportMissingImports]

    return train_recurrent


@pytest.fixture(name="records", scope="module")
def _records() -> dict[str, Array]:
    with np.load(EXAMPLES / "data" / "vibration.npz") as held:
        return {name: held[name] for name in held.files}


def test_gradients_are_those_of_differences(trainer: Any) -> None:
    rng = np.random.default_rng(0)
    net = trainer.Lstm(rng, inputs=3, units=4)
    net.values = [v.astype(np.float64) for v in net.values]
    frames, weight = rng.normal(size=(5, 6, 3)), rng.normal(size=(5, 4))
    net.forward(frames, net.values)
    found = net.backward(frames, net.values, weight)
    for value, slope in zip(net.values, found, strict=True):
        for place in [tuple(rng.integers(value.shape)) for _ in range(5)]:
            ends = []
            for shift in (1e-5, -1e-5):
                value[place] += shift
                ends.append(float((net.forward(frames, net.values) * weight).sum()))
                value[place] -= shift
            np.testing.assert_allclose(slope[place], (ends[0] - ends[1]) / 2e-5, rtol=1e-4, atol=1e-6)


def test_what_is_exported_is_what_was_trained(trainer: Any) -> None:
    """Training with noise of the weights lowers the loss; onnxruntime gives the scores of the trainer."""
    x, y = trainer.signals(np.random.default_rng(0), 400)
    scaled = x.astype(np.float32) / trainer.SCALE

    def scores(net: Any) -> Array:
        return net.forward(scaled.reshape(len(x), trainer.STEPS, trainer.FRAME), net.values)

    def loss(net: Any) -> float:
        score = scores(net)
        return float((np.log(np.exp(score).sum(axis=1)) - score[np.arange(len(y)), y]).mean())

    net = trainer.train(scaled, y, epochs=20, noise=trainer.NOISE)
    assert loss(net) < 0.9 * loss(trainer.Lstm(np.random.default_rng(1)))
    e = np.exp(scores(net))
    got = reference(trainer.to_onnx(net), x[:, None].astype(np.float32))
    np.testing.assert_allclose(got, e / e.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-5)


def accuracies(network: Any, records: dict[str, Array], chips: int) -> tuple[float, float]:
    """Of ideal cells, and of a day later, the mean of some chips, in percent."""
    x, y = records["x_test"].astype(np.float32), records["y_test"]

    def accuracy(**options: Any) -> float:
        outputs = execute(network, FunctionalBackend(), x, **options).outputs
        return 100.0 * float((outputs.argmax(axis=1) == y).mean())

    days = [accuracy(device="rram-neurram", seed=seed, time_s=DAY) for seed in range(chips)]
    return accuracy(device="ideal"), float(np.mean(days))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vibration_lstm", "vibration_lstm_noise"])
def test_accuracy_on_a_core(name: str, records: dict[str, Array]) -> None:
    path = EXAMPLES / "models" / f"{name}.onnx"
    right = reference(path, records["x_test"].astype(np.float32)).argmax(axis=1) == records["y_test"]
    wanted = 100.0 * float(right.mean())
    assert wanted > 97.0
    network = compile_for_chip(path, load_chip("neurram-core"), calibrate=records["x_train"].astype(np.float32),
                               options=CompileOptions(samples=128))
    ideal, day = accuracies(network, records, 3)
    assert ideal >= wanted - 1.5
    assert day >= wanted - 4.0


@pytest.mark.slow
def test_layers_are_repeated_where_outputs_are_not_right_without(records: dict[str, Array]) -> None:
    """On tiles; errors of the states add up over the steps, more than the estimate of noise knows."""
    path, x = EXAMPLES / "models" / "vibration_lstm.onnx", records["x_train"].astype(np.float32)
    found = {}
    for copies in (1, None):
        network = compile_for_chip(path, load_chip("neurram"), calibrate=x, options=CompileOptions(copies=copies))
        columns = [int(np.bincount(layer.mvms[0].outputs).max()) for layer in network.layers]
        found[copies] = columns, accuracies(network, records, 3)
    assert found[1][0] == [1, 1, 1]
    assert min(found[None][0]) > 1
    assert found[None][1][0] >= 98.2 - 1.5
    assert found[None][1][1] > found[1][1][1] + 2.0
