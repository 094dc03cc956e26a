"""Weights that are divided over several pairs of cells: whole networks against onnxruntime, and their options."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.mapping.faults import CoreFaults
from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, random_perceptron, reference
from tests.compiler.network.sealed_archives import members_of, seal
from tests.sim.outputs import quantised_outputs

OPTIONS = CompileOptions(seeds=1, samples=64, copies=1, in_bits=8)


def coarse(preset: str) -> Chip:
    """A chip whose cells are on a grid of 15 steps, which is what limits a network then."""
    return load_chip(preset, ["core.g_bits=4"])


def error(network: Network, model: onnx.ModelProto, x: Array) -> float:
    expected, got = reference(model, x), quantised_outputs(network, FunctionalBackend(), x).outputs
    return float(np.sqrt(((got - expected) ** 2).mean()) / expected.std())


def errors_with_slices(model: onnx.ModelProto, chip: Chip, x: Array) -> list[float]:
    """Relative errors on ideal cells with 1 to 3 slices."""
    networks = [
        compile_model(model, chip, calibrate=x, device="ideal", options=replace(OPTIONS, slices=n)) for n in (1, 2, 3)
    ]
    return [error(network, model, x) for network in networks]


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(
    sizes=st.lists(st.integers(4, 24), min_size=2, max_size=3),
    seed=st.integers(0, 99),
    preset=st.sampled_from(["tnsa16-core", "tnsa64-core"]),
)
@pytest.mark.slow
def test_slices_bring_perceptrons_closer_to_onnxruntime(sizes: list[int], seed: int, preset: str) -> None:
    """On 16 lines with segments of rows and of columns."""
    model = random_perceptron([*sizes, 3], seed, final=None)
    x = np.random.default_rng(seed).normal(size=(64, sizes[0])).astype(np.float32)
    single, two, three = errors_with_slices(model, coarse(preset), x)
    assert two < 0.8 * single
    assert three < 0.8 * single


def convolutional() -> tuple[onnx.ModelProto, Array]:
    """A grouped convolution, a pooling, a convolution and a dense layer."""
    rng = np.random.default_rng(5)
    weights = {
        "k": rng.normal(size=(4, 1, 3, 3)).astype("f4") / 3, "b": 0.1 * rng.normal(size=4).astype("f4"),
        "l": rng.normal(size=(3, 4, 2, 2)).astype("f4") / 4, "w": rng.normal(size=(12, 3)).astype("f4") / 3,
    }
    nodes = [
        node("Conv", "x k b", "c", group=2, pads=[1, 1, 1, 1]), node("Relu", "c", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Conv", "p l", "d"),
        node("Relu", "d", "e"), node("Flatten", "e", "f"), node("Gemm", "f w", "y"),
    ]
    x = rng.uniform(-1, 1, size=(48, 2, 6, 6)).astype("f4")
    return build(nodes, weights, shape=("batch", 2, 6, 6), output=("batch", 3)), x


@pytest.mark.slow
def test_slices_bring_a_convolutional_network_closer_to_onnxruntime() -> None:
    model, x = convolutional()
    single, two, three = errors_with_slices(model, coarse("tnsa64-core"), x)
    assert two < 0.6 * single
    assert three < 0.6 * single


def test_slices_by_the_name_of_the_layer(tmp_path: Path) -> None:
    model, x = random_perceptron([9, 12, 3], final=None), np.random.default_rng(0).normal(size=(64, 9)).astype("f4")
    options = replace(OPTIONS, slices={"n_g1": 3})
    network = compile_model(model, load_chip("tnsa16-core"), calibrate=x, options=options)
    names, slices, bits = zip(
        *((entry["name"], entry["slices"], entry["slice_bits"]) for entry in summarise(network)["layers"]), strict=True
    )
    assert names == ("n_g0", "n_g1")
    assert slices == (1, 3)
    assert bits[0] == 0 < bits[1]
    for layer, count in zip(network.layers, slices, strict=True):
        assert {int(n) for m in layer.mvms for n in np.bincount(m.outputs) if n} == {count}
    network.save(tmp_path / "net.mho")
    again = Network.load(tmp_path / "net.mho")
    assert again.options == options
    assert summarise(again) == summarise(network)
    assert np.array_equal(again.layers[1].mvms[0].multiplier, network.layers[1].mvms[0].multiplier)


def test_a_file_from_before_there_were_slices(tmp_path: Path) -> None:
    model, x = random_perceptron([5, 3], final=None), np.random.default_rng(0).normal(size=(32, 5)).astype("f4")
    network = compile_model(model, load_chip("tnsa16-core"), calibrate=x, options=OPTIONS)
    network.save(tmp_path / "net.mho")
    members = members_of(tmp_path / "net.mho")
    content = json.loads(members["network.json"])
    content["calibration"] = {k: v for k, v in content["calibration"].items() if "slice" not in k}
    seal(tmp_path / "old.mho", members | {"network.json": json.dumps(content).encode()})
    assert summarise(Network.load(tmp_path / "old.mho")) == summarise(network)
    content = {k: v for k, v in network.options.to_dict().items() if k != "slices"}
    assert CompileOptions.from_dict(content) == OPTIONS


def test_noisy_cells_get_slices_of_nearly_equal_weight() -> None:
    """What is below the noise of the first slice adds nothing; two slices that count nearly the same average."""
    model, x = random_perceptron([24, 6], 1, final=None), np.random.default_rng(0).normal(size=(64, 24)).astype("f4")
    bits = {}
    for device in ("ideal", "rram-neurram"):
        options = replace(OPTIONS, slices=2, seeds=4)
        network = compile_model(model, coarse("tnsa64-core"), calibrate=x, device=device, options=options)
        bits[device] = summarise(network)["layers"][0]["slice_bits"]
    assert bits["rram-neurram"] == 1
    assert bits["ideal"] >= 3


def test_faulty_cells_are_made_up_for_slice_by_slice() -> None:
    """A tenth of the cells are stuck: other cells of the same slice take what they cannot."""
    model, x = random_perceptron([14, 6], 1, final=None), np.random.default_rng(0).normal(size=(64, 14)).astype("f4")
    chip = coarse("tnsa64-core")
    conductances = np.where(np.random.default_rng(1).random((64, 64)) < 0.1, chip.cells.g_max_uS, np.nan)
    sound = np.zeros(64, dtype=bool)
    faults = {0: CoreFaults(rows=sound, columns=sound, g_uS=conductances)}
    options = replace(OPTIONS, slices=2, copies=4)
    network = compile_model(model, chip, calibrate=x, device="ideal", options=options, faults=faults)
    stuck = ~np.isnan(conductances)
    np.testing.assert_allclose(network.cores[0].targets_uS[stuck], chip.cells.g_max_uS, rtol=1e-6)
    assert sum(int(stuck[np.ix_(2 * m.rows, m.columns)].sum()) for m in network.layers[0].mvms) > 20
    assert error(network, model, x) < 0.04  # with one slice it is above 0.05 without any faulty cell


@pytest.mark.parametrize("slices", [0, 5, -1, True, 1.5, "2", {"n_g0": 0}, {"n_g0": "2"}])
def test_numbers_that_are_refused(slices: object) -> None:
    with pytest.raises(InputError, match="slices must be a whole number between 1 and 4, or such numbers by the names"):
        CompileOptions.from_dict({"slices": slices})


def test_a_layer_that_there_is_not() -> None:
    x = np.zeros((4, 5), dtype=np.float32)
    with pytest.raises(InputError, match="names the layer 'fc7'; the layers are n_g0, n_g1"):
        compile_model(
            random_perceptron([5, 4, 3]), load_chip("tnsa16-core"), calibrate=x,
            options=CompileOptions(slices={"fc7": 2}),
        )


@pytest.mark.cosim
@pytest.mark.slow
def test_cosim_gives_the_codes_of_functional() -> None:
    from mho.sim.core.cosim import CosimBackend

    model, x = random_perceptron([12, 6, 3]), np.random.default_rng(0).normal(size=(40, 12)).astype("f4")
    options = replace(OPTIONS, copies=None, in_bits=None, slices={"n_g0": 2, "n_g1": 3})
    network = compile_model(model, load_chip("tnsa16-core"), calibrate=x, options=options)
    expected = execute(network, FunctionalBackend(), x[:3], seed=1, time_s=3600.0, codes_of=3)
    backend = CosimBackend()
    try:
        got = execute(network, backend, x[:3], seed=1, time_s=3600.0, codes_of=3)
    finally:
        backend.close()
    assert got.codes.keys() == expected.codes.keys()
    assert all(np.array_equal(got.codes[at], expected.codes[at]) for at in expected.codes)
    assert np.array_equal(got.outputs, expected.outputs)
    assert np.array_equal(got.cycles, expected.cycles)
