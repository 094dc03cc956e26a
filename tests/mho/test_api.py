"""The promised Python interface."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

import mho
from tests.mho.conftest import layer_model


@pytest.fixture(scope="module")
def net(tiny: Any) -> mho.Net:
    return mho.load(tiny.path("tiny.mho"))


def test_everything_that_is_promised_is_there() -> None:
    for name in mho.__all__:
        assert getattr(mho, name) is not None
    assert set(mho.__all__) <= set(dir(mho))
    with pytest.raises(AttributeError, match=r"^module 'mho' has no attribute 'frob'$"):
        mho.frob  # noqa: B018


def test_a_chip_takes_overrides() -> None:
    chip = mho.Chip.load("tnsa16-core", **{"adc.bits": 6})
    assert chip.description.adc.bits == 6
    assert (chip.name, chip.lines) == ("tnsa16-core", 16)
    with pytest.raises(mho.InputError, match=r"unknown key adc\.bitz"):
        mho.Chip.load("tnsa16-core", **{"adc.bitz": 6})


def test_a_device_knows_its_name_and_draws_itself() -> None:
    device = mho.Device.load("rram-neurram")
    assert device.name == "rram-neurram"
    assert "target conductance (µS)" in [axes.get_xlabel() for axes in device.plot().axes]


@pytest.mark.slow
def test_compile_save_load_run(tiny: Any, tmp_path: Any) -> None:
    chip = mho.Chip.load("tnsa16-core")
    net = mho.compile(tiny.path("tiny.onnx"), chip, calibrate=tiny.x, device=mho.Device.load("rram-neurram"))
    net.save(tmp_path / "net.mho")
    again = mho.load(tmp_path / "net.mho")
    assert again.sha256 == net.sha256
    assert again.chip.name == "tnsa16-core"
    assert again.device.name == "rram-neurram"
    first, second = net.run(tiny.x), again.run(tiny.x)
    np.testing.assert_array_equal(first.outputs, second.outputs)


def test_compile_takes_the_compilers_options(tiny: Any) -> None:
    net = mho.compile(tiny.path("tiny.onnx"), "tnsa16-core", calibrate=tiny.path("x.npy"), out_bits=5, seeds=1)
    assert {layer["out_bits"] for layer in net.summary()["layers"]} == {5}
    with pytest.raises(mho.InputError, match="compile option 'frob' is unknown"):
        mho.compile(tiny.path("tiny.onnx"), "tnsa16-core", calibrate=tiny.x, frob=1)


def test_shapes_with_and_without_seeds(net: mho.Net, tiny: Any) -> None:
    single, three = net.run(tiny.x, seed=1), net.run(tiny.x, seeds=3)
    assert single.outputs.shape == (90, 3)
    assert three.outputs.shape == (3, 90, 3)
    np.testing.assert_array_equal(three.outputs[1], single.outputs)
    assert isinstance(single.cycles, int)
    assert three.cycles.shape == (3,)
    for layer, codes in single.codes.items():
        assert codes.shape[0] == 90
        np.testing.assert_array_equal(three.codes[layer][1], codes)


def test_the_ideal_device_repeats_itself(net: mho.Net, tiny: Any) -> None:
    ideal = net.run(tiny.x, device="ideal", seeds=2)
    np.testing.assert_array_equal(ideal.outputs[0], ideal.outputs[1])
    np.testing.assert_array_equal(ideal.outputs[0], net.run(tiny.x, device=mho.Device.load("ideal")).outputs)


def test_noise_depends_on_the_image_and_not_on_the_batch(net: mho.Net, tiny: Any) -> None:
    np.testing.assert_array_equal(net.run(tiny.x, limit=7).outputs, net.run(tiny.x).outputs[:7])


def test_accuracy_is_the_mean_over_seeds(net: mho.Net, tiny: Any) -> None:
    result = net.run(tiny.x, seeds=3)
    by_hand = (result.outputs.argmax(axis=-1) == tiny.y).mean(axis=1)
    np.testing.assert_allclose(result.accuracies(tiny.y), by_hand)
    assert result.accuracy(tiny.y) == pytest.approx(by_hand.mean())


def test_time_is_text_or_seconds(net: mho.Net, tiny: Any) -> None:
    np.testing.assert_array_equal(net.run(tiny.x, time="1h").outputs, net.run(tiny.x, time=3600).outputs)


def test_the_budget_by_agreement_and_by_labels(net: mho.Net, tiny: Any) -> None:
    result = net.run(tiny.x, seeds=2)
    assert result.budget.measure == "agreement"
    assert result.budget is result.budget
    scored = result.budget(tiny.y)
    assert scored.measure == "accuracy"
    assert scored["all"].mean == pytest.approx(result.accuracy(tiny.y))
    assert scored["float"].mean == pytest.approx((result.reference.argmax(axis=1) == tiny.y).mean())
    assert scored.loss(scored["ideal"]) == 0
    assert scored.loss(scored["relaxation"]) == pytest.approx(scored["ideal"].mean - scored["relaxation"].mean)
    assert str(scored).splitlines()[0].split() == [
        "causes",
        "that",
        "are",
        "on",
        "accuracy",
        "deviation",
        "loss",
        "share",
    ]


@pytest.mark.slow
def test_numbers_are_scored_by_their_error(tiny: Any) -> None:
    """An autoencoder makes as many numbers as it takes: its largest one is no class, unless labels say so."""
    nodes = [helper.make_node("Gemm", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "v"], ["y"])]
    w = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    model = layer_model(nodes, {"w": w, "v": np.linalg.pinv(w)}, 6)
    result = mho.compile(model, "tnsa16-core", calibrate=tiny.x, seeds=1, error=1.0).run(tiny.x, seeds=2)
    assert (result.agreement, result.budget.measure) == (None, "relative error")
    assert result.budget["all"].mean == pytest.approx(result.relative_error)
    assert "agreement" not in result.to_dict()["results"][0]
    assert result.budget(tiny.y).measure == "accuracy"


def test_a_budget_names_the_cause_of_a_loss(tiny: Any, tmp_path: Any) -> None:
    from mho.macro_models.devices import load_device

    text = ["schema = 1", 'name = "broken"', "[stuck]", "fraction = 0.5", "values_uS = [0.0, 40.0]"]
    (tmp_path / "broken.toml").write_text("\n".join(text))
    load_device(tmp_path / "broken.toml")
    net = mho.load(tiny.path("tiny.mho"))
    budget = net.run(tiny.x, device=tmp_path / "broken.toml", seeds=5).budget(tiny.y)
    losses = {row.name: budget.loss(row) for row in budget if row.name not in ("float", "ideal", "all")}
    assert max(losses, key=losses.__getitem__) == "stuck"
    assert losses["stuck"] > 0.1
    assert abs(losses["relaxation"]) < 0.02


def test_a_plot_has_a_panel_for_labels(net: mho.Net, tiny: Any, tmp_path: Any) -> None:
    result = net.run(tiny.x, seeds=2)
    assert len(result.plot().axes) == 2
    figure = result.plot(tiny.y)
    assert len(figure.axes) == 3
    figure.savefig(tmp_path / "r.png")
    assert (tmp_path / "r.png").stat().st_size > 1000


def test_save_json_writes_what_the_command_writes(net: mho.Net, tiny: Any, tmp_path: Any) -> None:
    import json

    net.run(tiny.x).save_json(tmp_path / "r.json", tiny.y, budget=True)
    content = json.loads((tmp_path / "r.json").read_text())
    assert {"versions", "hashes", "options", "results", "layers", "accuracy", "budget"} <= set(content)
