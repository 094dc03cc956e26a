"""Inputs in two parts: the rest of codes in integers, and networks that need it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.calibration.assembly.layer_lowering import Rest, copy_weights, sum_of_parts
from mho.compiler.calibration.assembly.stage_lowering import lower_encode
from mho.compiler.calibration.calibrate import Calibrator
from mho.compiler.calibration.finer import unseen_errors
from mho.compiler.calibration.quantisers import CodeFormat, Quantiser
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.mapping import place
from mho.compiler.network import CoreImage
from mho.compiler.program import Call
from mho.hw.config import load_chip
from mho.macro_models.devices import load_device
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node, perceptron
from tests.compiler.same_bits import check_same_bits
from tests.sim.outputs import float_outputs, quantised_outputs

CHIP = load_chip("tnsa64-2x2")


def steep(features: int = 12) -> tuple[Network, np.ndarray]:
    """A regressor of two inputs that move together: what is asked for is their difference, a fortieth of them."""
    rng = np.random.default_rng(3)
    common = rng.normal(size=(64, 1))
    x = (common + 0.05 * rng.normal(size=(64, features))).astype("f4")
    w = np.tile([1.0, -1.0], features // 2)[:, None]
    network = compile_model(
        perceptron([(w, np.zeros(1))], final=None), CHIP, calibrate=x[:48], device="ideal",
        options=CompileOptions(seeds=1),
    )
    return network, x


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([4, 5, 8]), st.floats(1.0, 4.0))
def test_codes_and_the_rest_are_the_lanes(seed: int, signed: bool, bits: int, extent: float) -> None:
    """Within two codes of the rest and half a lane: for any unit, zero and scale of each element."""
    rng = np.random.default_rng(seed)
    fmt, size = CodeFormat(bits=bits, signed=signed), 5
    reach = 10.0 ** rng.uniform(-3, 3, size)
    unit, zero = 4.0 * reach / 32767, reach * rng.uniform(-0.5, 0.5, size) * signed
    scale = extent * reach / fmt.top
    offset = zero if signed else np.zeros(size)
    value = zero + reach * rng.uniform(-1.0 if signed else 0.0, 1.0, (40, size))
    lanes = np.rint((value - zero) / unit).astype(np.int16)
    quantiser = Quantiser(format=fmt, offset=offset, scale=scale)
    patches = np.arange(size, dtype=np.int32)[None]
    encode, rest = lower_encode(quantiser, patches, unit, zero), Rest(quantiser)
    codes = encode.compute(lanes)
    left, coded = rest.lower(encode)
    second = coded.compute(left.compute(np.concatenate([lanes, codes], axis=1)))
    got = offset + scale * (codes + rest.ratio * second - rest.shift)
    assert (np.abs(got - (lanes * unit + zero)) <= 2 * rest.ratio * scale + 1.5 * unit).all()
    # Those of floating point are the same but for a few of the smallest steps.
    expected = rest.codes(lanes * unit + zero, codes)
    assert (np.abs(second - expected) * rest.ratio * scale <= 2 * rest.ratio * scale + 1.5 * unit).all()


def test_parts_are_added_without_the_second_bias() -> None:
    bias = np.array([1000, -20000], dtype=np.int16)
    first, second = np.array([[5000, -30000]]), np.array([[2000, -19000]])
    sums = sum_of_parts(1 / 256, bias).compute(np.concatenate([first, second], axis=1))
    assert np.abs(sums - (first + (second - bias) / 256)).max() <= 1


def test_copies_count_unevenly_around_one() -> None:
    for count in (1, 2, 7, 64):
        weights = copy_weights(count)
        assert weights.mean() == pytest.approx(1.0)
        assert len(np.unique(weights)) == count
    # In no order: what a copy counts tells nothing about its shift.
    assert abs(np.corrcoef(copy_weights(64), np.arange(64))[0, 1]) < 0.2


def test_terms_that_cancel_are_right_in_two_parts() -> None:
    """Where one part is off by a tenth, two are within a twentieth; the layer is called twice, as the plan says."""
    network, x = steep()
    single = compile_model(
        network.model, CHIP, calibrate=x[:48], device="ideal", options=CompileOptions(seeds=1, in_bits=8)
    )
    expected = float_outputs(network, x[48:]).reshape(-1)
    lost = [
        float(np.std(quantised_outputs(n, FunctionalBackend(), x[48:]).outputs.reshape(-1) - expected) / expected.std())
        for n in (single, network)
    ]
    assert lost[0] > 0.1
    assert lost[1] < 0.05
    summary = summarise(network)
    assert summary["layers"][0]["positions"] == 2
    assert summary["plan"]["conversions"] == summary["mvms_per_image"] == 2 * summarise(single)["mvms_per_image"]
    calls = [s.operation for s in network.program.stages if isinstance(s.operation, Call)]
    assert [call.first for call in calls] == [0, 1]


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
def test_parts_are_the_users_choice(parts: int) -> None:
    chosen, x = steep()
    options = CompileOptions(seeds=1, in_parts=parts)
    compiled = compile_model(chosen.model, CHIP, calibrate=x[:48], device="ideal", options=options)
    assert summarise(compiled)["layers"][0]["positions"] == parts
    same = [np.array_equal(a.targets_uS, b.targets_uS) for a, b in zip(compiled.cores, chosen.cores, strict=False)]
    assert all(same) == (parts == 2)


def test_few_inputs_are_told_by_those_that_were_left_out() -> None:
    """One number in eight is far beyond the others: calibration that has not seen it clips it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 4))
    x[1::8, 0] *= 30.0
    net = import_onnx(perceptron([(rng.normal(size=(4, 2)), np.zeros(2))], final=None))
    placement = place([layer.shape for layer in net.layers], CHIP.macro_config().cell_map)
    options = CompileOptions(seeds=1)
    calibrated = Calibrator(net, placement, CHIP, load_device("ideal"), options, x).run().outputs[0]
    (unseen,) = unseen_errors(net, placement, CHIP, options, x)
    assert calibrated.error is not None
    assert unseen.error is not None
    assert unseen.error > 10 * calibrated.error
    assert unseen_errors(net, placement, CHIP, options, x[:4]) == []


