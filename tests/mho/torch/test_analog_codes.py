"""Codes of converted networks, bit for bit, and what noise does to them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mho.api.net import Net

torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mho[torch]'")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

import mho.torch  # noqa: E402
from tests.torch_models import MODELS  # noqa: E402

Array = np.ndarray
SLOW = pytest.mark.slow


def converted(name: str, chip: Any = "tnsa64-core", count: int = 16, **options: Any) -> tuple[Any, Array]:
    torch.manual_seed(0)
    build, shape = MODELS[name]
    x = np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype("f4")
    return mho.torch.convert(build().eval(), chip, calibrate=x, **options), x


def assert_codes_of_functional(analog: Any, x: Array, network: Any = None) -> None:
    analog.eval().keep_codes()
    analog.noise = False
    with torch.no_grad():
        outputs = analog(torch.from_numpy(x)).numpy()
    run = Net(network or analog.network).run(x, device="ideal", time=0)
    assert list(analog.codes) == list(run.codes)
    for layer, codes in run.codes.items():
        assert len(np.unique(codes)) > 2
        np.testing.assert_array_equal(analog.codes[layer].numpy(), codes)
    np.testing.assert_allclose(outputs, run.outputs.reshape(outputs.shape), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chip"), [*((name, "tnsa64-core") for name in MODELS), ("lstm", "pwm16-core")])
def test_codes_without_noise_are_those_of_the_functional_backend(name: str, chip: str) -> None:
    assert_codes_of_functional(*converted(name, chip))


@pytest.mark.slow
@pytest.mark.parametrize(("chip", "options"), [
    ("tnsa64-2x2", {}), ("tnsa64-2x2", {"layers": {"point": {"slices": 2}}}), ("neurram", {"tolerance": 0.0}),
    ("array-2x2", {}), ("pwm16-2x2", {}), ("sram-2x2", {}),
])
def test_so_they_are_on_tiles_with_slices_and_with_all_bits(chip: str, options: dict[str, Any]) -> None:
    assert_codes_of_functional(*converted("residual", chip, **options))


SHARED: list[tuple[str, dict[str, Any]]] = [
    ("conv2", {}),
    ("conv2", {"core.weights": "arrays", "input.row_groups": 4, "input.bits": 2}),
    ("linear", {"core.weights": "offset", "core.reference": "cells", "adc.range": "fixed"}),
    ("linear", {"input.bits": 8, "adc.bits": 10, "read.accumulate": "analog", "read.chop": False}),
    ("linear", {"adc.bits": 1, "read.chop": False}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "changed"), SHARED)
def test_so_they_are_where_columns_share_converters(name: str, changed: dict[str, Any]) -> None:
    assert_codes_of_functional(*converted(name, mho.Chip.load("array-128", **changed)))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chip", "device", "changed"), [
    ("conv2", "array-128", "rram-neurram", {}),
    ("linear", "array-128", "rram-neurram", {"core.weights": "offset", "core.reference": "cells"}),
    ("linear", "pwm16-core", "pcm-hermes-1dev", {}),
])
def test_noise_has_the_deviation_of_the_functional_backend(
    name: str, chip: str, device: str, changed: dict[str, Any]
) -> None:
    """Of smooth passes, where roundings that are alike on all chips are drawn; exact ones are that backend's own."""
    analog, x = converted(name, mho.Chip.load(chip, **changed), device=device, time="1d")
    expected = Net(analog.network).run(x, device=device, time="1d", seeds=200).outputs.reshape(200, -1)
    torch.manual_seed(1)
    with torch.no_grad():
        outputs = np.stack([analog(torch.from_numpy(x)).numpy().ravel() for _ in range(200)])
    ratio = np.sqrt(outputs.var(axis=0).mean() / expected.var(axis=0).mean())
    assert abs(ratio - 1.0) < 0.05, ratio


