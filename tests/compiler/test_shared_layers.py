"""Layers that are called several times: one placement, conversions of their own, the same bits on every path."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from mho.compiler import CompileOptions, Network, compile_model, summarise
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.program import Call, Mvm
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.account import RunAccount
from mho.sim.executor import build_cores, core_masks, execute
from mho.sim.functional import FunctionalBackend
from tests.compiler.importer.onnx_models import Array, build, node, reference
from tests.compiler.importer.test_onnx_operators import begin, floats, recurrent
from tests.sim.outputs import quantised_outputs

OPTIONS = CompileOptions(seeds=1, samples=64, in_parts=1, tolerance=0.01)
DAY = 86_400.0


def tied_weights(rounds: int = 3) -> onnx.ModelProto:
    """A perceptron whose hidden layer is there several times, written with one initializer."""
    nodes = [node("Gemm", "x u", "h0"), node("Relu", "h0", "r0")]
    for k in range(rounds):
        nodes += [node("Gemm", f"r{k} w b", f"h{k + 1}"), node("Relu", f"h{k + 1}", f"r{k + 1}")]
    weights = {"u": floats(6, 8) / 2, "w": floats(8, 8) / 2, "b": floats(8) / 2, "v": floats(8, 4) / 2}
    return build([*nodes, node("Gemm", f"r{rounds} v", "y")], weights)


def hand_unrolled() -> onnx.ModelProto:
    """A recurrent network as some exporters write it: slices, products and sums for each step."""
    nodes = [node("Slice", f"x t{k} t{k + 1} one", f"x{k}") for k in range(3)]
    for k in range(3):
        nodes.append(node("Gemm", f"x{k} w b", f"i{k}"))
        if k:
            nodes += [node("MatMul", f"h{k - 1} r", f"s{k}"), node("Add", f"i{k} s{k}", f"z{k}")]
        nodes.append(node("Tanh", f"z{k}" if k else "i0", f"h{k}"))
    weights = {
        "w": floats(2, 5), "r": floats(5, 5) / 2, "b": floats(5) / 4, "v": floats(5, 4),
        **{f"t{k}": np.array([2 * k]) for k in range(4)}, "one": np.array([1]),
    }
    return build([*nodes, node("Gemm", "h2 v", "y")], weights)


MODELS = {"tied": tied_weights, "unrolled": hand_unrolled, "RNN": lambda: recurrent("RNN")}
SHAPES = {"tied": (6,), "unrolled": (6,), "RNN": (3, 5)}
CALLS = {"tied": [1, 3, 1], "unrolled": [3, 2, 1], "RNN": [1, 2, 1]}


def inputs(name: str, count: int = 96) -> Array:
    return np.random.default_rng(3).normal(size=(count, *SHAPES[name])).astype("f4")


@pytest.fixture(scope="module", params=MODELS)
def case(request: pytest.FixtureRequest) -> tuple[str, onnx.ModelProto, Network]:
    name = request.param
    begin(7)
    model = MODELS[name]()
    chip = load_chip("tnsa16-core")
    return name, model, compile_model(model, chip, calibrate=inputs(name)[:64], options=OPTIONS)


@pytest.mark.slow
def test_equal_steps_are_one_layer(case: tuple[str, onnx.ModelProto, Network]) -> None:
    name, _, network = case
    calls = network.program.calls
    assert [sum(c.layer == k for c in calls) for k in range(len(network.layers))] == CALLS[name]
    assert network.model.calls == import_onnx(MODELS[name]()).calls
    assert [len(steps) for steps in network.model.calls] == CALLS[name]
    assert len({layer.name for layer in network.layers}) == len(network.layers)
    # One placement: the cells are those of the layers.
    used = sum(len(m.rows) * len(m.columns) for layer in network.layers for m in layer.mvms)
    assert summarise(network)["cells_used"] == 2 * used
    assert summarise(network)["mvms_per_image"] == sum(
        network.layers[c.layer].conversions * len(c.patches) for c in calls
    )


def test_near_the_float_network(case: tuple[str, onnx.ModelProto, Network]) -> None:
    name, model, network = case
    x = inputs(name)
    expected = reference(model, x[64:])
    got = quantised_outputs(network, FunctionalBackend(), x[64:]).outputs
    # As near as with cells of its own for each step: sums of eight products in codes of 8 bits.
    assert np.sqrt(((got - expected) ** 2).mean()) / expected.std() < 0.15


def test_each_conversion_has_a_number_of_its_own(case: tuple[str, onnx.ModelProto, Network]) -> None:
    """And the fast loop gives the codes of the plain interpreter, in the account of its call."""
    name, _, network = case
    program, masks, x = network.program, core_masks(network), inputs(name)[:3]
    cores = build_cores(network, device="rram-neurram", seed=4, time_s=DAY)
    op_ids: list[Array] = []
    account = RunAccount(program, len(x), len(x))
    account.begin(0, *program.input.compute_counted(x))

    def run(call: Call, mvm: Mvm, rows: Array, op_id: Array) -> Array:
        op_ids.extend(op_id + np.uint64(k) for k in range(mvm.op.segments))
        vector = mvm.vector(rows, network.chip.lines // 2)
        codes = cores[mvm.core].mvm(mvm.op, masks[mvm.core], vector, op_id).codes[:, mvm.columns]
        account.codes_of(call, mvm, 0, codes)
        return codes

    lanes = program.run(program.input.compute(x), np.arange(len(x), dtype=np.uint64), run)
    every = np.sort(np.concatenate(op_ids))
    expected = np.arange(program.conversions) + (np.arange(len(x))[:, None] << 32)
    assert np.array_equal(every, expected.reshape(-1).astype(np.uint64))
    options: dict[str, Any] = {"device": "rram-neurram", "seed": 4, "time_s": DAY}
    fast = execute(network, FunctionalBackend(), x, codes_of=3, **options)
    assert np.array_equal(fast.outputs, network.model.finish(program.output.compute(lanes)))
    assert all(np.array_equal(fast.codes[at], account.codes[at]) for at in account.codes)
    threads = execute(network, FunctionalBackend(threads=3), x, codes_of=3, batch=2, **options)
    assert all(np.array_equal(threads.codes[at], account.codes[at]) for at in account.codes)


def test_calls_draw_different_noise() -> None:
    """The same state in two calls of one layer gives different codes where cells are noisy, and the same where not."""
    nodes = [
        node("Gemm", "x w", "a"), node("Gemm", "x w", "b"), node("Sub", "a b", "d"), node("Gemm", "d v", "y"),
    ]
    begin(8)
    model = build(nodes, {"w": floats(6, 8), "v": floats(8, 4)})
    # Both Gemm take the same value, so that one of them stands for both after folding only if they are one node.
    network = compile_model(model, load_chip("tnsa16-core"), calibrate=inputs("tied")[:64], options=OPTIONS)
    layer = max(range(len(network.layers)), key=lambda k: network.layers[k].positions)
    assert network.layers[layer].positions == 2
    for device, same in (("ideal", True), ("rram-neurram", False)):
        done = execute(network, FunctionalBackend(), inputs("tied"), device=device, codes_of=96)
        first, second = np.split(done.codes_by_layer[layer], 2, axis=1)
        assert np.array_equal(first, second) == same


def test_a_file_gives_the_same(case: tuple[str, onnx.ModelProto, Network], tmp_path: Path) -> None:
    name, _, network = case
    network.save(tmp_path / "n.mho")
    read = Network.load(tmp_path / "n.mho")
    assert read.model.calls == network.model.calls
    x = inputs(name)[:8]
    first, second = (execute(n, FunctionalBackend(), x, seed=1, time_s=DAY).outputs for n in (network, read))
    assert np.array_equal(first, second)
    assert np.array_equal(network.model.compute(x), read.model.compute(x))
    read.save(tmp_path / "again.mho")
    assert (tmp_path / "n.mho").read_bytes() == (tmp_path / "again.mho").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1, 3])
def test_calls_that_share_a_position_are_refused(first: int, tmp_path: Path) -> None:
    network = compile_model(tied_weights(2), load_chip("tnsa16-core"), calibrate=inputs("tied")[:32], options=OPTIONS)
    stages = list(network.program.stages)
    k = [k for k, s in enumerate(stages) if isinstance(s.operation, Call) and s.operation.layer == 1][-1]
    op = stages[k].operation
    assert isinstance(op, Call)
    stages[k] = replace(stages[k], operation=replace(op, first=first))
    program = replace(network.program, stages=tuple(stages))
    replace(network, program=program).save(tmp_path / "n.mho")
    if first == op.first:
        assert Network.load(tmp_path / "n.mho").layers[1].positions == 2
        return
    with pytest.raises(InputError, match=rf"stage{k}\.first must be 1, not {first}"):
        Network.load(tmp_path / "n.mho")
    with pytest.raises(ValueError, match="begins at"):
        program.check()