@pytest.mark.slow
def test_cells_of_a_device_gain_nothing_and_lose_nothing() -> None:
    """After a day: two parts are within a tenth of one, since cells are what is wrong."""
    network, x = steep()
    single = compile_model(network.model, CHIP, calibrate=x[:48], options=CompileOptions(seeds=1, in_bits=8))
    two = compile_model(network.model, CHIP, calibrate=x[:48], options=CompileOptions(seeds=1))
    expected = float_outputs(network, x).reshape(-1)
    lost = [
        np.mean([
            np.std(execute(n, FunctionalBackend(), x, seed=s, time_s=86400.0).outputs.reshape(-1) - expected)
            for s in range(8)
        ])
        for n in (single, two)
    ]
    assert lost[1] < 1.1 * lost[0]


@pytest.mark.cosim
@pytest.mark.long
def test_two_parts_give_the_same_bits_in_verilog() -> None:
    """A convolution with a ReLU behind which lanes are limited, and a layer behind it: both are called twice."""
    rng = np.random.default_rng(5)
    nodes = [
        node("Conv", "x k", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "r"), node("Flatten", "r", "f"),
        node("Gemm", "f w", "y"),
    ]
    weights = {"k": rng.normal(size=(2, 1, 3, 3)).astype("f4"), "w": rng.normal(size=(32, 2)).astype("f4")}
    model = build(nodes, weights, shape=("n", 1, 4, 4), output=("n", 2))
    x = rng.normal(size=(40, 1, 4, 4)).astype("f4")
    net, chip, options = import_onnx(model), load_chip("tnsa16-core"), CompileOptions(seeds=1)
    placement = place([layer.shape for layer in net.layers], chip.macro_config().cell_map, cores=chip.cores)
    calibrator = Calibrator(net, placement, chip, load_device("ideal"), options, x.reshape(40, -1), in_two=True)
    result = calibrator.run()
    chosen = CompileOptions(seeds=1, in_parts=1, tolerance=0.01)
    network = compile_model(net, chip, calibrate=x, device="ideal", options=chosen)
    cores = tuple(
        CoreImage.from_placement(placement, core, result.targets[core]) for core in range(placement.cores)
    )
    network = replace(network, program=result.program, cores=cores)
    assert [layer.positions for layer in network.layers] == [32, 2]
    assert result.outputs[0].error is not None
    assert result.outputs[0].error < 0.05
    check_same_bits(network, x[:2])
