import numpy as np
import pytest
from onnx import TensorProto

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.program import Call, Mvm
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.macro_models.integer.vector import scale_leaf
from mho.sim.account import RunAccount
from mho.sim.executor import build_cores, core_masks, execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import build, node, random_perceptron, reference
from tests.sim.outputs import float_outputs, quantised_outputs

OPTIONS = CompileOptions(seeds=1, samples=32, in_parts=1, tolerance=0.01)
DAY = 86_400.0


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(50, 20)).astype(np.float32)


@pytest.fixture(scope="module")
def network(x: np.ndarray) -> Network:
    """Two layers that need several cores: row and column segments."""
    return compile_model(random_perceptron([20, 24, 3]), load_chip("tnsa16-core"), calibrate=x, options=OPTIONS)


def test_layers_larger_than_a_core(network: Network, x: np.ndarray) -> None:
    assert len(network.cores) > network.chip.cores
    assert len(network.layers[0].mvms) == 6
    assert network.schedule == "host"
    got, expected = quantised_outputs(network, FunctionalBackend(), x).outputs, float_outputs(network, x)
    assert got.shape == expected.shape == (50, 3)
    assert np.abs(got - expected).max() < 0.1


def test_shapes_and_types_are_those_of_onnxruntime() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 2, 3)).astype(np.float32)
    w = rng.normal(size=(6, 4)).astype(np.float32)
    tails = {
        "softmax": ([node("Softmax", "m", "y")], {}),
        "argmax": ([node("ArgMax", "m", "y", axis=1)], {"output": ("batch", 1), "elem_type": TensorProto.INT64}),
        "labels": (
            [node("ArgMax", "m", "y", axis=-1, keepdims=0)],
            {"output": ("batch",), "elem_type": TensorProto.INT64},
        ),
        "shaped": ([node("Reshape", "m t", "y")], {"output": ("batch", 2, 2)}),
    }
    for nodes, options in tails.values():
        weights = {"w": w, "t": np.array([0, 2, 2])}
        model = build(
            [node("Flatten", "x", "f"), node("MatMul", "f w", "m"), *nodes], weights, shape=("batch", 2, 3), **options
        )
        net = compile_model(model, load_chip("tnsa16-core"), calibrate=x, options=OPTIONS)
        expected, got = reference(model, x), quantised_outputs(net, FunctionalBackend(), x).outputs
        assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
        assert np.array_equal(execute(net, FunctionalBackend(), x.reshape(12, 6), device="ideal").outputs, got)


