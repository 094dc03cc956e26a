"""What calibration on the device model is for: accuracy on chips that it has not seen."""

import numpy as np
import pytest

from mho.compiler import CompileOptions, compile_model, import_onnx, summarise
from mho.data import load_sample
from mho.hw.config import load_chip
from mho.macro_models import load_device
from mho.macro_models.errors import InputError
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node, perceptron, random_perceptron, reference
from tests.compiler.mapping.dead_lines import dead_lines
from tests.sim.outputs import float_outputs, quantised_outputs

CHIP = load_chip("neurram-core")
DAY = 86_400.0


def agreement(network, x: np.ndarray, seeds: int = 3, **options) -> float:
    """Decisions like those in floating point, in percent, mean of some chips."""
    expected = float_outputs(network, x).argmax(axis=1)
    backend = FunctionalBackend()
    got = [execute(network, backend, x, seed=s, **options).outputs.argmax(axis=1) for s in range(seeds)]
    return 100.0 * float(np.mean([g == expected for g in got]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "minimum"), [("digits", 98.0), ("fashion14", 94.0)])
def test_examples_keep_their_decisions(name: str, minimum: float) -> None:
    sample = load_sample(name)
    network = compile_model(sample.model, CHIP, calibrate=sample.calibrate)
    assert len(network.cores) == 1
    right = [
        (outputs.argmax(axis=1) == sample.y).mean()
        for outputs in (
            reference(sample.model, sample.x),
            quantised_outputs(network, FunctionalBackend(), sample.x).outputs,
            *(execute(network, FunctionalBackend(), sample.x, seed=s, time_s=DAY).outputs for s in range(10)),
        )
    ]
    assert right[1] >= right[0] - 0.01
    assert np.mean(right[2:]) >= right[0] - 0.02
    assert agreement(network, sample.x, time_s=DAY) >= minimum


@pytest.mark.slow
def test_clipping_helps_weights_with_heavy_tails() -> None:
    """One cell a weight: large weights that are clipped leave larger conductances to all others."""
    full, chosen = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        w, x = rng.standard_t(2, size=(60, 20)), rng.uniform(size=(200, 60)).astype(np.float32)
        model = perceptron([(w, np.zeros(20))], final=None)
        for errors, clip in ((full, 1.0), (chosen, None)):
            options = CompileOptions(copies=1, weight_clip=clip, in_parts=1, tolerance=0.01)
            network = compile_model(model, CHIP, calibrate=x[:100], options=options)
            expected = float_outputs(network, x)
            aged = [execute(network, FunctionalBackend(), x, seed=s, time_s=DAY).outputs - expected for s in range(4)]
            errors.append(np.std(aged) / expected.std())
    assert np.mean(chosen) < np.mean(full)


@pytest.mark.slow
def test_more_cells_a_weight_lower_the_noise() -> None:
    x = np.random.default_rng(0).normal(size=(200, 20)).astype(np.float32)
    model = random_perceptron([20, 16, 4], final=None)
    errors = []
    for copies in (1, 4):
        network = compile_model(model, CHIP, calibrate=x, options=CompileOptions(copies=copies, seeds=2, samples=64))
        lost = execute(network, FunctionalBackend(), x, time_s=DAY).outputs - float_outputs(network, x)
        errors.append(lost.std())
    assert errors[1] < 0.75 * errors[0]


@pytest.mark.slow
def test_regressor_takes_eight_bits_and_stays_close() -> None:
    x = np.random.default_rng(0).uniform(100, 300, size=(256, 8)).astype(np.float32)
    model = random_perceptron([8, 24, 1], final=None, mean=np.full(8, 200.0), deviation=np.full(8, 58.0))
    network = compile_model(model, CHIP, calibrate=x[:128], options=CompileOptions(seeds=1))
    assert [layer["in_bits"] for layer in summarise(network)["layers"]] == [8, 8]
    expected, got = reference(model, x[128:]), quantised_outputs(network, FunctionalBackend(), x[128:]).outputs
    assert (got - expected).std() < 0.05 * expected.std()


@pytest.mark.slow
@pytest.mark.parametrize("converter", ["count", "binary"])
@pytest.mark.parametrize(("in_bits", "out_bits"), [(2, 4), (5, 6), (8, 8)])
def test_bits_that_the_user_chose(converter: str, in_bits: int, out_bits: int) -> None:
    chip = load_chip("tnsa16-core", {"adc.converter": converter})
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    options = CompileOptions(in_bits=in_bits, out_bits=out_bits, seeds=1)
    network = compile_model(random_perceptron([5, 7, 3]), chip, calibrate=x, options=options)
    for layer in network.layers:
        for mvm in layer.mvms:
            assert (mvm.op.in_bits, mvm.op.out_bits) == (in_bits, out_bits)
            assert mvm.op.converter.name.lower() == converter


