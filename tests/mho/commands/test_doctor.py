"""``mho doctor``: what is missing."""

import json
import os
from pathlib import Path

import pytest

from mho.cli import run


def test_functional_is_ready_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "functional"]) == 0
    assert capsys.readouterr().out.endswith("ready for functional\n")


def test_names_the_command_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["doctor", "cosim"]) == 1
    err = capsys.readouterr().err
    assert err == "error: not ready for cosim; to make it so: apt-get install verilator g++ make\n"


def test_an_old_verilator_is_not_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = tmp_path / "verilator"
    tool.write_text("#!/bin/sh\necho 'Verilator 4.210 2021-07-07'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["doctor", "cosim", "--json", "-"]) == 1
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["verilator"]["cure"] == "apt-get install verilator (Verilator 5.6 or later, found 4.210)"
    assert not findings["verilator"]["ready"]


@pytest.mark.cosim("cocotb")
@pytest.mark.parametrize(("version", "refused"), [("5.032", True), ("5.036", False), ("5.048", False)])
def test_a_verilator_that_the_make_of_cocotb_refuses_is_told(
    version: str, refused: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = tmp_path / "verilator"
    tool.write_text(f"#!/bin/sh\necho 'Verilator {version} 2025-01-01'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    run(["doctor", "cosim", "--json", "-"])
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["verilator"]["ready"]
    assert ("cocotb's make with Verilator" in findings) == refused
    if refused:
        assert findings["cocotb's make with Verilator"]["cure"] == (
            "cocotb's make asks for Verilator 5.036 or later; make SIM=verilator in the folder tb/ of a generated "
            "design does without it: generate again where it is older"
        )


@pytest.mark.parametrize(
    ("board", "packages"),
    [
        ("icebreaker", "yosys nextpnr-ice40 fpga-icestorm openfpgaloader"),
        ("ulx3s-85f", "yosys nextpnr-ecp5 fpga-trellis openfpgaloader"),
        ("tang-nano-9k", 'yosys openfpgaloader && pip install "mho[fpga-tools]"'),
    ],
)
def test_a_board_asks_for_its_own_tools_only(
    board: str, packages: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("mho.fpga.build.tools.sys.executable", str(tmp_path / "python"))
    assert run(["doctor", "fpga", board]) == 1
    assert capsys.readouterr().err == f"error: not ready for {board}; to make it so: apt-get install {packages}\n"


def test_tools_of_some_boards_are_optional_without_a_board(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("yosys", "openFPGALoader"):
        (tmp_path / name).write_text("#!/bin/sh\necho 1.2\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("mho.fpga.build.tools.sys.executable", str(tmp_path / "python"))
    assert run(["doctor", "fpga", "--json", "-"]) == 0
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert not findings["nextpnr-ecp5"]["needed"]
    assert not findings["nextpnr-ice40"]["needed"]
    assert findings["yosys"]["needed"]


def test_a_board_belongs_to_fpga_and_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "cosim", "icebreaker"]) == 2
    assert "mho doctor fpga icebreaker" in capsys.readouterr().err
    assert run(["doctor", "fpga", "icebraker"]) == 2
    assert capsys.readouterr().err == "error: there is no board 'icebraker', did you mean icebreaker?\n"