@pytest.mark.slow
@pytest.mark.parametrize("name", ["conv2", "lstm"])
def test_mean_and_deviation_of_noisy_outputs_are_those_of_the_functional_backend(name: str) -> None:
    """Over 200 chips: means within 5 standard errors, deviations, pooled over outputs that differ, within 5 %."""
    analog, x = converted(name, device="rram-neurram", time="1d")
    expected = Net(analog.network).run(x, device="rram-neurram", time="1d", seeds=200).outputs.reshape(200, -1)
    torch.manual_seed(1)
    inputs = torch.from_numpy(x)
    passes: dict[str, Callable[[], Any]] = {"exact": analog.eval, "smooth": analog.train}
    for kind, prepare in passes.items():
        prepare()
        with torch.no_grad():
            outputs = np.stack([analog(inputs).numpy().ravel() for _ in range(200)])
        error = np.sqrt((expected.var(axis=0) + outputs.var(axis=0)) / 200).mean()
        assert np.abs(outputs.mean(axis=0) - expected.mean(axis=0)).mean() < 5 * error, kind
        ratio = np.sqrt(outputs.var(axis=0).mean() / expected.var(axis=0).mean())
        assert abs(ratio - 1.0) < (0.05 if kind == "exact" else 0.1), (kind, ratio)
        assert outputs.std(axis=0).mean() > 0


@pytest.mark.slow
def test_gradients_without_noise_are_those_of_the_float_network() -> None:
    """Straight through: up to what rounding moves, in the same direction."""
    analog, x = converted("conv2", tolerance=0.0)
    module = MODELS["conv2"][0]
    torch.manual_seed(0)
    plain, inputs = module().eval(), torch.from_numpy(x)
    plain(inputs).pow(2).sum().backward()
    analog.noise = False
    for mode in (analog.train, analog.eval):
        mode()
        analog.zero_grad()
        analog(inputs).pow(2).sum().backward()
        gradient, expected = analog.layer("5").weight.grad.flatten(), plain[5].weight.grad.flatten().double()
        assert torch.nn.functional.cosine_similarity(gradient, expected, dim=0) > 0.99
        assert abs(gradient.norm() / expected.norm() - 1.0) < 0.1


