"""``mho verify``: the benches through the command."""

import json
from pathlib import Path

import pytest

from mho.cli import run


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.cosim("iverilog", "vvp")
def test_verify_core(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "core", "--sim", "icarus", "--json", str(tmp_path / "v.json")]) == 0
    assert "equal to the model bit for bit" in capsys.readouterr().out
    content = json.loads((tmp_path / "v.json").read_text())
    assert (content["chip"], content["simulator"]) == ("tnsa16-core", "icarus")
    assert content["operations"] > 0
    assert content["counts"]["direction"].keys() == {"forward", "backward"}


@pytest.mark.slow
@pytest.mark.cosim("verilator", "make", "g++")
def test_verify_noc(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--columns", "3", "--rows", "3", "--payload", "32", "--depth", "4", "--flits", "400"]
    assert run(["verify", "noc", *size, "-o", str(tmp_path / "n.png"), "--json", str(tmp_path / "n.json")]) == 0
    printed = capsys.readouterr().out
    assert "72 pairs of nodes: hops + 1 cycles" in printed
    assert " ways through a router: 1.000 flits a cycle" in printed
    assert "nothing lost, doubled, changed or out of order" in printed
    content = json.loads((tmp_path / "n.json").read_text())
    assert content["mesh"]["columns"] == content["mesh"]["rows"] == 3
    assert sum(job["flits"] + job["operands"] for job in content["jobs"]) >= 400
    assert (tmp_path / "n.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.cosim("verilator", "make", "g++")
def test_verify_noc_takes_the_mesh_of_a_chip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chip = ["--chip", "tnsa16-core", "--set", "mesh.columns=3", "--set", "mesh.rows=3"]
    chip += ["--set", "mesh.payload_bits=32", "--set", "mesh.fifo_depth=4"]
    assert run(["verify", "noc", *chip, "--flits", "500", "--seed", "7"]) == 0
    assert "mesh of 3 x 3, 32 bits" in capsys.readouterr().out
