"""``mho compare``: two runs side by side, and whether they differ by more than chance."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.cli import run
from mho.commands.results import series_of
from mho.comparisons.runs import Run, compare, costs, differing, read_run
from mho.figures.compare import figure_of_runs
from mho.macro_models.errors import InputError
from mho.results.facts import Cost
from mho.version import JSON_FORMAT
from tests.mho.test_device_figures import laid_out


def write(
    path: Path, scores: list[float], *, time_s: float = 0.0, device: Any = "a", images: int = 400, **more: Any
) -> str:
    """The JSON of a run, as far as a comparison reads it."""
    measure = more.pop("measure", "accuracy")
    name = device if isinstance(device, str) else device["name"]
    content: dict[str, Any] = {
        "format": JSON_FORMAT, "versions": {}, "layers": [], "compile_options": {},
        "chip": {"name": "c", "adc": {"bits": 8}, "mesh": {"columns": 1, "rows": 1}},
        "fit": {"fits": True, "note": "", "cores": 1, "there": 1, "chips": 1, "figures": ""},
        "hashes": {"network": "n", "chip": "c", "device": name, "input": more.pop("input", "i")},
        "device": device if name != device else {
            "name": device, "law": {"model": "", "source": device}, "source": device},
        "model": "m",
        "options": {
            "time_s": time_s, "device": name, "seeds": list(range(len(scores))), "backend": "functional", "temp_C": 25.0
        },
        "images": images,
        "results": [{"seed": k, measure: v} for k, v in enumerate(scores)], **more,
    }
    path.write_text(json.dumps(content))
    return str(path)


def test_chips_are_compared_one_by_one(tmp_path: Path) -> None:
    chips = [0.90, 0.94, 0.92, 0.95]
    first = read_run(write(tmp_path / "a.json", chips))
    moved = [c - 0.01 + e for c, e in zip(chips, (1e-3, -1e-3, 0.0, 0.0), strict=True)]
    second = read_run(write(tmp_path / "b.json", moved))
    comparison = compare(first, second)
    assert comparison.over == "chips"
    assert comparison.value == pytest.approx(-0.01)
    assert comparison.half == pytest.approx(2.3534 * np.std([1e-3, -1e-3, 0.0, 0.0], ddof=1) / 2.0, rel=1e-3)
    assert comparison.sure
    # Other images: what chips and images do does not cancel.
    elsewhere = read_run(write(tmp_path / "c.json", [c - 0.01 for c in chips], input="others"))
    assert not compare(first, elsewhere).over
    assert not compare(first, elsewhere).sure


def test_single_chips_are_compared_image_by_image(tmp_path: Path) -> None:
    r = np.random.default_rng(5)
    first = r.random(399) < 0.9
    second = first.copy()
    second[np.flatnonzero(first)[:12]] = False  # 12 images lost, 2 won: McNemar's exact test of 2 in 14
    second[np.flatnonzero(~first)[:2]] = True

    def one(name: str, right: np.ndarray) -> Run:
        entry = {"seed": 0, "accuracy": float(right.mean()), "right": np.packbits(right).tobytes().hex()}
        return read_run(write(tmp_path / name, [float(right.mean())], images=399, results=[entry]))

    comparison = compare(one("a.json", first), one("b.json", second))
    assert (comparison.over, comparison.value) == ("images", pytest.approx(-10 / 399))
    assert comparison.p == pytest.approx(2 * sum(math.comb(14, k) for k in range(3)) / 2**14)
    assert comparison.sure
    assert compare(one("a.json", first), one("a.json", first)).p == 1.0
    with pytest.raises(InputError, match=r"must be the JSON of a run"):
        read_run(write(tmp_path / "c.json", [0.9], results=[{"seed": 0, "accuracy": 0.9, "right": "ff"}]))


def test_intervals_of_alike_runs_hold_zero(tmp_path: Path) -> None:
    r, wrong = np.random.default_rng(4), 0
    for _ in range(300):
        chip = 0.9 + 0.02 * r.standard_normal(5)
        pair = [read_run(write(tmp_path / "x.json", (chip + 0.005 * r.standard_normal(5)).tolist())) for _ in range(2)]
        wrong += bool(compare(*pair).sure)
    assert 0.05 < wrong / 300 < 0.16


def test_what_differs_is_named(tmp_path: Path) -> None:
    first = read_run(write(tmp_path / "a.json", [0.9], time_s=1.0))
    second = read_run(write(tmp_path / "b.json", [0.9], time_s=60.0, device="b"))
    keys = [entry.key for entry in differing(first, second)]
    assert keys == ["device.name", "options.time_s", "options.device", "hashes.device"]
    assert differing(first, first) == []
    assert compare(first, second).half is not None  # of one chip: a share of the images
    number = write(tmp_path / "n.json", [0.1], measure="relative_error")
    assert compare(read_run(number), read_run(number)).sure is None
    with pytest.raises(InputError, match="both must be run with labels, or both without"):
        compare(first, read_run(number))


@pytest.mark.parametrize("text", ["", "[]", "nul", "3"])
def test_what_is_no_run_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "no.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"no.json: must be the JSON of a run, as mho run --json writes it$"):
        read_run(str(path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"device": 3.0}, r"device must be a table, not 3"),
        ({"chip": {}}, r"chip\.name must be a string, not nothing"),
        ({"cost": {"tops_per_W": 1}}, r"cost\.tops must be there, null or not"),
        ({"hashes": {"network": "n", "chip": 7}}, r"hashes\.chip must be a string, not 7"),
        ({"versions": {"mho": 1.0}}, r"versions\.mho must be a string, not 1"),
        ({"results": [{"seed": "x", "accuracy": 1}]}, r'results\[0\]\.seed must be a whole number .* not "x"'),
        ({"results": [{"seed": 0, "accuracy": math.nan}]}, r"results\[0\]\.accuracy must be a number .* not nan"),
        ({"uncertainty": {"interval": [0.1]}}, r"uncertainty\.interval must be a list of 2 to 2, not \[0\.1\]"),
        ({"budget": {"rows": [[]]}}, r"budget\.rows\[0\] must be a table, not \[\]"),
        ({"trace": 1}, r"trace must be a table, not 1"),
        ({"images": 0}, r"images must be a whole number of at least 1, not 0"),
        ({"results": []}, r"results must be a list of at least 1, not \[\]"),
        ({"results": [{"seed": 0}]}, r"must be the JSON of a run"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "report"])
def test_damage_names_the_key(
    tmp_path: Path, change: dict[str, Any], sentence: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = write(tmp_path / "whole.json", [0.9])
    path = tmp_path / "no.json"
    path.write_text(json.dumps(json.loads(Path(whole).read_text()) | change))
    files = [whole, str(path)] if command == "compare" else [str(path), "-o", str(tmp_path / "page.html")]
    assert run([command, *files]) == 2
    assert re.search(rf"error: .*no\.json: {sentence}", capsys.readouterr().err)
    assert not (tmp_path / "page.html").exists()


def test_the_command_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        write(tmp_path / f"{device}{t:g}.json", [v - drop for v in (0.95, 0.96, 0.955)], time_s=t, device=device)
        for device, slope in (("a", 0.0), ("b", 0.01))
        for t, drop in ((0.0, 0.0), (3600.0, 2 * slope), (86400.0, 3 * slope))
    ]
    assert run(["compare", *files, "-o", str(tmp_path / "f.png"), "--json", str(tmp_path / "c.json")]) == 0
    assert "more than chance" in capsys.readouterr().out
    compared = json.loads((tmp_path / "c.json").read_text())["compared"]
    assert compared[-1]["difference"] == pytest.approx(-0.03)
    assert compared[-1]["more_than_chance"] is True
    assert compared[0]["more_than_chance"] is False
    assert (tmp_path / "f.png").stat().st_size > 5000
    assert run(["compare", files[0]]) == 2


def test_the_figure_has_a_line_for_each_kind_of_run(tmp_path: Path) -> None:
    runs = [
        read_run(write(tmp_path / f"{d}{t:g}.json", [0.9, 0.92], time_s=t, device=d))
        for d in "ab" for t in (86400.0, 0.0, 3600.0)
    ]
    figure = figure_of_runs(*series_of(runs))
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    laid_out(figure)


def test_json_of_another_format_is_refused_by_its_number(tmp_path: Path) -> None:
    read_run(write(tmp_path / "now.json", [0.9, 0.8]))
    for number, said in ((JSON_FORMAT + 1, JSON_FORMAT + 1), (1, 1), (None, 1)):  # before there was a number
        content = json.loads((tmp_path / "now.json").read_text())
        content.pop("format")
        path = tmp_path / "other.json"
        path.write_text(json.dumps(content if number is None else content | {"format": number}))
        match = rf"other\.json: has JSON of format {said}; this version reads {JSON_FORMAT}: run it again$"
        with pytest.raises(InputError, match=match):
            read_run(str(path))


def test_keys_of_the_chip_and_the_device_are_named_whatever_they_are_called(tmp_path: Path) -> None:
    """A chip file of its own name differs in its keys, too; costs stand side by side with their ratio."""
    energy = {"total_pJ": 10.0, "by_part_pJ": {}, "by_layer_pJ": {}, "exact": True, "source": "s", "left_out": []}
    lists = {"cores": [], "bits": {}, "rated": [], "tiles": None}
    cost: dict[str, Any] = {**dict.fromkeys(Cost.__annotations__), **lists, "energy": energy | {"extrapolated": None}}
    cost |= {"macs": 1, "operations": 2, "conversions": 1, "time_predicted": False, "latency_cycles": 4.0}
    cost |= {"latency_us": 4.0, "interval_us": 2.0, "interval_cycles": 2.0}
    first = read_run(write(tmp_path / "a.json", [0.9], cost=cost))
    chip = {"name": "mine", "adc": {"bits": 6}, "core": {"lines": 16}, "mesh": {"columns": 1, "rows": 1}}
    law = {"name": "a", "law": {"model": "pcm", "source": "a"}, "source": "a"}
    second = read_run(write(
        tmp_path / "b.json", [0.9], chip=chip, device=law, cost=cost | {"interval_us": 1.0, "energy": None}))
    named = {entry.key: (entry.first, entry.second) for entry in differing(first, second)}
    assert named == {
        "chip.name": ("c", "mine"), "chip.adc.bits": (8, 6), "chip.core.lines": (None, 16),
        "device.law.model": ("", "pcm"),
    }
    took = {entry.key: (entry.first, entry.second, entry.ratio) for entry in costs(first, second)}
    assert took == {
        "latency_us": (4.0, 4.0, 1.0), "interval_us": (2.0, 1.0, 0.5), "energy.total_pJ": (10.0, None, None),
        "conversions": (1, 1, 1.0)}
