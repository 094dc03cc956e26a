"""Networks that are no chain of layers: steps as stages, and whole networks against onnxruntime."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.calibration.assembly.stage_lowering import equalise, lower_step, tied
from mho.compiler.model.stages import Combine, Map, Maximum
from mho.compiler.model.windows import windows
from mho.compiler.program import Call
from mho.data import load_sample
from mho.hw.config import load_chip
from mho.macro_models.integer.vector import LANE_MAX, PAD, Limit, Table, WeightedSum, scale_leaf
from mho.sim.executor import build_cores, core_masks, execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, reference
from tests.sim.outputs import quantised_outputs

OPTIONS = CompileOptions(seeds=1, samples=32)
DAY = 86_400.0
LANES = hnp.arrays(np.int16, (3, 5), elements=st.integers(-LANE_MAX, LANE_MAX))


@given(
    coefficient=hnp.arrays(np.float64, (6, 3), elements=st.floats(-4, 4)),
    offset=hnp.arrays(np.float64, 6, elements=st.floats(-4, 4)),
    unit=hnp.arrays(np.float64, 5, elements=st.floats(1e-6, 1e-3)),
    lanes=LANES,
)
def test_weighted_sum_is_as_exact_as_its_lanes(coefficient: Array, offset: Array, unit: Array, lanes: Array) -> None:
    """Each multiplier is rounded by half a unit at most, each sum and offset by half a lane."""
    index = np.arange(18, dtype=np.int32).reshape(6, 3) % 5
    step = Combine(index=index, coefficient=coefficient, offset=offset, channel=np.arange(6, dtype=np.int32) // 2)
    expected = step.compute(lanes * unit)
    op, out_unit = lower_step(step, unit, np.zeros(6))
    assert isinstance(op, WeightedSum)
    got = op.compute(lanes) * out_unit
    bound = (1.01 + 3 * 0.5 * LANE_MAX * 2.0**-op.shift) * out_unit
    # A unit that was fitted to the multipliers moves all sums of its channel by less than they are rounded.
    assert (np.abs(got - expected) <= 3 * bound + 1e-3 * np.abs(expected)).all()


def test_mean_has_no_error_but_rounding() -> None:
    index = np.arange(49, dtype=np.int32)[None]
    step = Combine(index=index, coefficient=np.full((1, 49), 1 / 49), offset=np.zeros(1), channel=np.zeros(1, np.int32))
    lanes = np.random.default_rng(0).integers(-LANE_MAX, LANE_MAX, (50, 49)).astype(np.int16)
    op, unit = lower_step(step, np.full(49, 0.01), np.zeros(1))
    expected = step.compute(lanes.astype(np.float64) * 0.01)
    assert np.abs(op.compute(lanes) * unit - expected).max() <= 0.51 * unit[0]


def test_a_channel_that_is_nearly_dead_leaves_the_others_their_bits() -> None:
    index = np.arange(32, dtype=np.int32).reshape(2, 16)
    channel = np.arange(2, dtype=np.int32)
    step = Combine(index=index, coefficient=np.full((2, 16), 1 / 16), offset=np.zeros(2), channel=channel)
    lanes = np.random.default_rng(0).integers(0, LANE_MAX // 2, (50, 32)).astype(np.int16)
    lanes[:, :16] = 0
    op, unit = lower_step(step, np.full(32, 1e-4), np.array([1e-9, 1.6]))
    expected = step.compute(lanes.astype(np.float64) * 1e-4)
    assert np.abs(op.compute(lanes) * unit - expected).max() <= 0.51e-4


@pytest.mark.parametrize(
    ("function", "bound"),
    [("sigmoid", 0.0025), ("tanh", 0.0045), ("elu_rest", 0.0085), ("gelu_rest", 0.0045), ("silu_rest", 0.0045),
     ("hard_swish_rest", 0.0045), ("mish_rest", 0.0055), ("softplus_rest", 0.0045)],
)
def test_tables(function: str, bound: float) -> None:
    lanes = np.arange(-LANE_MAX, LANE_MAX, 7, dtype=np.int16)[None]
    step = Map(function=function, size=lanes.shape[1])
    op, unit = lower_step(step, np.full(lanes.shape[1], 3e-4), np.zeros(1))
    assert isinstance(op, Table)
    expected = step.compute(lanes.astype(np.float64) * 3e-4)
    assert np.abs(op.compute(lanes) * unit - expected).max() < bound


def test_clip_in_lanes() -> None:
    op, unit = lower_step(Map(function="clip", size=2, low=0.0, high=6.0), np.array([1e-3, 1e-4]), np.zeros(2))
    assert isinstance(op, Limit)
    assert op.compute(np.array([[7000, 7000], [-3, 30000]], np.int16)).tolist() == [[6000, 7000], [0, 30000]]
    assert unit.tolist() == [1e-3, 1e-4]


def test_largest_of_lanes_on_different_units() -> None:
    step = Maximum(index=np.array([[0, 1]], np.int32))
    unit = np.array([1e-3, 2e-3])
    lanes = np.array([[1000, 600], [1000, 400]], np.int16)
    rescaled = equalise(step, unit)
    assert rescaled is not None
    op, common = rescaled
    assert common[0] == common[1]
    largest = step.compute(op.compute(lanes).astype(np.float64)) * common[0]
    assert np.allclose(largest, [[1.2], [1.0]], atol=2e-3)
    assert equalise(step, common) is None


def test_rows_that_share_elements_have_one_scale() -> None:
    view = windows([5, 5], [3, 3], {"pads": [1] * 4})
    patches = np.concatenate([view.index, np.where(view.index < 0, -1, view.index + 25)], axis=1)
    assert tied([patches]).tolist() in ([0] * 9 + [1] * 9, [1] * 9 + [0] * 9)
    assert len(set(tied([np.arange(6, dtype=np.int32)[None]]).tolist())) == 6


# Whole networks ----------------------------------------------------------------------------------


def tiny(size: int = 6, channels: int = 2, seed: int = 0) -> tuple[onnx.ModelProto, Array]:
    """A residual network with every kind of stage."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> Array:
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype("f4")

    weights = {
        "k": normal(3, channels, 3, 3) * 2, "b": normal(3, 1)[:, 0], "d": normal(3, 1, 3, 3), "p": normal(4, 6, 1, 1),
        "w": normal(3, 4), "zero": np.float32(0), "two": np.float32(2),
    }
    pads = [1, 1, 1, 1]
    nodes = [
        node("Conv", "x k b", "c", strides=[2, 2], pads=pads), node("Clip", "c zero two", "r"),
        node("Conv", "r d", "e", group=3, pads=pads), node("Add", "e r", "a"), node("Tanh", "a", "t"),
        node("Concat", "t r", "j", axis=1), node("MaxPool", "j", "m", kernel_shape=[2, 2]),
        node("Conv", "m p", "q"), node("Relu", "q", "s"), node("GlobalAveragePool", "s", "g"),
        node("Flatten", "g", "f"), node("Gemm", "f w", "y", transB=1),
    ]
    x = rng.uniform(size=(40, channels, size, size)).astype("f4")
    return build(nodes, weights, shape=("batch", channels, size, size), output=("batch", 3)), x


