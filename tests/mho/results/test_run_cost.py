"""Time and energy in the JSON of a run, against counts by hand."""

from typing import Any

import numpy as np
import pytest

from mho import Chip, compile

GIVEN = {"energy.source": "a test", "energy.word_line_pJ": 3, "energy.reset_pJ": 7, "energy.step_pJ": 13,
         "area.macro_mm2": 0.25, "area.source": "a test"}
IMAGES = 12


@pytest.fixture(scope="module")
def cost(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A network, and what its JSON says of time and energy."""
    net = compile(tiny.path("tiny.onnx"), Chip.load("tnsa16-core", **GIVEN), calibrate=tiny.x)
    result = net.run(tiny.x[:IMAGES], device="ideal", time="1d", seeds=2, keep_codes=True)
    return net, result.to_dict()


@pytest.mark.slow
def test_macs_are_those_of_the_model(cost: tuple[Any, Any]) -> None:
    assert cost[1]["cost"]["macs"] == 6 * 6 + 6 * 3
    assert cost[1]["cost"]["operations"] == 2 * cost[1]["cost"]["macs"]


def test_energy_is_what_operations_take(cost: tuple[Any, Any]) -> None:
    net, report = cost
    mvms = [mvm for layer in net.network.layers for mvm in layer.mvms]
    energy = report["cost"]["energy"]
    assert energy["by_part_pJ"]["reset"] == pytest.approx(
        sum(7 * mvm.op.segments * len(mvm.columns) for mvm in mvms))
    assert energy["by_part_pJ"]["word lines"] == pytest.approx(
        sum(3 * mvm.op.planes * 2 * len(mvm.rows) for mvm in mvms))
    assert energy["total_pJ"] == pytest.approx(sum(energy["by_part_pJ"].values()))
    assert energy["total_pJ"] == pytest.approx(sum(energy["by_layer_pJ"].values()))
    assert (energy["source"], energy["left_out"]) == ("a test", ["input_pulse_pJ", "sample_pJ"])


def test_throughput_and_efficiency_are_by_two_operations_a_mac(cost: tuple[Any, Any]) -> None:
    costs = cost[1]["cost"]
    assert costs["tops"] == pytest.approx(costs["operations"] / costs["interval_us"] / 1e6)
    assert costs["tops_per_W"] == pytest.approx(costs["operations"] / costs["energy"]["total_pJ"])
    assert costs["tops_per_mm2"] == pytest.approx(costs["tops"] / 0.25)
    core = costs["cores"][0]
    assert 0 < core["analog_cycles"] < costs["interval_cycles"]
    assert 0 < core["cells_used"] < core["cells"] == 256


def test_bits_are_those_of_the_operations(cost: tuple[Any, Any]) -> None:
    net, report = cost
    for layer, bits in zip(net.network.layers, report["cost"]["bits"].values(), strict=True):
        assert {(bits["in"], bits["out"])} == {(mvm.op.in_bits, mvm.op.out_bits) for mvm in layer.mvms}
    assert list(report["cost"]["bits"]) == [layer["layer"] for layer in report["layers"]]


def test_codes_are_counted_over_the_range_of_the_converter(cost: tuple[Any, Any]) -> None:
    for layer in cost[1]["layers"]:
        counts, top = np.array(layer["codes"]["counts"]), layer["codes"]["top"]
        assert counts.sum() == 2 * IMAGES * layer["columns"]
        centres = top * (2 * np.flatnonzero(counts) + 1 - len(counts)) / len(counts)
        half = top / len(counts)
        assert abs(centres[0] - layer["min"]) <= half + 1
        assert abs(centres[-1] - layer["max"]) <= half + 1


def test_a_chip_that_says_nothing_has_no_energy(tiny: Any) -> None:
    chip = Chip.load("tnsa16-core", **{"energy.source": "", "area.source": ""})
    costs = compile(tiny.path("tiny.onnx"), chip, calibrate=tiny.x).run(tiny.x[:2]).to_dict()["cost"]
    assert [costs[key] for key in ("energy", "tops_per_W", "macros_mm2", "tops_per_mm2")] == [None] * 4
    assert costs["tops"] > 0
