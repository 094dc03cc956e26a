"""What finds no room on a tile goes elsewhere: the lanes stay those of every other backend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import CompileOptions, Network
from mho.compiler.passes import compile_tiles
from mho.compiler.program import Call
from mho.compiler.tile import TilePrograms, tile_programs
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.interpreted import result_of
from tests.compiler.tile.network_bench import compare

MESH = {"mesh.columns": 4, "mesh.rows": 3}
PADS = [1, 1, 1, 1]
TALL = [node("Conv", "x a", "c"), node("Relu", "c", "r"), node("Conv", "r w", "y")]


QUICK = {"a node of many functions is divided", "an image of more elements than a tile has parameters"}


@dataclass(frozen=True)
class Case:
    """A model by its nodes and the shapes of weights and input; the chip; what the host does between layers.

    ``refused`` is what a tile would have no room for if nothing went elsewhere.
    """

    preset: str
    nodes: Sequence[Any]
    weights: Mapping[str, tuple[int, ...]]
    shape: tuple[int, ...]
    chip: Mapping[str, Any]
    host: tuple[str, ...] = ()
    refused: str = ""


CASES = {
    "functions behind a layer need more parameters than a tile has": Case(
        "tnsa64-2x2", [node("Gemm", "x a", "c", transB=1), node("Erf", "c", "e"), node("Mul", "c e", "g"),
                       node("Add", "c g", "s"), node("Gemm", "s w", "y", transB=1)],
        {"a": (48, 12), "w": (5, 48)}, (12,), {**MESH, "tile.parameters": 128},
        refused="the tile has 128 parameters, not"),
    "a node of many functions is divided": Case(
        "tnsa64-2x2", [node("Gemm", "x a", "c", transB=1), node("Tanh", "c", "t"), node("Mul", "c t", "m"),
                       node("Sigmoid", "m", "s"), node("Add", "s c", "d"), node("Gemm", "d w", "y", transB=1)],
        {"a": (40, 12), "w": (5, 40)}, (12,), {**MESH, "tile.parameters": 96},
        refused="the tile has 96 parameters, not"),
    "an image of more elements than a tile has parameters": Case(
        "tnsa64-2x2", [node("Conv", "x a", "c", pads=PADS), node("Relu", "c", "r"), node("Flatten", "r", "f"),
                       node("Gemm", "f w", "y", transB=1)],
        {"a": (4, 2, 3, 3), "w": (5, 100)}, (2, 5, 5), {**MESH, "tile.parameters": 64}),
    "more groups than a tile takes values": Case(
        "tnsa16-2x2", [node("Conv", "x a", "c", group=36), node("Relu", "c", "r"), node("Conv", "r w", "y")],
        {"a": (36, 1, 2, 2), "w": (4, 36, 1, 1)}, (36, 3, 3), MESH),
    "windows of many inputs are put side by side": Case(
        "tnsa16-2x2", [node("Conv", "x a", "c", pads=PADS), node("Relu", "c", "r"),
                       node("Conv", "r w", "y", pads=PADS)],
        {"a": (3, 2, 3, 3), "w": (2, 3, 3, 3)}, (2, 8, 8), MESH, host=("Select",)),
    "a window that needs more blocks than a ring has": Case(
        "tnsa16-2x2", TALL, {"a": (3, 2, 1, 1), "w": (2, 3, 2, 2)}, (2, 2, 255), MESH, host=("Encode", "Select")),
    "steps of a recurrent layer": Case(
        "tnsa64-2x2", [node("Transpose", "x", "q", perm=[1, 0, 2]), node("LSTM", "q i r", "all h", hidden_size=16),
                       node("Reshape", "h s", "f"), node("Gemm", "f w", "y", transB=1)],
        {"i": (1, 64, 3), "r": (1, 64, 16), "s": (-1, 16), "w": (4, 16)}, (8, 3), {**MESH, "tile.parameters": 64},
        refused="the tile has 64 parameters, not"),
    "tokens between layers of the last axis": Case(
        "tnsa64-2x2", [node("MatMul", "x a", "c"), node("Softmax", "c", "r", axis=-1), node("MatMul", "r w", "y")],
        {"a": (8, 36), "w": (36, 3)}, (30, 8), MESH,
        host=("Encode", "Host", "Select", "Select")),
    "channels in another order before groups": Case(
        "tnsa64-2x2", [node("Conv", "x a", "c", pads=PADS), node("Reshape", "c s", "d"),
                       node("Transpose", "d", "e", perm=[0, 2, 1, 3, 4]), node("Reshape", "e t", "f"),
                       node("Conv", "f b", "g", pads=PADS, group=4), node("Relu", "g", "r"), node("Conv", "r w", "y")],
        {"a": (8, 2, 3, 3), "b": (8, 2, 3, 3), "w": (3, 8, 1, 1), "s": (0, 2, 4, 6, 6), "t": (0, 8, 6, 6)}, (2, 6, 6),
        MESH, host=("Select",)),
}


def network_of(case: Case) -> tuple[Network, NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    weights = {k: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype("f4") for k, s in case.weights.items()
               if k not in "st"}
    weights |= {k: np.array(s) for k, s in case.weights.items() if k in "st"}
    x = rng.uniform(-1, 1, size=(8, *case.shape)).astype("f4")
    rank = 2 if case.nodes[-1].op_type == "Gemm" else len(case.shape) + 1
    model = build(case.nodes, weights, shape=("n", *case.shape), output=("n", *"abc"[: rank - 1]))
    options = CompileOptions(seeds=1, samples=8, copies=1)
    return compile_tiles(model, load_chip(case.preset, dict(case.chip)), calibrate=x, options=options), x


def check(network: Network, x: NDArray[np.float32]) -> TilePrograms:
    """Lanes that the host gets, those of layers among them, and the result, with noise."""
    calls = [k + 1 for k, stage in enumerate(network.program.stages) if isinstance(stage.operation, Call)]
    # Of a recurrent layer a tile could not send each.
    layers = calls if len(calls) == len(network.layers) else calls[-2:]
    programs, values, expected = compare(network, x[:2], device="rram-neurram", first=3, watched=layers)
    assert {*layers} <= {*values}
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"value {value}")
        assert len(np.unique(lanes)) > 3
    lanes = network.program.input.compute(x[:2].reshape(2, -1))
    np.testing.assert_array_equal(result_of(programs, lanes, values), expected[-1])
    return programs


@pytest.mark.parametrize(
    "what", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES])
def test_what_has_no_room(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[what]
    network, x = network_of(case)
    split = check(network, x).placed.graph.split
    assert sorted(type(network.program.stages[k].operation).__name__ for k in split.between) == [*case.host]
    if case.refused:
        monkeypatch.setattr("mho.compiler.tile.programs.more_room", lambda *_, **__: None)
        with pytest.raises(InputError, match=case.refused):
            tile_programs(network)


def test_more_inputs_than_a_pixel_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.compiler.tile.graph.shapes.MOST_INPUTS", 20)
    monkeypatch.setattr("mho.compiler.tile.lowering.geometry._fields_hold", lambda walk: walk.run <= 20)
    case = Case("tnsa64-2x2", [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"),
                               node("Gemm", "r w", "y", transB=1)], {"a": (8, 45), "w": (3, 8)}, (45,), MESH)
    network, x = network_of(case)
    graph = check(network, x).placed.graph
    assert [graph.values[node.source].image.pixels for node in graph.nodes if node.head is not None] == [3, 1]


@pytest.mark.slow
def test_parts_of_many_groups_share_tiles() -> None:
    programs = tile_programs(network_of(CASES["more groups than a tile takes values"])[0])
    assert max(len(members) for members in programs.placed.members) == 8
