"""``mho compare`` of chips: keys, sizes and figures that are not the same."""

import json
from pathlib import Path

import pytest

from mho.cli import run
from mho.comparisons.descriptions import compare_chips, kind_of, ratios
from mho.figures.compare import figure_of_chips
from mho.hw.chip.rating import rate
from mho.hw.config import load_chip
from tests.mho.test_device_figures import laid_out


def test_what_was_set_is_what_differs() -> None:
    first, second = load_chip("neurram-core"), load_chip("neurram-core", {"timing.t_sample_ns": 200, "core.corelet": 8})
    comparison = compare_chips(first, second)
    assert {entry.key: (entry.first, entry.second, entry.ratio) for entry in comparison.keys} == {
        "core.corelet": (16, 8, 0.5), "timing.t_sample_ns": (100.0, 200.0, 2.0)
    }
    assert "cells" in [entry.key for entry in comparison.sizes]
    rated = {entry.key: entry for entry in comparison.rated}
    for precision, op in first.rated_operations():
        entry = rated[f"{precision}: tops"]
        first_rate, second_rate = rate(first, precision, op), rate(second, precision, op)
        assert (entry.first, entry.second) == (first_rate.tops, second_rate.tops)
        assert entry.ratio == pytest.approx(second_rate.tops / first_rate.tops)
    assert compare_chips(first, first).to_dict() == {"differs": [], "sizes": [], "rated": []}


def test_the_command_tells_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variant = tmp_path / "own.toml"
    variant.write_text('schema = 1\nextends = "neurram-core"\n[clock]\nf_clk_MHz = 200.0\n')
    to = tmp_path / "c.json"
    assert run(["compare", "neurram-core", str(variant), "-o", str(tmp_path / "c.svg"), "--json", str(to)]) == 0
    assert "clock.f_clk_MHz" in capsys.readouterr().out
    said = json.loads(to.read_text())
    assert (said["kind"], said["first"]) == ("chip", "neurram-core")
    assert said["compared"][0]["differs"] == [{"key": "clock.f_clk_MHz", "first": 100.0, "second": 200.0, "ratio": 2.0}]
    assert (tmp_path / "c.svg").stat().st_size > 5000


def test_the_figure_has_a_row_for_each_number() -> None:
    first = load_chip("neurram-core")
    compared = [(name, ratios(compare_chips(first, load_chip(name)))) for name in ("neurram-lab", "tnsa64-core")]
    figure = figure_of_chips("neurram-core", compared)
    laid_out(figure)
    keys = {key for _, ratio in compared for key in ratio}
    assert {text.get_text() for text in figure.axes[0].get_yticklabels()} == keys


def test_things_of_two_kinds_and_unknown_names_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", "neurram-core", "rram-neurram"]) == 2
    assert run(["compare", "neuram-core", "neurram-core"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        "error: rram-neurram: is a device, and neurram-core a chip: things of one kind are set side by side"
    )
    assert said[1].endswith("is no file, no preset of a chip and no shipped device; did you mean neurram-core?")
    for name, text in (("d", 'name = "mine"\nextends = "rram-relax"\n'), ("e", 'extends = "d.toml"\n')):
        (tmp_path / f"{name}.toml").write_text(text)
        assert kind_of(str(tmp_path / f"{name}.toml")) == "device"
