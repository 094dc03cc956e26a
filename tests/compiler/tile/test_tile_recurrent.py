"""Recurrent layers on tiles: programs are loops over steps, as long for many of them as for few."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network
from mho.compiler.calibration.assembly.assembly import Alike
from mho.compiler.importer.onnx_import import import_onnx
from mho.compiler.model.stages import Combine, Evaluated
from mho.compiler.passes import compile_tiles
from mho.compiler.program import InputStage, OutputStage, Program, Stage
from mho.compiler.tile import tile_code, tile_programs, with_programs
from mho.compiler.tile.cycles import expected_cycles
from mho.compiler.tile.graph.images import FEWEST
from mho.compiler.tile.layers import hoist_moves, join_tables
from mho.compiler.tile.programs import graph_of
from mho.hw.config import load_chip
from mho.macro_models.integer.vector import Encode, Select, Table
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.network_bench import compare

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(kind: str, steps: int, *, size: int = 4, **attrs: Any) -> tuple[Any, np.ndarray]:
    """A recurrent layer of three features, and a dense one that takes its last state."""
    rng = np.random.default_rng(4)
    weights = {"i": rng.normal(size=(1, GATES[kind] * size, 3)).astype("f4"),
               "r": rng.normal(size=(1, GATES[kind] * size, size)).astype("f4") / 2,
               "b": rng.normal(size=(1, 2 * GATES[kind] * size)).astype("f4") / 4,
               "s": np.array([-1, size]), "w": rng.normal(size=(4, size)).astype("f4")}
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(kind, "t i r b", "all h", hidden_size=size, **attrs),
             node("Reshape", "h s", "f"), node("Gemm", "f w", "y", transB=1)]
    x = rng.uniform(-1, 1, size=(16, steps, 3)).astype("f4")
    return build(nodes, weights, shape=("batch", steps, 3), output=("batch", 4)), x


def network(kind: str, steps: int, **attrs: Any) -> tuple[Network, np.ndarray]:
    model, x = recurrent(kind, steps, **attrs)
    chip = load_chip("tnsa64-2x2", {"mesh.columns": 3})
    return compile_tiles(model, chip, calibrate=x, options=CompileOptions(seeds=1, samples=8)), x


@pytest.mark.parametrize(("kind", "attrs"), [
    ("RNN", {}), pytest.param("LSTM", {}, marks=pytest.mark.slow),
    pytest.param("GRU", {"linear_before_reset": 1}, marks=pytest.mark.slow)])
def test_more_steps_take_no_more_instructions(kind: str, attrs: dict[str, Any]) -> None:
    words = []
    for steps in (7, 20):
        compiled, x = network(kind, steps, **attrs)
        programs, values, expected = compare(compiled, x[:2], device="rram-neurram", first=3, watched=False)
        (value, lanes), = values.items()
        np.testing.assert_array_equal(lanes, expected[value])
        assert len(np.unique(lanes)) > 3
        words.append({tile: len(place.program.words) for tile, place in programs.joined.tiles.items()})
    assert sum(words[1].values()) <= 1.05 * sum(words[0].values())


@pytest.mark.parametrize("form", [
    "both directions", *(pytest.param(form, marks=pytest.mark.slow) for form in ("two layers", "all states"))])
def test_states_of_all_steps_come_one_by_one(form: str) -> None:
    """Two layers on each other, one that goes back, and outputs at each step."""
    words = []
    for steps in (6, 14):
        rng, size = np.random.default_rng(2), 3
        count = 2 if form == "both directions" else 1
        weights = {
            **{f"i{n}": rng.normal(size=(count, size, size)).astype("f4") for n in range(2)},
            **{f"r{n}": rng.normal(size=(count, size, size)).astype("f4") / 2 for n in range(2)},
            "a": np.array([1]), "w": rng.normal(size=(size * count, 2)).astype("f4"), "s": np.array([-1, size * count]),
        }
        nodes = [node("Transpose", "x", "t", perm=[1, 0, 2])]
        if form == "both directions":
            nodes += [node("RNN", "t i0 r0", "all h", hidden_size=size, direction="bidirectional"),
                      node("Transpose", "h", "k", perm=[1, 0, 2]), node("Reshape", "k s", "f")]
        else:
            nodes += [node("RNN", "t i0 r0", "all h0", hidden_size=size), node("Squeeze", "all a", "u")]
            nodes += [node("RNN", "u i1 r1", "every h1", hidden_size=size), node("Reshape", "h1 s", "f")] if (
                form == "two layers") else [node("Transpose", "u", "f", perm=[1, 0, 2])]
        nodes.append(node("MatMul", "f w", "y"))
        output = ("batch", steps, 2) if form == "all states" else ("batch", 2)
        x = rng.uniform(-1, 1, size=(16, steps, 3)).astype("f4")
        chip = load_chip("tnsa64-2x2", {"mesh.columns": 4, "mesh.rows": 2})
        compiled = compile_tiles(build(nodes, weights, shape=("batch", steps, 3), output=output), chip, calibrate=x,
                                 options=CompileOptions(seeds=1, samples=8))
        programs, values, expected = compare(compiled, x[:2], device="rram-neurram", watched=False)
        (value, lanes), = values.items()
        np.testing.assert_array_equal(lanes, expected[value])
        assert len(np.unique(lanes)) > 3
        words.append(sum(len(place.program.words) for place in programs.joined.tiles.values()))
    assert words[1] <= 1.1 * words[0]


def test_moves_are_early_where_nobody_else_takes_what_is_moved() -> None:
    """States of four steps side by side, encoded, and moved: the same result without a move at the end."""
    rng, size, steps = np.random.default_rng(0), 3, 4
    count = size * steps
    slices = [Stage(operation=Select(index=np.arange(n * size, (n + 1) * size, dtype=np.int32),
                                     fill=np.zeros(size, np.int16)), inputs=(0,)) for n in range(steps)]
    moved = np.arange(count, dtype=np.int32).reshape(steps, size).T.ravel()
    stages = [
        *slices, Stage(operation=Select(index=np.arange(count, dtype=np.int32), fill=np.zeros(count, np.int16)),
                       inputs=tuple(range(1, steps + 1))),
        Stage(operation=Encode(offset=np.arange(count, dtype=np.int16), shift=10, low=-127, high=127,
                               multiplier=rng.integers(1, 999, count).astype(np.int32)), inputs=(steps + 1,)),
        Stage(operation=Select(index=moved, fill=np.zeros(count, np.int16)), inputs=(steps + 2,)),
    ]
    entry = InputStage(offset=np.zeros(count), scale=np.ones(count), low=-999, high=999)
    program = Program(input=entry, stages=tuple(stages), layers=(), output=OutputStage(scale=np.ones(count)))
    lanes = rng.integers(-999, 999, (5, count)).astype(np.int16)

    def last(program: Program) -> np.ndarray:
        return program.run_layers(lanes, lambda call, codes, notice: codes)

    early = hoist_moves(program)
    np.testing.assert_array_equal(last(early), last(program))
    ends = [steps.stages[-1].operation for steps in (program, early)]
    assert [np.array_equal(getattr(end, "index"), np.arange(count)) for end in ends] == [False, True]  # noqa: B009
    both = replace(program, stages=(*stages, Stage(operation=stages[-1].operation, inputs=(steps + 2,))))
    assert all(left is right for left, right in zip(hoist_moves(both).stages, both.stages, strict=True))


def test_gates_with_one_table_are_looked_up_together() -> None:
    """Three of four slices, in another order; the same lanes, and what takes a gate takes a slice."""
    rng, size = np.random.default_rng(1), 5
    tables = rng.integers(-999, 999, (2, 1024)).astype(np.int16)
    stages, gates = list[Stage](), list[int]()
    for gate, table in ((2, 0), (3, 1), (0, 0), (1, 0)):
        index = np.arange(gate * size, (gate + 1) * size, dtype=np.int32)
        stages.append(Stage(operation=Select(index=index, fill=np.zeros(size, np.int16)), inputs=(0,)))
        stages.append(Stage(operation=Table(multiplier=np.full(size, 77, np.int32), shift=5, entries=tables[table]),
                            inputs=(len(stages),)))
        gates.append(len(stages))
    stages.append(Stage(operation=Select(index=np.arange(4 * size, dtype=np.int32), fill=np.zeros(4 * size, np.int16)),
                        inputs=tuple(gates)))
    entry = InputStage(offset=np.zeros(4 * size), scale=np.ones(4 * size), low=-999, high=999)
    program = Program(input=entry, stages=tuple(stages), layers=(), output=OutputStage(scale=np.ones(4 * size)))
    joined, lanes = join_tables(program), rng.integers(-999, 999, (7, 4 * size)).astype(np.int16)

    def last(program: Program) -> np.ndarray:
        return program.run_layers(lanes, lambda call, codes, notice: codes)

    np.testing.assert_array_equal(last(joined), last(program))
    sizes = [len(stage.operation.multiplier) for stage in joined.stages if isinstance(stage.operation, Table)]
    assert sorted(sizes) == [size, 3 * size]
    assert join_tables(joined) is joined


@pytest.mark.slow
def test_half_of_the_steps_are_an_image_ahead() -> None:
    """The array does not wait for the state; each image has the bits that it has alone."""
    compiled, x = network("LSTM", 12, size=8)
    programmed = with_programs(compiled, x)
    assert programmed.network.tiles is not None
    assert programmed.cycles is not None
    assert programmed.network.tiles.ahead
    plain = expected_cycles(replace(compiled, tiles=tile_code(tile_programs(compiled, ahead={}))), x)
    assert programmed.cycles.interval < min(plain.interval, 1.2 * max(plain.analog.values()))
    for images in (1, 4):
        programs, values, expected = compare(
            programmed.network, x[:images], device="rram-neurram", first=3, watched=False)
        assert programs.ahead == programmed.network.tiles.ahead
        (value, lanes), = values.items()
        np.testing.assert_array_equal(lanes, expected[value])


def test_steps_that_are_alike_have_the_same_stages() -> None:
    """From the third step on, and all elements of a value have one unit, but for what is encoded."""
    compiled, _ = network("LSTM", 8)
    stages = compiled.program.stages
    calls = [k for k, stage in enumerate(stages) if getattr(stage.operation, "layer", None) == 1]
    assert len(calls) == 7
    blocks = [stages[a:b] for a, b in pairwise(calls[1:])]
    for block in blocks[1:]:
        for left, right in zip(blocks[0], block, strict=True):
            assert type(left.operation) is type(right.operation)
            for name in ("shift", "multiplier"):
                first, second = (getattr(part.operation, name, 0) for part in (left, right))
                np.testing.assert_array_equal(first, second)
    tables = [stage.operation for stage in stages if isinstance(stage.operation, Table)]
    assert all(len(set(table.multiplier.tolist())) == 1 for table in tables)


def test_alike_are_the_steps_between_calls_of_one_layer() -> None:
    model, x = recurrent("LSTM", 5)
    net = import_onnx(model, x=x)
    assert net.calls_again
    values = net.activations(x.reshape(len(x), -1))
    alike = Alike(net, values)
    several = [k for k in range(len(net.steps)) if len(alike.of(k)) > 1]
    assert {len(alike.of(k)) for k in several} == {3}
    for k in several:
        assert {type(net.steps[j].operation) for j in alike.of(k)} == {type(net.steps[k].operation)}
        if isinstance(net.steps[k].operation, Combine | Evaluated):
            inputs, outputs = alike.seen(k)
            np.testing.assert_array_equal(outputs, np.concatenate([values[j + 1] for j in alike.of(k)]))
            assert len(inputs) == len(net.steps[k].inputs)


def test_pixels_are_taken_one_by_one_where_there_are_several() -> None:
    for steps, count in ((FEWEST - 1, 0), (FEWEST + 2, 1)):
        compiled, _ = network("RNN", steps)
        shared = [step for step in graph_of(compiled).nodes if step.pixels]
        assert len(shared) == count
        for step in shared:
            assert sorted(step.pixels) == list(range(steps))
            assert [step.made_at(value) for value in step.values] == list(step.pixels)
    assert tile_programs(compiled).instructions > 0