def test_chip_limits_bits() -> None:
    chip = load_chip("tnsa16-core", {"adc.bits": 6, "adc.input_bits": 3})
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    network = compile_model(random_perceptron([5, 7, 3]), chip, calibrate=x, options=CompileOptions(seeds=1))
    ops = [mvm.op for layer in network.layers for mvm in layer.mvms]
    assert max(op.in_bits for op in ops) <= 3
    assert max(op.out_bits for op in ops) <= 6


def test_relu_in_the_converter_where_nothing_is_added() -> None:
    rng = np.random.default_rng(0)
    nodes = [node("MatMul", "x w", "m"), node("Relu", "m", "r"), node("MatMul", "r v", "y")]
    w, v = rng.normal(size=(6, 8)).astype("f4"), rng.normal(size=(8, 4)).astype("f4")
    x = rng.uniform(0, 1, size=(40, 6)).astype(np.float32)
    options = CompileOptions(copies=1, in_bits=4, seeds=1)
    network = compile_model(build(nodes, {"w": w, "v": v}), load_chip("tnsa16-core"), calibrate=x, options=options)
    plain = not network.layers[0].root.bias.any()
    assert [mvm.op.relu for mvm in network.layers[0].mvms] == [plain]
    expected = float_outputs(network, x)
    outputs = quantised_outputs(network, FunctionalBackend(), x).outputs
    assert np.corrcoef(expected.ravel(), outputs.ravel())[0, 1] > 0.98


def test_ideal_device_needs_one_chip() -> None:
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    network = compile_model(random_perceptron([5, 7, 3]), load_chip("tnsa16-core"), calibrate=x, device="ideal")
    assert network.device == load_device("ideal")
    assert network.calibration.time_s == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one sample", "constant", "zero", "huge", "tiny"])
def test_odd_calibration_inputs(kind: str) -> None:
    rng = np.random.default_rng(0)
    x = {
        "one sample": rng.normal(size=(1, 5)),
        "constant": np.full((10, 5), 3.0),
        "zero": np.zeros((10, 5)),
        "huge": 1e9 * rng.normal(size=(10, 5)),
        "tiny": 1e-9 * rng.normal(size=(10, 5)),
    }[kind].astype(np.float32)
    options = CompileOptions(seeds=1)
    network = compile_model(
        random_perceptron([5, 7, 3], final=None), load_chip("tnsa16-core"), calibrate=x, options=options
    )
    expected, got = float_outputs(network, x), quantised_outputs(network, FunctionalBackend(), x).outputs
    assert np.abs(got - expected).max() <= 0.1 * np.abs(expected).max()


@pytest.mark.slow
def test_dead_lines_change_nothing_but_the_place() -> None:
    bits, sources = np.zeros(16, dtype=bool), np.zeros(16, dtype=bool)
    bits[2], sources[0] = True, True
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    model = random_perceptron([5, 7, 3])
    options = CompileOptions(seeds=1, copies=1)
    whole, partial = (
        compile_model(model, load_chip("tnsa16-core"), calibrate=x, device="ideal", options=options, faults=faults)
        for faults in ({}, {k: dead_lines(bits, sources) for k in range(2)})
    )
    assert partial.cores[0].bl_skip[2]
    a, b = (execute(n, FunctionalBackend(), x, device="ideal").outputs for n in (whole, partial))
    assert np.array_equal(a, b)


def test_wrong_calibration_inputs_and_options() -> None:
    model, chip = random_perceptron([5, 7, 3]), load_chip("tnsa16-core")
    with pytest.raises(InputError, match=r"input 'x' of the model needs shape \[samples, 5\], not \[10, 4\]"):
        compile_model(model, chip, calibrate=np.ones((10, 4)))
    with pytest.raises(InputError, match="NaN"):
        compile_model(model, chip, calibrate=np.full((10, 5), np.nan))
    with pytest.raises(InputError, match=r"in_bits must be a whole number between 1 and 8, or such .*, not 9"):
        CompileOptions(in_bits=9)
    with pytest.raises(InputError, match="samples must be a whole number between 1 and 100000, not None"):
        CompileOptions(samples=None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="compile option 'bits' is unknown; known are in_bits"):
        CompileOptions.from_dict({"bits": 3})


def test_imported_network_can_be_compiled() -> None:
    x = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    progress = []
    network = compile_model(
        import_onnx(random_perceptron([5, 7, 3])),
        load_chip("tnsa16-core"),
        calibrate=x,
        options=CompileOptions(seeds=1),
        progress=lambda done, total: progress.append((done, total)),
    )
    assert progress == [(1, 2), (2, 2)]
    assert network.model.is_classifier
