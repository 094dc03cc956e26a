"""Recurrent layers on tiles: programs are loops over steps, as long for many of them as for few."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from compiler import CompileOptions, Network
from compiler.calibration.alike import Alike, is_recurrent
from compiler.importer.onnx_import import import_onnx
from compiler.model.stages import Combine, Evaluated
from compiler.program import Product, Table, WeightedSum
from compiler.tile import compile_tiles, tile_programs
from compiler.tile.graph.pixels import FEWEST
from compiler.tile.programs import graph_of
from hw.config import load_chip
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
    ("LSTM", {}), ("RNN", {}), pytest.param("GRU", {"linear_before_reset": 1}, marks=pytest.mark.slow)])
def test_more_steps_take_no_more_instructions(kind: str, attrs: dict[str, Any]) -> None:
    words = []
    for steps in (7, 20):
        made, x = network(kind, steps, **attrs)
        programs, found, wanted = compare(made, x[:2], device="rram-neurram", first=3, watched=False)
        (value, lanes), = found.items()
        np.testing.assert_array_equal(lanes, wanted[value])
        assert len(np.unique(lanes)) > 3
        words.append({tile: len(place.program.words) for tile, place in programs.joined.tiles.items()})
    assert sum(words[1].values()) <= 1.05 * sum(words[0].values())


def test_steps_that_are_alike_have_the_same_stages() -> None:
    """From the third step on, and all elements of a value have one unit, but for what is encoded."""
    made, _ = network("LSTM", 8)
    stages = made.program.stages
    calls = [k for k, stage in enumerate(stages) if getattr(stage.operation, "layer", None) == 1]
    assert len(calls) == 7
    blocks = [stages[a:b] for a, b in pairwise(calls[1:])]
    for block in blocks[1:]:
        for one, other in zip(blocks[0], block, strict=True):
            assert type(one.operation) is type(other.operation)
            if isinstance(one.operation, WeightedSum | Table):
                assert one.operation.shift == other.operation.shift
                np.testing.assert_array_equal(one.operation.multiplier, other.operation.multiplier)
            if isinstance(one.operation, Product):
                assert one.operation.shift == other.operation.shift
    tables = [stage.operation for stage in stages if isinstance(stage.operation, Table)]
    assert all(len(set(table.multiplier.tolist())) == 1 for table in tables)


def test_alike_are_the_steps_between_calls_of_one_layer() -> None:
    model, x = recurrent("LSTM", 5)
    net = import_onnx(model, x=x)
    assert is_recurrent(net)
    values = net.activations(x.reshape(len(x), -1))
    alike = Alike(net, values)
    several = [k for k in range(len(net.steps)) if len(alike.of(k)) > 1]
    assert {len(alike.of(k)) for k in several} == {3}
    for k in several:
        assert {type(net.steps[j].operation) for j in alike.of(k)} == {type(net.steps[k].operation)}
        if isinstance(net.steps[k].operation, Combine | Evaluated):
            inputs, made = alike.seen(k)
            np.testing.assert_array_equal(made, np.concatenate([values[j + 1] for j in alike.of(k)]))
            assert len(inputs) == len(net.steps[k].inputs)


def test_pixels_are_taken_one_by_one_where_there_are_several() -> None:
    for steps, some in ((FEWEST - 1, 0), (FEWEST + 2, 1)):
        made, _ = network("RNN", steps)
        nodes = [one for one in graph_of(made).nodes if one.pixels]
        assert len(nodes) == some
        for one in nodes:
            assert sorted(one.pixels) == list(range(steps))
            assert [one.made_at(value) for value in one.values] == list(one.pixels)
    assert tile_programs(made).instructions > 0
