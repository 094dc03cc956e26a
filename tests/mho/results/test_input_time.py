"""How long an input takes: one notion of runs, sweeps, reports, comparisons and their JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.compiler.tile import cycles
from mho.reports.facts import read_facts
from mho.reports.page import figures
from mho.sim.executor import build_cores, core_masks
from tests.mho.conftest import Tiny

IMAGES = 12
KEYS = ("latency_cycles", "latency_us", "interval_cycles", "interval_us")


@pytest.fixture(scope="module")
def net(tiny: Tiny) -> mho.Net:
    """The small classifier on tiles."""
    return mho.compile(tiny.path("tiny.onnx"), "tnsa16-2x2", calibrate=tiny.x)


def cost(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["cost"]


@pytest.mark.slow
def test_tiles_take_what_the_cycle_model_says_of_these_very_inputs(net: mho.Net, tiny: Tiny) -> None:
    result = net.run(tiny.x[:IMAGES], seed=3)
    network = net.network
    cores = build_cores(network, seed=3, time_s=86400.0)
    lanes = network.program.input.compute(tiny.x[:IMAGES])
    predicted = cycles.tile_cycles(network, cores, core_masks(network), lanes, np.arange(IMAGES, dtype=np.uint64))
    assert (result.time.latency, result.time.interval) == (predicted.ends[0], predicted.interval)
    assert result.cycles == predicted.ends[-1]
    assert result.time.predicted
    # Several are under way at a time.
    assert result.interval_us < 0.8 * result.latency_us
    content = result.to_dict()
    assert content["cost"]["interval_us"] == result.interval_us
    assert max(tile["utilisation"] for tile in content["cost"]["tiles"]["tiles"]) <= 1.02
    # Of one input alone the interval is that of the same again and again.
    single = net.run(tiny.x[:1], seed=3)
    # Engines that see no next input ask the rings in other turns: a cycle or two.
    assert single.latency_us == pytest.approx(result.latency_us, rel=0.002)
    assert 0 < single.interval_us < single.latency_us


@pytest.mark.slow
def test_of_many_inputs_some_are_computed_and_the_others_weighed(
    net: mho.Net, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = net.run(tiny.x)
    monkeypatch.setattr(cycles, "_CONVERSIONS", 1)
    sampled = net.run(tiny.x)
    assert cycles.predicted_images(net.network, len(tiny.x)) < len(tiny.x) // 4
    assert sampled.latency_us == whole.latency_us
    assert sampled.interval_us == pytest.approx(whole.interval_us, rel=0.01)


@pytest.mark.slow
def test_run_sweep_report_and_comparison_say_the_same(net: mho.Net, tiny: Tiny, tmp_path: Path) -> None:
    net.save(tmp_path / "net.mho")
    arguments = ["--input", tiny.path("x.npy"), "--limit", str(IMAGES), "-q"]
    for name, seed in (("a", "0"), ("b", "1")):
        report = f"{tmp_path}/{name}.json"
        assert run(["run", str(tmp_path / "net.mho"), *arguments, "--seed", seed, "--json", report]) == 0
    first = cost(tmp_path / "a.json")
    (tmp_path / "sweep.toml").write_text(
        'schema = 1\nchips = ["tnsa16-2x2"]\n[axes]\n"mesh.columns" = [2, 4]\n"compile.duplicates" = [1, 3]\n'
        "[networks.tiny]\n"
        f'model = "{tiny.path("tiny.onnx")}"\ninput = "{tiny.path("x.npy")}"\ncalibrate = "{tiny.path("x.npy")}"\n'
        f"images = {IMAGES}\n")
    assert run(["sweep", f"{tmp_path}/sweep.toml", "-o", f"{tmp_path}/out", "--jobs", "1", "-q"]) == 0
    plain, _, wider, copied = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert [plain[key] for key in KEYS] == [first[key] for key in KEYS]
    # Copies are for the interval.
    assert copied["interval_us"] < 0.8 * wider["interval_us"]
    [facts] = read_facts([f"{tmp_path}/a.json"])
    rows = dict(figures(facts))
    for name in ("latency", "interval"):
        [text] = [value for title, value in rows.items() if title.startswith(f"{name}:")]
        assert text.startswith(f"{first[f'{name}_cycles']:,.1f} cycles = {first[f'{name}_us']:,.3f} µs")
    assert run(["compare", f"{tmp_path}/a.json", f"{tmp_path}/b.json", "-q", "--json", f"{tmp_path}/c.json"]) == 0
    [comparison] = json.loads((tmp_path / "c.json").read_text())["compared"]
    costs = {entry["key"]: (entry["first"], entry["second"]) for entry in comparison["cost"]}
    assert costs["interval_us"] == (first["interval_us"], cost(tmp_path / "b.json")["interval_us"])


def test_products_of_a_host_follow_one_after_the_other(tiny: Tiny) -> None:
    result = mho.load(tiny.path("tiny.mho")).run(tiny.x[:IMAGES], seeds=2)
    assert result.latency_us == result.interval_us
    assert result.time.of(IMAGES) * 2 == result.cycles.sum()
    assert not result.time.predicted
