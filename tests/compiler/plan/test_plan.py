"""The plan of a network: its sums against those of the compiled program, levels, memory, and what would fit."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions, compile_model, fitting_of, import_onnx, summarise
from mho.compiler.dry_run import dry_run
from mho.compiler.model import FloatNetwork
from mho.compiler.network import Network
from mho.compiler.passes import compile_for_chip
from mho.compiler.plan.plan import peak_lanes
from mho.compiler.program import Call
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import Array, build, node, random_perceptron
from tests.compiler.test_stages import tiny

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "models"
FAST: dict[str, Any] = {"seeds": 1, "samples": 16}


def branches() -> tuple[FloatNetwork, Array]:
    """Two convolutions that take one value, and a layer that takes both."""
    rng = np.random.default_rng(0)
    weights = {
        "a": rng.normal(size=(6, 1, 3, 3)).astype("f4"), "b": rng.normal(size=(7, 1, 3, 3)).astype("f4"),
        "w": rng.normal(size=(13 * 16, 3)).astype("f4"),
    }
    pads = [1, 1, 1, 1]
    nodes = [
        node("Conv", "x a", "c", pads=pads), node("Conv", "x b", "d", pads=pads), node("Concat", "c d", "j", axis=1),
        node("Flatten", "j", "f"), node("Softmax", "f", "s"), node("MatMul", "s w", "y"),
    ]
    model = build(nodes, weights, shape=("batch", 1, 4, 4), output=("batch", 3))
    return import_onnx(model), rng.uniform(size=(16, 16)).astype("f4")


@cache
def compiled(name: str, parts: int = 1) -> Network:
    if name == "residual":
        model, x = tiny()
        net = import_onnx(model)
    elif name == "branches":
        net, x = branches()
    else:
        net, x = import_onnx(random_perceptron([20, 12, 5])), np.random.default_rng(0).normal(size=(16, 20))
    chip = load_chip("tnsa16-core", {"mesh.columns": 8, "mesh.rows": 8})
    options = CompileOptions(in_bits=4, in_parts=parts, out_bits=6, **FAST)
    return compile_model(net, chip, calibrate=x[:16].astype("f4"), device="ideal", options=options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["residual", "branches", "perceptron"])
def test_sums_are_those_of_the_program(name: str) -> None:
    network = compiled(name)
    summary = summarise(network)
    plan = summary["plan"]
    assert plan["conversions"] == network.mvms_per_image
    assert plan["cycles_serial"] == summary["cycles_worst"]
    assert plan["cells"] == summary["cells_used"]
    assert plan["weights"] == sum(layer.weight.size for layer in network.model.layers)
    layers = [step for step in plan["steps"] if step["place"] == "array"]
    assert [step["name"] for step in layers] == [layer.name for layer in network.layers]
    assert {core for step in layers for core in step["cores"]} == set(range(len(network.cores)))
    assert sum(step["place"] == "host" for step in plan["steps"]) == len(summary["host"])
    assert plan["cycles_core"] <= plan["cycles_parallel"] <= plan["cycles_serial"]


@pytest.mark.parametrize("name", ["residual", "branches", "perceptron"])
def test_a_dry_run_says_the_same(name: str) -> None:
    network = compiled(name)
    estimate, plan = dry_run(network.model, network.chip, options=network.options), summarise(network)["plan"]
    assert estimate["fit"] == fitting_of(network)
    assert estimate["assumed"]["conversions"] == [plan["conversions"]] * 2
    # Which layers grow into which free cells depends on the noise that they make, and cycles on whether codes have a
    # sign.
    for step in (*estimate["plan"]["steps"], *plan["steps"]):
        assert step.pop("cells") >= step["weights"]
        step.pop("cycles_worst")
        assert all(core < len(network.cores) for core in step.pop("cores"))
    assert estimate["plan"]["steps"] == plan["steps"]
    assert estimate["plan"]["host"] == plan["host"]
    few, many = estimate["assumed"]["cycles_serial"]
    assert few <= plan["cycles_serial"] <= many


@pytest.mark.slow
def test_bounds_hold_what_calibration_chooses() -> None:
    model, x = tiny()
    chip = load_chip("tnsa16-core")
    assumed = dry_run(model, chip)["assumed"]
    network = compile_model(model, chip, calibrate=x[:16], device="ideal", options=CompileOptions(**FAST))
    summary = summarise(network)
    assert assumed["conversions"][0] <= summary["mvms_per_image"] <= assumed["conversions"][1]
    assert assumed["cycles_serial"][0] <= summary["cycles_worst"] <= assumed["cycles_serial"][1]


def test_branches_are_of_one_level() -> None:
    plan = summarise(compiled("branches"))["plan"]
    assert [level["layers"] for level in plan["levels"]] == [["n_c", "n_d"], ["n_y"]]
    steps = {step["name"]: step for step in plan["steps"]}
    first = plan["levels"][0]
    assert first["cycles_serial"] == steps["n_c"]["cycles_worst"] + steps["n_d"]["cycles_worst"]
    load = [sum(s["cycles_worst"] // len(s["cores"]) for s in (steps["n_c"], steps["n_d"]) if k in s["cores"])
            for k in first["cores"]]
    assert first["cycles_parallel"] == max(load)


def test_the_host_is_told_with_what_crosses() -> None:
    plan = summarise(compiled("branches"))["plan"]
    assert [(w["name"], w["operators"], w["from_chip"], w["to_chip"]) for w in plan["host"]] == [
        ("x", "to codes", 0, 16), ("n_s", "Softmax", 13 * 16, 13 * 16), ("y", "to numbers", 3, 0),
    ]


def peak_of_run(network: Network) -> int:
    """Most lanes of the values of the program at once, from their sizes as they are made."""
    program, sizes = network.program, [network.model.features]
    last = {v: k for k, stage in enumerate(program.stages) for v in stage.inputs}
    alive, peak = {0}, 0
    for k, stage in enumerate(program.stages):
        op = stage.operation
        if isinstance(op, Call):
            sizes.append(len(op.patches) * program.layers[op.layer].outputs)
        else:
            gathered = np.zeros((1, sum(sizes[v] for v in stage.inputs)), dtype=np.int16)
            sizes.append(op.compute(gathered).shape[1])
        alive.add(k + 1)
        peak = max(peak, sum(sizes[v] for v in alive))
        alive -= {v for v in alive if last.get(v, -1) <= k} - {k + 1}
    return peak


@pytest.mark.slow
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("name", ["residual", "branches", "perceptron"])
def test_lanes_are_those_of_a_run(name: str, parts: int) -> None:
    network = compiled(name, parts)
    assert peak_lanes(network.model, parts) == summarise(network)["plan"]["lanes"] == peak_of_run(network)


def test_what_does_not_fit() -> None:
    net = import_onnx(random_perceptron([300, 200, 4]))
    fit = dry_run(net, load_chip("neurram-core"))["fit"]
    assert (fit["there"], fit["least"], fit["bound"], fit["missing"]) == (1, 3, 3, 2)
    assert [option["chip"] for option in fit["would_fit"]] == ["neurram", "neurram-lab"]
    columns, rows = fit["mesh"]
    for mesh, fits in (((columns, rows), True), ((2, 1), False)):
        chip = load_chip("neurram-core", {"mesh.columns": mesh[0], "mesh.rows": mesh[1]})
        assert (dry_run(net, chip)["fit"]["missing"] == 0) is fits
    assert not dry_run(net, load_chip("neurram"))["fit"]["would_fit"]


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "rows"), [
    (2, 2), (4, 4), *(pytest.param(*mesh, marks=pytest.mark.slow) for mesh in ((1, 1), (3, 2), (3, 3)))])
def test_tiles_have_one_verdict(columns: int, rows: int) -> None:
    """What fits, what is the least, and what would do, by the placement that compiling for tiles does."""
    net = import_onnx(random_perceptron([20, 28, 24, 5]))
    estimate = dry_run(net, load_chip("tnsa16-2x2", {"mesh.columns": columns, "mesh.rows": rows}))
    fit, tiles, minimum = estimate["fit"], estimate["tiles"], 16
    assert fit["least"] == tiles["least"] == minimum
    assert (fit["missing"] == 0) is (tiles["refused"] is None) is (columns * rows >= minimum)
    if columns * rows >= minimum:
        return
    assert f"{minimum} would do" in tiles["refused"]
    larger = dry_run(net, load_chip("tnsa16-2x2", {"mesh.columns": fit["mesh"][0], "mesh.rows": fit["mesh"][1]}))
    assert (larger["tiles"]["refused"], larger["fit"]["missing"]) == (None, 0)
    assert larger["fit"]["cores"] == len(larger["tiles"]["tiles"])
    assert {core for step in larger["plan"]["steps"] for core in step["cores"]} == set(range(larger["fit"]["cores"]))
    for option in fit["would_fit"]:
        assert dry_run(net, load_chip(option["chip"]))["fit"]["missing"] == 0


@pytest.mark.slow
def test_gates_that_tiles_compute_are_not_the_hosts() -> None:
    """Products of two values are the host's where it schedules cores, and the tiles' where these have programs."""
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(6, 6)).astype("f4") / 3, "b": rng.normal(size=(6, 4)).astype("f4") / 3,
               **{name: rng.normal(size=(6, 6)).astype("f4") / 3 for name in "cd"}}
    nodes = [node("MatMul", "x a", "h"), node("MatMul", "x c", "g"), node("Mul", "h g", "m"),
             node("MatMul", "m d", "n"), node("Softmax", "n", "s"), node("MatMul", "s b", "y")]
    model = build(nodes, weights, shape=("batch", 6), output=("batch", 4)).SerializeToString()
    x = rng.uniform(-1, 1, size=(16, 6)).astype("f4")
    for tiles, expected in ((False, ["Mul", "Softmax"]), (True, ["Softmax"])):
        chip = load_chip("tnsa16-2x2", {"tile.programs": tiles})
        summary = summarise(compile_for_chip(model, chip, calibrate=x, options=CompileOptions(**FAST)))
        for plan in (dry_run(model, chip)["plan"], summary["plan"]):
            at_host = [step["operator"] for step in plan["steps"] if step["place"] == "host"]
            assert at_host == expected
            assert [work["operators"] for work in plan["host"]][1:-1] == expected


@pytest.mark.slow
def test_what_tiles_have_no_room_for_is_no_fit() -> None:
    """Their cells have room for the weights, their streams none for the values: the plan says what compiling says."""
    model, chip = EXAMPLES / "vibration_lstm.onnx", load_chip("tnsa64-2x2")
    estimate = dry_run(model, chip)
    x = np.random.default_rng(0).normal(size=(4, *import_onnx(model).input_shape)).astype("f4")
    with pytest.raises(InputError) as refused:
        compile_for_chip(model, chip, calibrate=x, options=CompileOptions(seeds=1, samples=4, copies=1))
    assert "values from others" in estimate["tiles"]["refused"]
    assert str(refused.value).startswith(estimate["tiles"]["refused"])
    assert (estimate["fit"], estimate["tiles"]["tiles"]) == (None, [])
