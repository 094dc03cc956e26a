"""What a report is told of tiles: sums and intervals from the states that a co-simulation noted."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np

from mho.sim.tile_networks.trace import KINDS, trace_of

LOAD, VECTOR, ARRAY = (1 << KINDS.index(kind) for kind in ("load", "vector", "array"))


def noted(states: list[tuple[int, int, int]]) -> Any:
    """A plan of two tiles and a result with these states, of two images whose results came at 60 and 100."""
    mesh = SimpleNamespace(position=lambda node: (node, 0), columns=2, rows=1)
    plan = SimpleNamespace(tiles=(0, 1), parts=SimpleNamespace(mesh=mesh), sinks=[SimpleNamespace(image_flits=2)])
    result = SimpleNamespace(
        states=np.array(states, dtype=np.uint64), arrivals=[np.array([50, 60, 90, 100], dtype=np.uint64)],
        progress={"first": 10},
    )
    return plan, result


def test_cycles_of_a_tile_add_up_to_the_time() -> None:
    """Before the first flit nothing counts; array and vector unit at a time are the array's."""
    plan, result = noted([
        (2, 0, LOAD), (20, 0, LOAD | ARRAY), (40, 0, VECTOR), (45, 0, 0), (12, 1, ARRAY | VECTOR), (90, 1, 0),
    ])
    trace = trace_of(plan, result)
    first, second = trace["tiles"]
    assert (first["array"], first["digital"], first["waiting"]) == (20, 10 + 5, 55)
    assert (second["array"], second["digital"], second["waiting"]) == (78, 0, 12)
    assert (trace["first"], trace["last"], trace["image_ends"], trace["images"]) == (10, 100, [60, 100], 2)
    assert first["intervals"]["array"] == [[20, 40]]
    assert first["intervals"]["load"] == [[10, 40]]
    assert second["intervals"]["send"] == []
    assert json.loads(json.dumps(trace)) == trace