@pytest.fixture(scope="module")
def network() -> Network:
    model, x = tiny()
    return compile_model(model, load_chip("tnsa16-core"), calibrate=x, options=OPTIONS)


@pytest.fixture(scope="module")
def x() -> Array:
    return tiny()[1]


@pytest.mark.slow
def test_layers_on_several_cores(network: Network, x: Array) -> None:
    assert network.schedule == "host"
    summary = summarise(network)
    assert [layer["positions"] for layer in summary["layers"]] == [9, 9, 4, 1]
    assert len(network.layers[0].mvms) > 1  # 18 rows on cores of 8
    done = execute(network, FunctionalBackend(), x, time_s=DAY)
    assert done.mvms == len(x) * summary["mvms_per_image"]
    assert done.cycles.max() <= summary["cycles_worst"]


def test_batches_change_nothing(network: Network, x: Array) -> None:
    whole = execute(network, FunctionalBackend(), x, seed=3, time_s=DAY, codes_of=40)
    parts = execute(network, FunctionalBackend(), x, seed=3, time_s=DAY, codes_of=40, batch=7)
    assert np.array_equal(whole.outputs, parts.outputs)
    assert np.array_equal(whole.cycles, parts.cycles)
    assert all(np.array_equal(whole.codes[at], parts.codes[at]) for at in whole.codes)
    alone = execute(network, FunctionalBackend(), x[31:32], seed=3, time_s=DAY, first_image=31)
    assert np.array_equal(alone.outputs[0], whole.outputs[31])


