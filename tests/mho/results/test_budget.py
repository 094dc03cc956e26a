"""Error budgets: shares that add up, causes that matter, chips whose cells are given."""

import json
from dataclasses import replace
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mho
from mho.hw.config import load_chip
from mho.macro_models.devices import CAUSES, Device, device_from_dict, load_device
from mho.results.budget import MOST_EXACT, Passes, active_causes, make_budget, orders, run_passes, shares, subsets
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend

SHOWN = CAUSES[:-1]
"""Causes of chips without a sensor."""


def all_subsets(causes: tuple[str, ...]) -> list[frozenset[str]]:
    return [frozenset(chosen) for k in range(len(causes) + 1) for chosen in combinations(causes, k)]


@settings(max_examples=100)
@given(count=st.integers(0, 6), seed=st.integers(0, 2**32 - 1))
def test_shares_add_up_to_the_loss_of_all(count: int, seed: int) -> None:
    causes, rng = CAUSES[:count], np.random.default_rng(seed)
    losses = {on: rng.normal(size=3) for on in subsets(causes)}
    losses[frozenset()] = np.zeros(3)
    loss_shares = shares(causes, losses)
    total = sum(loss_shares.values(), np.zeros(3))
    np.testing.assert_allclose(total, losses[frozenset(causes)], atol=1e-12)


@settings(max_examples=50)
@given(count=st.integers(1, MOST_EXACT), seed=st.integers(0, 2**32 - 1))
def test_shares_are_shapley_values(count: int, seed: int) -> None:
    causes, rng = CAUSES[:count], np.random.default_rng(seed)
    losses = {on: rng.normal(size=2) for on in all_subsets(causes)}
    assert set(subsets(causes)) == set(losses)
    for cause, share in shares(causes, losses).items():
        expected = np.zeros(2)
        for on in losses:
            if cause not in on:
                weight = factorial(len(on)) * factorial(count - len(on) - 1) / factorial(count)
                expected += weight * (losses[on | {cause}] - losses[on])
        np.testing.assert_allclose(share, expected, atol=1e-12)


def test_causes_that_do_not_interact_have_their_own_loss() -> None:
    independent = {cause: np.array([0.1 * k]) for k, cause in enumerate(CAUSES)}
    losses = {on: sum((independent[c] for c in on), np.zeros(1)) for on in subsets(CAUSES)}
    assert {k: pytest.approx(v) for k, v in independent.items()} == shares(CAUSES, losses)


def test_many_causes_take_every_place_equally_often() -> None:
    assert len(CAUSES) > MOST_EXACT + 1
    for causes, sets in ((CAUSES[:6], 32), (CAUSES, 44)):
        permutations = orders(causes)
        for cause in causes:
            places = [order.index(cause) for order in permutations]
            assert sorted(places) == sorted(2 * list(range(len(causes))))
        assert len(subsets(causes)) == sets
    assert len(subsets(CAUSES[:5])) == 32
    assert subsets(()) == [frozenset()]


