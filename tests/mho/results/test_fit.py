"""A chip that cannot hold a network: every result says of how many chips its figures are."""

import json
from pathlib import Path

import numpy as np
import pytest

from mho.cli import run
from tests.compiler.importer.onnx_models import random_perceptron


@pytest.mark.slow
def test_run_report_sweep_and_comparison_say_that_it_does_not_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.onnx").write_bytes(random_perceptron([20, 12, 5]).SerializeToString())
    x = str(tmp_path / "x.npy")
    np.save(x, np.random.default_rng(0).normal(size=(16, 20)).astype("f4"))
    arguments = [f"{tmp_path}/net.onnx", "--input", x, "--set", "area.macro_mm2=0.5", "--set", "area.source=a test"]
    assert run(["run", *arguments, "--chip", "tnsa16-core", "--json", f"{tmp_path}/a.json"]) == 0
    report = json.loads((tmp_path / "a.json").read_text())
    cores = sum(core["cells_used"] > 0 for core in report["cost"]["cores"])
    said = (
        f"does not fit: takes {cores} cores, and tnsa16-core has 1: these figures are of {cores} chips; on one, cells "
        "are programmed between layers, whose time, energy and wear are not counted"
    )
    assert report["fit"] == {"fits": False, "cores": cores, "there": 1, "chips": cores, "note": said,
                             "figures": said.split(": ")[2]}
    assert cores > 1
    assert said in report["warnings"]
    assert report["cost"]["macros_mm2"] == pytest.approx(0.5 * cores)
    shown = capsys.readouterr()
    assert said in shown.err
    assert said in " ".join(shown.out.split())
    whole = ["--set", "mesh.columns=4", "--set", "mesh.rows=4"]
    assert run(["run", *arguments, "--chip", "tnsa16-core", *whole, "-q", "--json", f"{tmp_path}/b.json"]) == 0
    larger = json.loads((tmp_path / "b.json").read_text())
    assert (larger["fit"]["fits"], larger["fit"]["note"]) == (True, "")
    assert run(["report", f"{tmp_path}/a.json", f"{tmp_path}/b.json", "-o", f"{tmp_path}/r.html", "-q"]) == 0
    page = (tmp_path / "r.html").read_text()
    assert page.count(said.removeprefix("does not fit: ")) == 2  # in the lead and in the table of one of them
    capsys.readouterr()
    assert run(["compare", f"{tmp_path}/a.json", f"{tmp_path}/b.json", "--json", f"{tmp_path}/c.json"]) == 0
    assert f"a.json: {said}" in capsys.readouterr().err
    assert json.loads((tmp_path / "c.json").read_text())["compared"][0]["fits"] == [False, True]
    (tmp_path / "s.toml").write_text(
        'schema = 1\nchips = ["tnsa16-core"]\n[axes]\n"mesh.columns" = [1, 16]\n[networks.n]\nmodel = "net.onnx"\n'
        'input = "x.npy"\n')
    assert run(["sweep", f"{tmp_path}/s.toml", "-o", f"{tmp_path}/out", "--jobs", "1"]) == 0
    designs = json.loads((tmp_path / "out" / "sweep.json").read_text())["designs"]
    assert [design["fits"] for design in designs] == [False, True]
    assert "1 of 2 designs do not fit one chip" in capsys.readouterr().err