def test_file_gives_the_same(network: Network, x: Array, tmp_path: Path) -> None:
    network.save(tmp_path / "n.mho")
    read = Network.load(tmp_path / "n.mho")
    first, second = (execute(n, FunctionalBackend(), x, seed=1, time_s=DAY).outputs for n in (network, read))
    assert np.array_equal(first, second)
    assert np.array_equal(network.model.compute(x), read.model.compute(x))
    read.save(tmp_path / "again.mho")
    assert (tmp_path / "n.mho").read_bytes() == (tmp_path / "again.mho").read_bytes()


def test_each_position_has_conversions_of_its_own(network: Network, x: Array) -> None:
    """The whole run again, one position and one product at a time, with numbers counted here."""
    done = execute(network, FunctionalBackend(), x[:2], seed=1, time_s=DAY, codes_of=2)
    cores, masks = build_cores(network, seed=1, time_s=DAY), core_masks(network)
    program = network.program
    firsts = np.cumsum([0, *(layer.conversions * layer.positions for layer in network.layers)])
    values: list[Array] = [program.input.compute(x[:2])]
    for stage in program.stages:
        codes = np.concatenate([values[k] for k in stage.inputs], axis=1)
        op = stage.operation
        if not isinstance(op, Call):
            values.append(op.compute(codes))
            continue
        layer = network.layers[op.layer]
        constant = 1 if layer.mvms[0].op.segments == 1 else 17
        result = np.zeros((2, layer.outputs, layer.positions), dtype=np.int16)
        for image in range(2):
            number = int(firsts[op.layer])
            for position, patch in enumerate(op.patches):
                window = [op.pad[r] if e < 0 else codes[image, e] for r, e in enumerate(patch)]
                rows = np.array([[constant if k < 0 else window[k] for k in layer.spread]], dtype=np.int16)
                lanes = np.zeros(layer.outputs, dtype=np.int64)
                for mvm in layer.mvms:
                    op_id = np.array([(image << 32) | number], dtype=np.uint64)
                    vector = mvm.vector(rows, network.chip.lines // 2)
                    raw = cores[mvm.core].mvm(mvm.op, masks[mvm.core], vector, op_id).codes[0, mvm.columns]
                    recorded = done.codes[op.layer, mvm.operation][image].reshape(layer.positions, -1)
                    assert np.array_equal(raw, recorded[position])
                    np.add.at(lanes, mvm.outputs, scale_leaf(raw[None], mvm.multiplier, layer.shift)[0])
                    number += mvm.op.segments
                lanes = lanes + layer.root.bias
                result[image, :, position] = np.maximum(lanes, 0) if layer.root.relu else lanes
        values.append(result.reshape(2, -1))
    assert np.array_equal(network.model.finish(program.output.compute(values[-1])), done.outputs)


def test_values_that_are_used_again_are_kept(network: Network, x: Array) -> None:
    cores, masks, program = build_cores(network, device="ideal"), core_masks(network), network.program

    def run(layer: int, mvm: Any, rows: Array, op_id: Array) -> Array:
        vector = mvm.vector(rows, network.chip.lines // 2)
        return cores[mvm.core].mvm(mvm.op, masks[mvm.core], vector, op_id).codes[:, mvm.columns]

    lanes = program.run(program.input.compute(x), np.arange(len(x), dtype=np.uint64), run)
    assert np.array_equal(
        network.model.finish(program.output.compute(lanes)), quantised_outputs(network, FunctionalBackend(), x).outputs
    )


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[onnx.ModelProto, Array]:
    rank, groups = draw(st.integers(1, 2)), draw(st.sampled_from([1, 1, 2, 4]))
    per_group, outputs = draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    size, kernel = [draw(st.integers(5, 8)) for _ in range(rank)], [draw(st.integers(1, 3)) for _ in range(rank)]
    weights = {
        "w": rng.normal(size=(outputs, per_group, *kernel)).astype("f4"),
        "b": 0.1 * rng.normal(size=outputs).astype("f4"),
        "s": rng.uniform(0.5, 2, size=(groups * per_group, *[1] * rank)).astype("f4"),
        "t": rng.normal(size=(groups * per_group, *[1] * rank)).astype("f4"),
        "v": rng.normal(size=(3, outputs, *[1] * rank)).astype("f4"),
    }
    nodes = [
        node("Mul", "x s", "m"), node("Add", "m t", "n"),
        node(
            "Conv", "n w b", "c", group=groups,
            strides=[draw(st.integers(1, 2)) for _ in range(rank)],
            dilations=[draw(st.integers(1, 2)) for _ in range(rank)],
            pads=[draw(st.integers(0, 2)) for _ in range(2 * rank)],
        ),
        node(draw(st.sampled_from(["Relu", "Sigmoid", "Tanh"])), "c", "a"), node("Conv", "a v", "y"),
    ]
    x = rng.uniform(-draw(st.integers(0, 1)), 1, size=(48, groups * per_group, *size)).astype("f4")
    return build(nodes, weights, shape=("batch", *x.shape[1:]), output=("batch", *["d"] * (rank + 1))), x


@pytest.mark.slow
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(case=convolutions(), chip=st.sampled_from(["tnsa64-core", "neurram-core"]))
def test_convolutions_on_ideal_cells(case: tuple[onnx.ModelProto, Array], chip: str) -> None:
    model, x = case
    options = replace(OPTIONS, in_bits=8, samples=64)
    network = compile_model(model, load_chip(chip), calibrate=x, device="ideal", options=options)
    expected, got = reference(model, x), quantised_outputs(network, FunctionalBackend(), x).outputs
    assert got.shape == expected.shape
    # A network whose outputs hardly vary is judged by their size.
    reach = max(expected.std(), 0.1 * np.abs(expected).max(initial=0.0))
    assert np.sqrt(((got - expected) ** 2).mean()) <= 0.04 * reach


PADS = {"pads": [1, 1, 1, 1]}
DENSE = [node("Flatten", "z", "f"), node("Gemm", "f w", "y")]
GRAPHS: dict[str, tuple[list[onnx.NodeProto], tuple[int, ...]]] = {
    "pooling last": ([node("Conv", "x k", "c"), node("GlobalAveragePool", "c", "g"), node("Flatten", "g", "y")], (2,)),
    "pooling first": (
        [node("AveragePool", "x", "p", kernel_shape=[3, 3], **PADS), node("Conv", "p k", "z", **PADS), *DENSE], (3,)
    ),
    "input added": (
        [node("Conv", "x k", "c", **PADS), node("Add", "c x", "a"), node("Relu", "a", "z"), *DENSE], (3,)
    ),
    "dense first": (
        [
            node("Flatten", "x", "v"), node("Gemm", "v e", "d"), node("Relu", "d", "r"),
            node("Reshape", "r shape", "i"),
            node("MaxPool", "i", "m", kernel_shape=[3, 3], **PADS), node("Conv", "m k", "z", **PADS), *DENSE,
        ],
        (3,),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_on_ideal_cells(name: str) -> None:
    nodes, output = GRAPHS[name]
    rng = np.random.default_rng(0)
    weights = {
        "k": rng.normal(size=(2, 2, 3, 3)).astype("f4") / 4, "w": rng.normal(size=(72, 3)).astype("f4") / 8,
        "e": rng.normal(size=(72, 72)).astype("f4") / 8, "shape": np.array([0, 2, 6, 6]),
    }
    used = {i for n in nodes for i in n.input}
    x = rng.uniform(size=(64, 2, 6, 6)).astype("f4")
    constants = {k: v for k, v in weights.items() if k in used}
    model = build(nodes, constants, shape=("batch", 2, 6, 6), output=("batch", *output))
    network = compile_model(model, load_chip("tnsa64-core"), calibrate=x, device="ideal", options=OPTIONS)
    expected, got = reference(model, x), quantised_outputs(network, FunctionalBackend(), x).outputs
    # Relative to all outputs: what has been averaged hardly varies from image to image.
    assert np.sqrt(((got - expected) ** 2).mean()) <= 0.03 * expected.std()


@pytest.mark.slow
def test_a_perceptron_with_tables_between_its_layers() -> None:
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(8, 12)).astype("f4"), "b": rng.normal(size=(12, 3)).astype("f4")}
    nodes = [node("MatMul", "x a", "m"), node("Tanh", "m", "t"), node("MatMul", "t b", "y")]
    # Features of very different sizes, each with an offset.
    size = 10.0 ** rng.integers(-2, 3, 8)
    weights["a"] /= size[:, None].astype("f4")
    x = (rng.normal(size=(64, 8)) * size + size).astype("f4")
    model = build(nodes, weights, shape=("batch", 8), output=("batch", 3))
    network = compile_model(model, load_chip("tnsa64-core"), calibrate=x, device="ideal", options=OPTIONS)
    expected, got = reference(model, x), quantised_outputs(network, FunctionalBackend(), x).outputs
    assert np.sqrt(((got - expected) ** 2).mean()) <= 0.05 * expected.std()


@pytest.mark.slow
def test_example_keeps_its_accuracy() -> None:
    """The convolutional network of the examples: ideal within 1.5 points of onnxruntime, a day within 4."""
    model = Path(__file__).parents[2] / "examples" / "models" / "fashion14_cnn.onnx"
    sample = load_sample("fashion14")
    options = CompileOptions(seeds=1, samples=64)
    network = compile_model(model, load_chip("neurram-core"), calibrate=sample.calibrate, options=options)

    def accuracy(outputs: Array) -> float:
        return 100.0 * float((outputs.argmax(axis=1) == y).mean())

    x, y = sample.x[:250], sample.y[:250]
    expected = accuracy(reference(model, x))
    backend = FunctionalBackend()
    aged = [accuracy(execute(network, backend, x, seed=s, time_s=DAY).outputs) for s in range(2)]
    assert expected > 80.0
    assert accuracy(quantised_outputs(network, backend, x).outputs) >= expected - 1.5
    assert np.mean(aged) >= expected - 4.0


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize(
    ("chip", "images"), [("tnsa16-core", 2), pytest.param("tnsa64-core", 2, marks=pytest.mark.long)]
)
def test_cosim_gives_the_codes_of_functional(chip: str, images: int) -> None:
    from mho.sim.core.cosim import CosimBackend

    model, x = tiny()
    network = compile_model(model, load_chip(chip), calibrate=x, options=OPTIONS)
    expected = execute(network, FunctionalBackend(), x[:images], seed=1, time_s=DAY, codes_of=images)
    backend = CosimBackend()
    try:
        got = execute(network, backend, x[:images], seed=1, time_s=DAY, codes_of=images)
    finally:
        backend.close()
    assert got.codes.keys() == expected.codes.keys()
    assert all(np.array_equal(got.codes[at], expected.codes[at]) for at in expected.codes)
    assert np.array_equal(got.outputs, expected.outputs)
    assert np.array_equal(got.cycles, expected.cycles)


@pytest.mark.parametrize("kind", ["largest", "sums"])
def test_many_terms_are_as_few(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows that are too large to be taken term by term: the same values and gradients."""
    rng = np.random.default_rng(4)
    index = rng.permuted(np.tile(np.arange(60, dtype=np.int32), (5, 1)), axis=1)[:, :40]
    if kind == "largest":
        op: Maximum | Combine = Maximum(index=index)
    else:
        index[rng.random(index.shape) < 0.1] = PAD
        op = Combine(index=index, coefficient=rng.normal(size=index.shape), offset=rng.normal(size=5),
                     channel=np.arange(5, dtype=np.int32))
    x, gradient = rng.normal(size=(7, 60)), rng.normal(size=(7, 5))
    expected = op.compute(x), op.backward(gradient, x, op.compute(x))
    monkeypatch.setattr("mho.compiler.model.stages.MANY_TERMS", 8)
    monkeypatch.setattr("mho.compiler.model.stages.MOST_NUMBERS", 500)
    chunked = op.compute(x), op.backward(gradient, x, op.compute(x))
    np.testing.assert_allclose(chunked[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(chunked[1], expected[1], rtol=1e-12)