class OneDevice(TorchDispatchMode):
    """Fails where an operation takes or makes a tensor that is not on this device."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for part in tree_leaves((args, kwargs, result)):
            assert not isinstance(part, torch.Tensor) or part.device.type == self.device, func
        return result


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chip"), [
    *((name, "tnsa64-core") for name in ("transposed", "lstm", "attention", "residual")),
    *(("residual", chip) for chip in ("array-2x2", "pwm16-2x2", "sram-2x2")),
])
def test_passes_and_gradients_stay_on_the_device_of_the_module(name: str, chip: str) -> None:
    """A device without memory stands for all others."""
    analog, x = converted(name, chip, count=4)
    analog(torch.from_numpy(x))  # what is decided by numbers is decided where there are some
    analog.to("meta")
    with OneDevice("meta"):
        analog(torch.empty(x.shape, device="meta")).sum().backward()
    assert all(part.grad.device.type == "meta" for part in analog.parameters())


@pytest.mark.slow
def test_cells_that_hold_bits_have_no_errors() -> None:
    analog, x = converted("linear", "sram-64")
    analog.tables.acts = True
    with pytest.raises(mho.InputError, match="no form of a device whose cells have errors"):
        analog(torch.from_numpy(x))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [
    ("linear", {}), ("residual", {}), ("conv2", {"copies": 1, "layers": {"5": {"slices": 2}}}), ("rnn", {}),
])
def test_other_weights_and_ranges_are_taken_by_the_network_as_they_are(name: str, options: dict[str, Any]) -> None:
    analog, x = converted(name, **options)
    torch.manual_seed(2)
    before = analog.net().sha256
    with torch.no_grad():
        for parameter in analog.parameters():
            scale = 0.1 if parameter.ndim == 0 else 0.1 * float(parameter.abs().max())
            parameter += scale * torch.randn_like(parameter)
    assert analog.net().sha256 != before
    assert_codes_of_functional(analog, x, analog.net().network)
    # The float network has the weights, too.
    run = analog.net().run(x, device="ideal", time=0)
    np.testing.assert_allclose(run.outputs, analog.net().reference(x), atol=0.25 * np.abs(run.outputs).max())


@pytest.mark.slow
def test_a_layer_stays_digital_and_others_have_bits_of_their_own() -> None:
    layers = {"0": {"digital": True}, "5": {"in_bits": 6, "out_bits": 5}}
    analog, x = converted("conv2", layers=layers)
    (layer,) = analog.network.program.layers
    assert (layer.mvms[0].op.in_bits, layer.mvms[0].op.out_bits) == (6, 5)
    torch.manual_seed(2)
    before = analog.net().reference(x)
    with torch.no_grad():
        for parameter in analog.parameters():
            parameter += (0.3 if parameter.ndim else 0.0) * float(parameter.abs().max()) * torch.randn_like(parameter)
    assert_codes_of_functional(analog, x, analog.net().network)
    run = analog.net().run(x, device="ideal", time=0)
    error = np.abs(analog.net().reference(x) - run.outputs).mean()
    assert error < 0.3 * np.abs(before - run.outputs).mean()
    analog.train()(torch.from_numpy(x)).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in analog.parameters())


@pytest.mark.slow
def test_weights_of_zero_are_there_to_be_trained_until_lanes_are_full() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Linear(6, 4))
    with torch.no_grad():
        module[0].weight[2:] = 0.0
    x = np.random.default_rng(0).uniform(-1, 1, (16, 8)).astype("f4")
    analog = mho.torch.convert(module.eval(), "tnsa16-core", calibrate=x)
    assert [tuple(layer.weight.shape) for layer in analog.layers] == [(6, 8), (4, 6)]
    analog(torch.from_numpy(x)).sum().backward()
    assert analog.layers[0].weight.grad[2:].any()
    assert_codes_of_functional(analog, x)
    with torch.no_grad():
        analog.layers[1].bias += 1e4
    with pytest.raises(mho.InputError, match="biases have grown beyond"):
        analog.net()


@pytest.mark.slow
@pytest.mark.parametrize("chip", ["tnsa64-core", "pwm16-core", "array-128", "sram-64"])
def test_where_lanes_are_full_converters_reach_less_far_and_codes_stand_for_as_much(chip: str) -> None:
    torch.manual_seed(0)
    x = np.random.default_rng(0).uniform(-1, 1, (64, 12)).astype("f4")
    analog = mho.torch.convert(torch.nn.Linear(12, 6), chip, calibrate=x, device="ideal", time=0)
    (layer,) = analog.layers
    code = layer.lowered()[0].mvms[0].op.step_code
    with torch.no_grad():
        while layer.lowered()[0].mvms[0].op.step_code == code:
            layer.bias += 500.0 * torch.as_tensor(layer.unit)
    assert_codes_of_functional(analog, x, analog.net().network)
    run = analog.net().run(x, device="ideal", time=0)
    moved, expected = ((y - y.mean(axis=0)).ravel() for y in (run.outputs, run.reference))
    assert abs(np.polyfit(expected, moved, 1)[0] - 1.0) < 0.1


@pytest.mark.slow
def test_wires_are_said_to_be_left_out() -> None:
    with pytest.warns(UserWarning, match="wires of the chip"):
        converted("linear", mho.Chip.load("array-32", **{"wires.r_row_ohm": 2.0}))


def test_what_a_layer_cannot_have_is_named() -> None:
    with pytest.raises(mho.InputError, match="has 'bits'; known are in_bits"):
        mho.torch.convert(MODELS["linear"][0](), "tnsa64-core", calibrate=np.ones((4, 12)), layers={"0": {"bits": 4}})


@pytest.mark.slow
def test_a_chip_s_own_weights_as_a_state() -> None:
    """On perfect cells they are the module's; on a chip its outputs are those of the float network with them."""
    analog, x = converted("conv2", tolerance=0.0, copies=1)
    weights = [layer.weight.detach().clone() for layer in analog.layers]
    exact = mho.torch.chip_state(analog, device="ideal", time=0)
    for k, weight in enumerate(weights):
        # Some weights are clipped.
        off = (exact[f"layers.{k}.weight"] - weight).abs().flatten().sort().values
        assert off[int(0.7 * len(off))] < 0.05 * weight.abs().max()
    run = analog.net().run(x, device="rram-neurram", time="1d", seed=5, without=("read-noise",))
    analog.load_state_dict(mho.torch.chip_state(analog, device="rram-neurram", seed=5))
    read, plain = analog.net().reference(x), run.reference
    assert np.abs(read - run.outputs).mean() < 0.5 * np.abs(plain - run.outputs).mean()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chip"), [("conv2", "tnsa64-core"), ("lstm", "pwm16-core")])
def test_measured_codes_take_the_place_of_computed_ones(name: str, chip: str) -> None:
    analog, x = converted(name, chip)
    run = Net(analog.network).run(x, time="1d", seed=7)
    inputs = torch.from_numpy(x)
    analog.eval()
    np.testing.assert_allclose(analog(inputs, measured=run.codes).detach().numpy(), run.outputs, atol=1e-5)
    analog.train()
    outputs = analog(inputs, measured=run.codes)
    np.testing.assert_allclose(outputs.detach().numpy(), run.outputs, atol=1e-5)
    outputs.sum().backward()
    assert all(layer.weight.grad.abs().max() > 0 for layer in analog.layers)