def test_a_budget_of_made_up_outputs() -> None:
    """Two causes that hide each other: alone either loses one of four images, together the same one."""
    truth = np.array([0, 1, 0, 1])
    right = np.eye(2)[truth]
    wrong = right.copy()
    wrong[0] = wrong[0][::-1]
    ran: list[tuple[int, frozenset[str], int | None]] = []

    def run(seed: int, on: Any, layer: int | None) -> np.ndarray:
        ran.append((seed, on, layer))
        return wrong if on and layer != 0 else right

    passes = run_passes(right, ("programming", "relaxation"), (4, 5), ("fc1", "fc2"), run)
    assert len(ran) == len(set(ran)) == 1 + 3 * 2 + 2 * 2
    budget = make_budget(passes, "accuracy", lambda o: float((o.argmax(axis=1) == truth).mean()))
    assert [row.name for row in budget] == ["float", "ideal", *SHOWN, "all"]
    assert budget.loss(budget["programming"]) == budget.loss(budget["relaxation"]) == 0.25
    assert budget.share(budget["programming"]) == budget.share(budget["relaxation"]) == 0.125
    assert budget.share(budget["wire"]) == 0.0
    assert budget.share(budget["ideal"]) is None
    assert budget.share(budget["all"]) == budget.loss(budget["all"]) == 0.25
    assert budget.interaction == -0.25
    assert str(budget).splitlines()[-1].split()[-1] == "-25.00"
    assert [(row["name"], row["loss"], row["values"]) for row in budget.to_dict()["layers"]] == [
        ("fc1", 0.0, (1.0, 1.0)), ("fc2", 0.25, (0.75, 0.75))]
    assert [row[-1] for row in budget.layer_table()[1]] == ["+0.00", "+25.00"]
    programming = budget.to_dict()["rows"][2]
    assert programming["alone"] == 0.25
    assert programming["share"] == 0.125
    assert programming["shares"] == [0.125, 0.125]
    errors = make_budget(passes, "relative error", lambda o: float((o.argmax(axis=1) != truth).mean()))
    assert errors.share(errors["relaxation"]) == 0.125  # more error is more loss


def test_a_budget_without_any_active_cause() -> None:
    passes = Passes(np.eye(2), (), {frozenset(): (np.eye(2),)})
    budget = make_budget(passes, "agreement", lambda o: float(o.mean()))
    assert {budget.share(budget[cause]) for cause in SHOWN} == {0.0}
    assert budget.share(budget["all"]) == budget.interaction == 0.0


@pytest.fixture(scope="module")
def net(tiny: Any) -> mho.Net:
    return mho.load(tiny.path("tiny.mho"))


def harsh(**stuck: Any) -> Device:
    tree = load_device("rram-neurram").to_dict()
    tree["relaxation"]["sigma_uS"] = [[4.0, 4.0] for _ in tree["relaxation"]["sigma_uS"]]
    tree["read_noise"]["sigma_uS"] = [2.0]
    tree["stuck"] |= stuck
    return device_from_dict(tree)


def test_shares_of_a_network_add_up_for_every_seed(net: mho.Net, tiny: Any) -> None:
    result = net.run(tiny.x, device=mho.Device(harsh(fraction=0.3, values_uS=[0.0, 40.0])), seeds=3)
    for budget in (result.budget(tiny.y), result.budget):
        content = json.loads(json.dumps(budget.to_dict()))
        rows = {row["name"]: row for row in content["rows"]}
        assert content["total"] > 0.01
        assert sum(rows[cause]["share"] for cause in SHOWN) == pytest.approx(content["total"], abs=1e-12)
        ideal = rows["ideal"]["mean"]
        by_seed = np.sum([rows[cause]["shares"] for cause in SHOWN], axis=0)
        np.testing.assert_allclose(by_seed, ideal - np.array(rows["all"]["values"]), atol=1e-12)
        alone = sum(rows[cause]["alone"] for cause in SHOWN)
        assert content["interaction"] == pytest.approx(content["total"] - alone, abs=1e-12)
        assert rows["wire"]["share"] == 0.0
        assert content["passes"] == 2**5


def test_without_causes_the_cells_are_ideal(net: mho.Net, tiny: Any) -> None:
    ideal = net.run(tiny.x, device="ideal", time=0.0).outputs
    for cells in (None, net.program(seed=1)):
        run = net.run(tiny.x, device=mho.Device(harsh()), cells=cells)
        assert run.budget_passes is not None
        passes = run.budget_passes(None)
        assert np.array_equal(passes.outputs[frozenset()][0], ideal)
        everything = passes.outputs[frozenset(passes.active)][0]
        assert np.array_equal(everything, run.outputs)  # what is not active changes nothing


