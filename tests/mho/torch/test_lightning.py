"""State dicts as aihwkit-lightning 2.1 writes them: weights and ranges of inputs, of several tiles a layer."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mho[torch]'")

import mho.torch  # noqa: E402

RANGES = {"0": [0.6], "3": [0.3, 0.05, 0.4]}


def plain() -> Any:
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 4))


def trained_state() -> dict[str, Any]:
    torch.manual_seed(3)
    state = dict(plain().state_dict())
    for name, limits in RANGES.items():
        full = torch.full((len(limits),), 1e-5)
        state |= {f"{name}.input_range": torch.tensor(limits), f"{name}.input_range_update_idx": 3e5 * full,
                  f"{name}.x_min": -full, f"{name}.x_max": full}
    return state


def test_weights_and_ranges_are_the_compiler_s() -> None:
    state, x = trained_state(), np.random.default_rng(0).uniform(-1, 1, (32, 1, 4, 4)).astype("f4")
    module = mho.torch.from_lightning(plain(), state)
    hidden = torch.nn.functional.conv2d(
        torch.from_numpy(x).clamp(-0.6, 0.6), state["0.weight"], state["0.bias"], padding=1).relu().flatten(1)
    high = torch.tensor([0.3] * 11 + [0.05] * 11 + [0.4] * 10)
    expected = (hidden.clamp(-high, high) @ state["3.weight"].T + state["3.bias"]).detach().numpy()
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.from_numpy(x)).numpy(), expected, atol=1e-6)
    run = mho.compile(module, "tnsa64-core", calibrate=x, tolerance=0.0).run(x, device="ideal", time=0)
    np.testing.assert_allclose(run.reference, expected, atol=1e-5)
    assert np.sqrt(np.mean((run.outputs - expected) ** 2)) < 0.03 * expected.std()
    assert np.abs(expected - plain_outputs(state, x)).max() > 0.1


def plain_outputs(state: dict[str, Any], x: np.ndarray) -> np.ndarray:
    module = plain()
    module.load_state_dict({key: value for key, value in state.items() if key in module.state_dict()})
    with torch.no_grad():
        return module(torch.from_numpy(x)).numpy()


@pytest.mark.parametrize(("changed", "message"), [
    ({"4.weight": torch.zeros(2, 2)}, "the state is not of this module: .*4.weight"),
    ({"0.weight": torch.zeros(2, 2)}, "the state is not of this module"),
    ({"0.input_range": torch.tensor([-1.0])}, "0.input_range must be positive numbers"),
    ({"1.input_range": torch.tensor([1.0])}, "layer '1': input ranges of ReLU have no form here"),
])
def test_what_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(mho.InputError, match=message):
        mho.torch.from_lightning(plain(), trained_state() | changed)
