"""The example of a trained recurrent network: its trainer, and what it gives on chips."""

from dataclasses import replace
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


@pytest.fixture(name="records", scope="module")
def _records() -> dict[str, Array]:
    with np.load(EXAMPLES / "data" / "vibration.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.mark.slow
def test_what_is_exported_is_what_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training with noise of the weights lowers the loss; onnxruntime gives the scores of the trainer."""
    torch = pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(EXAMPLES / "models"))
    import train  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = train.signals(np.random.default_rng(0), 400)
    recipe = replace(train.RECIPES["vibration_lstm_noise"], epochs=20)
    records, net = torch.tensor(x, dtype=torch.float32), recipe.net()

    def loss() -> float:
        return torch.nn.functional.cross_entropy(net(records / recipe.scale), torch.tensor(y)).item()

    before = loss()
    train.fit(net, x, y, recipe)
    assert loss() < 0.8 * before
    expected = torch.softmax(net(records / recipe.scale), dim=1).detach().numpy()
    scores = reference(train.to_onnx(net, x, recipe.scale, recipe.source), x.astype(np.float32))
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-5)


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
    expected = 100.0 * float(right.mean())
    assert expected > 97.0
    network = compile_for_chip(path, load_chip("neurram-core"), calibrate=records["x_train"].astype(np.float32),
                               options=CompileOptions(samples=128))
    ideal, day = accuracies(network, records, 3)
    assert ideal >= expected - 1.5
    assert day >= expected - 4.0


@pytest.mark.slow
def test_layers_are_repeated_where_outputs_are_not_right_without(records: dict[str, Array]) -> None:
    """On tiles; errors of the states add up over the steps, more than the estimate of noise knows."""
    path, x = EXAMPLES / "models" / "vibration_lstm.onnx", records["x_train"].astype(np.float32)
    results = {}
    for copies in (1, None):
        network = compile_for_chip(path, load_chip("neurram"), calibrate=x, options=CompileOptions(copies=copies))
        columns = [int(np.bincount(layer.mvms[0].outputs).max()) for layer in network.layers]
        results[copies] = columns, accuracies(network, records, 3)
    assert results[1][0] == [1, 1, 1]
    assert min(results[None][0]) > 1
    assert results[None][1][0] >= 98.2 - 1.5
    assert results[None][1][1] > results[1][1][1] + 2.0
