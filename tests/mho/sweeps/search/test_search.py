"""Searches: the best trade-offs of a grid with a tenth of its designs, whatever is interrupted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.sweeps import Folder, load_spec, run_sweep
from mho.sweeps.search.search import chosen
from mho.sweeps.spec.measures import costs, front
from mho.sweeps.spec.spec import Search

OBJECTIVES = (("accuracy", True), ("interval_us", False))


def test_front_by_definition() -> None:
    rng = np.random.default_rng(1)
    cost = rng.integers(0, 6, (60, 3)).astype(float)
    cost[7, 1] = np.inf
    beaten = [
        not np.isfinite(cost[i]).all()
        or any((cost[j] <= cost[i]).all() and (cost[j] < cost[i]).any() for j in range(len(cost)))
        for i in range(len(cost))
    ]
    assert list(~front(cost)) == beaten
    cost_table = costs([{"accuracy": 0.5, "interval_us": 2.0}, {"interval_us": 1.0}], OBJECTIVES)
    assert cost_table.tolist() == [[-0.5, 2.0], [np.inf, 1.0]]


SHAPE, ORDERED = (10, 10, 5, 4), (True, True, True, False)


def chip_like(seed: int) -> NDArray[np.float64]:
    """2,000 designs: accuracy that saturates with bits and cells, time that grows with them, four devices."""
    rng = np.random.default_rng(seed)
    bits, cells, rows, device = np.indices(SHAPE).reshape(4, -1)
    a, b, c = rng.uniform(0.4, 0.9, 3)
    accuracy = 0.97 - 0.3 * np.exp(-a * bits) - 0.1 * np.exp(-b * cells) - 0.03 * c * (rows - 2) ** 2
    accuracy += rng.normal(0.0, 0.02, 4)[device]
    time_us = 1.35**bits * (1.0 + 0.3 * cells) * (1.0 + 0.15 * rows) * rng.uniform(0.7, 1.5, 4)[device]
    return np.stack([accuracy, time_us], axis=1)


def searched(values: NDArray[np.float64], search: Search) -> list[int]:
    """Designs in the order in which they are evaluated."""
    evaluated: list[int] = []

    def evaluate(numbers: Sequence[int]) -> list[dict[str, Any]]:
        evaluated.extend(numbers)
        return [{"accuracy": values[n, 0], "interval_us": values[n, 1]} for n in numbers]

    chosen(SHAPE, ORDERED, search, evaluate)
    return evaluated


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_the_front_of_2000_designs_with_200(seed: int) -> None:
    pytest.importorskip("sklearn")
    values = chip_like(seed)
    best = set(np.flatnonzero(front(values * [-1.0, 1.0])))
    evaluated = searched(values, Search(method="pareto", evaluations=200, objectives=OBJECTIVES, seed=seed))
    assert len(evaluated) == len(set(evaluated)) == 200
    assert len(best) > 20
    assert best <= set(evaluated)


def test_random_is_a_tenth_of_the_front() -> None:
    values = chip_like(0)
    evaluated = searched(values, Search(method="random", evaluations=200, seed=3))
    best = set(np.flatnonzero(front(values * [-1.0, 1.0])))
    assert len(evaluated) == len(set(evaluated)) == 200
    assert len(best & set(evaluated)) < 0.3 * len(best)


@pytest.mark.slow
def test_a_search_goes_on_where_it_was(sweep_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    objectives = 'objectives = {relative_error = "min", interval_cycles = "min"}'
    search = f'[search]\nmethod = "pareto"\nevaluations = 7\nbatch = 2\n{objectives}\n'
    text = sweep_text.replace('["1s", "1d"]', '["1s", "1h", "1d", "9d", "1y"]').replace("seeds = 3", "seeds = 2")
    path = tmp_path / "sweep.toml"
    path.write_text(text.replace("images = 40", "images = 10").replace("[networks", search + "[networks"))
    spec = load_spec(path)
    whole = run_sweep(spec, Folder(tmp_path / "whole"))
    assert (len(whole.rows), len(whole.designs), spec.size) == (14, 7, 10)

    class Killed(Exception):
        pass

    def kill(done: int, _total: int) -> None:
        if done == 9:
            raise Killed

    part = Folder(tmp_path / "part")
    with pytest.raises(Killed):
        run_sweep(spec, part, progress=kill)
    again = run_sweep(spec, part)
    assert again.found == 9
    assert again.rows == whole.rows