def test_one_layer_has_the_causes(net: mho.Net, tiny: Any) -> None:
    """Its codes are those of the whole chip where those before it are perfect; others are those of perfect cells."""
    network, backend, device = net.network, FunctionalBackend(), harsh()

    def codes(layer: int | None, causes: frozenset[str]) -> list[np.ndarray]:
        run = execute(network, backend, tiny.x, device=device, time_s=60.0, causes=causes, layer=layer, codes_of=50)
        return [run.codes_by_layer[k] for k in range(2)]

    every, perfect, first, last = (codes(*options) for options in (
        (None, frozenset(CAUSES)), (None, frozenset()), (0, frozenset(CAUSES)), (1, frozenset(CAUSES))))
    assert len(network.layers) == 2
    assert np.array_equal(first[0], every[0])
    assert np.array_equal(last[0], perfect[0])
    assert not np.array_equal(first[0], perfect[0])
    assert not np.array_equal(last[1], perfect[1])
    budget = net.run(tiny.x, device=mho.Device(device), seeds=2).budget(tiny.y)
    assert [row.name for row in budget.layers] == [layer.name for layer in network.layers]


@pytest.mark.parametrize("name", ["ideal", "rram-neurram", "rram-relax"])
@pytest.mark.parametrize("time_s", [0.0, 3600.0])
def test_causes_that_are_not_active_change_nothing(net: mho.Net, tiny: Any, name: str, time_s: float) -> None:
    device, network = load_device(name), net.network
    active = active_causes(network.chip, device, time_s)
    backend = FunctionalBackend()

    def outputs(*causes: str) -> np.ndarray:
        return execute(
            network, backend, tiny.x[:20], device=device, seed=3, time_s=time_s, causes=frozenset(causes)
        ).outputs

    for cause in set(CAUSES) - set(active):
        assert np.array_equal(outputs(cause), outputs())
        assert np.array_equal(outputs(*CAUSES), outputs(*(set(CAUSES) - {cause})))
    assert ("relaxation" in active) == (name != "ideal" and time_s > 0)


def test_active_causes_follow_chip_device_and_cells(net: mho.Net) -> None:
    chip, device = load_chip("tnsa16-core"), load_device("rram-neurram")
    assert active_causes(chip, device, 1.0) == ("programming", "relaxation", "read-noise", "adc")
    wired = load_chip("tnsa16-core", {"wires.r_row_ohm": 1.0})
    assert "wire" in active_causes(wired, device, 1.0)
    perfect = load_chip("tnsa16-core", {"adc.sigma_offset_mV": 0.0, "adc.sigma_gain": 0.0})
    assert "adc" not in active_causes(perfect, device, 1.0)
    noisy = load_chip("tnsa16-core", {"adc.sigma_offset_mV": 0.0, "adc.sigma_gain": 0.0, "neuron.sampling_noise": True})
    assert "adc" in active_causes(noisy, device, 1.0)
    assert "stuck" in active_causes(chip, harsh(fraction=0.01), 1.0)
    cells = net.program(seed=2)
    assert active_causes(chip, load_device("ideal"), 1.0, cells) == ("programming",)
    core = replace(cells.cores[0], faults=cells.cores[0].faults | True)
    assert "stuck" in active_causes(chip, device, 1.0, replace(cells, cores=(core, *cells.cores[1:])))


def test_a_budget_of_programmed_cells(net: mho.Net, tiny: Any) -> None:
    cells = net.program(seed=1)
    result = net.run(tiny.x, cells=cells, device=mho.Device(harsh()), time="1d")
    budget = result.budget(tiny.y)
    assert budget["all"].mean == result.accuracy(tiny.y)
    assert budget.share(budget["all"]) == pytest.approx(budget.loss(budget["all"]), abs=1e-12)
    assert result.budget_passes is not None
    passes = result.budget_passes(None)
    none, *alone = (passes.outputs[frozenset(on)][0] for on in ((), ("programming",), ("relaxation",)))
    assert all(not np.array_equal(none, outcome) for outcome in alone)