def test_batches_change_nothing(network: Network, x: np.ndarray) -> None:
    whole = execute(network, FunctionalBackend(), x, seed=3, time_s=DAY, codes_of=50)
    steps: list[tuple[int, int]] = []
    parts = execute(
        network, FunctionalBackend(), x, seed=3, time_s=DAY, codes_of=50, batch=7,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert np.array_equal(whole.outputs, parts.outputs)
    assert np.array_equal(whole.cycles, parts.cycles)
    assert whole.layers == parts.layers
    assert all(np.array_equal(whole.codes[at], parts.codes[at]) for at in whole.codes)
    assert steps[0] == (7, 50)
    assert steps[-1] == (50, 50)


def test_one_image_alone_has_the_noise_of_its_number(network: Network, x: np.ndarray) -> None:
    whole = execute(network, FunctionalBackend(), x, seed=3, time_s=DAY)
    alone = execute(network, FunctionalBackend(), x[41:42], seed=3, time_s=DAY, first_image=41)
    run = execute(network, FunctionalBackend(), x[41:42], seed=3, time_s=DAY, first_image=7)
    assert np.array_equal(alone.outputs[0], whole.outputs[41])
    assert not np.array_equal(run.outputs, alone.outputs)


def test_seeds_are_chips(network: Network, x: np.ndarray) -> None:
    first, again, second = (execute(network, FunctionalBackend(), x, seed=s, time_s=DAY).outputs for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_result_is_the_integer_arithmetic_of_the_codes(network: Network, x: np.ndarray) -> None:
    """The whole run again, from the macro's codes, in Python integers."""
    done = execute(network, FunctionalBackend(), x[:3], seed=1, time_s=DAY, codes_of=3)
    cores = build_cores(network, seed=1, time_s=DAY)
    masks = core_masks(network)
    for image in range(3):
        codes = [int(c) for c in network.program.input.compute(x[:3])[image]]
        for index, layer in enumerate(network.layers):
            sums = [0] * layer.outputs
            constant = 1 if layer.mvms[0].op.segments == 1 else 17
            rows = [constant if k < 0 else codes[k] for k in layer.spread]
            for mvm in layer.mvms:
                vector = np.zeros((1, 8), dtype=np.int16)
                for k, row in enumerate(mvm.rows):
                    vector[0, row] = rows[mvm.first + k]
                op_id = np.array([(image << 32) | mvm.operation], dtype=np.uint64)
                raw = cores[mvm.core].mvm(mvm.op, masks[mvm.core], vector, op_id).codes[0, mvm.columns]
                assert np.array_equal(raw, done.codes[index, mvm.operation][image])
                for value, target in zip(
                    scale_leaf(raw[None], mvm.multiplier, layer.shift)[0], mvm.outputs, strict=True
                ):
                    sums[target] += int(value)
            lanes = [s + int(b) for s, b in zip(sums, layer.root.bias, strict=True)]
            assert max(map(abs, lanes)) < 2**15
            lanes = [max(v, 0) for v in lanes] if layer.root.relu else lanes
            q = layer.root.requantise
            if q is not None:
                lanes = [min(max((v + ((1 << q.shift) >> 1)) >> q.shift, q.low), q.high) for v in lanes]
            codes = lanes
        y = network.model.finish(np.array([codes]) * network.program.output.scale)
        assert np.array_equal(y[0], done.outputs[image])


def test_counts(network: Network, x: np.ndarray) -> None:
    done = execute(network, FunctionalBackend(), x, time_s=DAY)
    summary = summarise(network)
    assert done.mvms == 50 * summary["mvms_per_image"]
    assert done.cycles.shape == (50,)
    assert (0 < done.cycles).all()
    assert done.cycles.max() <= summary["cycles_worst"]
    assert len(done.layers) == 2
    for figures, layer in zip(done.layers, network.layers, strict=True):
        assert figures.least < 0 < figures.largest
        assert 0 <= figures.saturated < 0.2
        assert figures.columns == sum(len(m.columns) for m in layer.mvms)
        assert figures.positions == 1
        assert figures.inputs == 50 * layer.inputs
        assert figures.clipped <= 0.05 * figures.inputs


def test_codes_of_some_images_are_those_of_all(network: Network, x: np.ndarray) -> None:
    whole, part, none = (
        execute(network, FunctionalBackend(), x, seed=3, time_s=DAY, codes_of=keep, batch=16).codes
        for keep in (50, 21, 0)
    )
    assert none == {}
    assert part.keys() == whole.keys()
    assert all(np.array_equal(part[at], whole[at][:21]) for at in whole)


def test_clipped_inputs_are_counted(network: Network, x: np.ndarray) -> None:
    """Those of the first layer by the codes without an end, those of the second where the first gives too much."""
    stage, large = network.program.input, 8 * x
    codes = np.rint((large - stage.offset) / stage.scale)
    done = execute(network, FunctionalBackend(), large, device="ideal", batch=9)
    assert done.layers[0].clipped == ((codes < stage.low) | (codes > stage.high)).sum() > 0.5 * x.size
    (first, _) = network.layers
    assert first.root.requantise is not None
    assert done.layers[1].inputs == 50 * 24
    assert 0 < done.layers[1].clipped < 50 * 24


def test_causes_are_switched(network: Network, x: np.ndarray) -> None:
    perfect = quantised_outputs(network, FunctionalBackend(), x).outputs
    without = execute(network, FunctionalBackend(), x, time_s=DAY, causes=frozenset()).outputs
    assert np.array_equal(perfect, without)
    noisy = execute(network, FunctionalBackend(), x, time_s=DAY, causes=frozenset({"relaxation"})).outputs
    assert not np.array_equal(perfect, noisy)


def test_bad_inputs(network: Network) -> None:
    with pytest.raises(InputError, match=r"input 'x' of the model needs shape \[samples, 20\], not \[3, 19\]"):
        execute(network, FunctionalBackend(), np.ones((3, 19)))
    with pytest.raises(InputError, match="NaN"):
        execute(network, FunctionalBackend(), np.full((3, 20), np.inf))
    with pytest.raises(InputError, match=r"device .*no-such"):
        execute(network, FunctionalBackend(), np.ones((3, 20)), device="no-such")


@pytest.mark.parametrize("images", [1, 2, 7, 300])
def test_pieces_of_a_batch_become_smaller(network: Network, images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image is in one of them; threads wait for the last one for as short as it is."""
    monkeypatch.setattr("mho.compiler.program.program.POSITIONS", 64)
    monkeypatch.setattr("mho.sim.functional.PIECE", 64 * 24)
    pieces: list[np.ndarray] = []

    class Watched(FunctionalBackend):
        def _run(self, program, masks, lanes, images, account):  # pyright: ignore[reportIncompatibleMethodOverride]
            pieces.append(images)
            return super()._run(program, masks, lanes, images, account)

    x = np.zeros((images, 20), dtype=np.float32)
    execute(network, Watched(2), x, batch=images)
    assert sorted(np.concatenate(pieces).tolist()) == list(range(images))
    sizes = [len(piece) for piece in sorted(pieces, key=lambda piece: piece[0])]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) > 1 or images == 1
    if images == 300:
        assert sizes[0] == 64
        assert sizes[-1] <= 8


def test_threads_change_nothing(network: Network, x: np.ndarray) -> None:
    run = {"seed": 3, "time_s": DAY, "codes_of": 20, "batch": 16}
    alone, shared = (execute(network, FunctionalBackend(threads), x, **run) for threads in (1, 3))
    assert np.array_equal(alone.outputs, shared.outputs)
    assert np.array_equal(alone.cycles, shared.cycles)
    assert alone.layers == shared.layers
    assert alone.codes.keys() == shared.codes.keys()
    assert all(np.array_equal(codes, shared.codes[at]) for at, codes in alone.codes.items())
    with pytest.raises(InputError, match="threads must be between 1 and 256, not 0"):
        FunctionalBackend.check({"threads": 0})


@pytest.mark.parametrize("preset", ["tnsa16-core", "pwm16-core"])
def test_energy_sees_the_inputs_alike_whoever_carries_out_the_products(preset: str) -> None:
    """Padding, constants and rows of several products: from elements at once, and from the rows of each product."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 2, 5, 5)).astype(np.float32)
    weights = {"w": rng.normal(size=(3, 2, 3, 3)).astype(np.float32), "b": np.ones(3, dtype=np.float32)}
    model = build(
        [node("Conv", "x w b", "c", pads=[1, 1, 1, 1]), node("Relu", "c", "y")], weights, shape=("batch", 2, 5, 5),
        output=("batch", 3, 5, 5),
    )
    network = compile_model(model, load_chip(preset), calibrate=x, options=OPTIONS)
    program, masks, targets = network.program, core_masks(network), [core.targets_uS for core in network.cores]
    accounts = [RunAccount(program, len(x), 0, network.chip, masks, targets) for _ in range(2)]
    lanes, images = program.input.compute(x), np.arange(len(x), dtype=np.uint64)
    backend = FunctionalBackend()
    backend.open_network(network, build_cores(network, device="ideal"))
    for account in accounts:
        account.begin(0, lanes)
    outputs = backend.run(program, masks, lanes, images, accounts[0])
    cores = build_cores(network, device="ideal")

    def product(call: Call, mvm: Mvm, rows: np.ndarray, op_id: np.ndarray) -> np.ndarray:
        inputs = network.chip.macro_config().cell_map.rows
        result = cores[mvm.core].mvm(mvm.op, masks[mvm.core], mvm.vector(rows, inputs), op_id)
        accounts[1].converted(mvm, result.steps, accounts[1].driven_by(rows))
        return result.codes[:, mvm.columns]

    assert np.array_equal(program.run(lanes, images, product), outputs)
    energies = [account.layers[0].energy_pJ for account in accounts]
    assert energies[0] == energies[1]
    name = "rows" if preset == "pwm16-core" else "input pulses"
    blank = RunAccount(program, len(x), 0, network.chip, masks, targets)
    blank.begin(0, 0 * lanes)
    backend.run(program, masks, 0 * lanes, images, blank)
    assert blank.layers[0].energy_pJ[name] < energies[0][name]
