"""``mho generate`` and ``mho check`` of a chip with a macro of its own."""

import json
from pathlib import Path

import pytest

import mho
from mho.cli import run

CHIP = """\
schema = 1
extends = "tnsa16-core"
[macro]
module = "my_macro"
files = ["my.v"]
[macro.pins]
clk = "CK"
precharge = "PRE"
"""


@pytest.mark.slow
def test_generate_lists_and_writes_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "generate",
        "tnsa16-core",
        "-o",
        str(tmp_path / "out"),
        "--wrap",
        "none",
        "--top",
        "mine",
        "--json",
        "-",
    ]
    assert run(arguments) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["top"], content["wrap"]) == ("mine", "none")
    assert content["statistics"]["flip_flops"] > 0
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {file["path"] for file in content["files"]} | {"report.json"} == written
    assert "module mine (" in "".join(path.read_text() for path in (tmp_path / "out" / "rtl").glob("*.v"))


@pytest.mark.slow
def test_the_interface_generates_what_the_command_does(tmp_path: Path) -> None:
    assert run(["generate", "tnsa16-core", "-o", str(tmp_path / "a"), "-q"]) == 0
    report = mho.Chip.load("tnsa16-core").generate(tmp_path / "b")
    for file in report.files:
        assert (tmp_path / "a" / file.path).read_bytes() == (tmp_path / "b" / file.path).read_bytes()


def test_check_lists_every_pin_that_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.toml").write_text(CHIP)
    (tmp_path / "my.v").write_text("module my_macro(input CK, input PRE, input [3:0] X); endmodule\n")
    assert run(["check", str(tmp_path / "own.toml")]) == 2
    captured = capsys.readouterr()
    assert "macro.pins.cmp is missing" in captured.out
    assert "input X is connected to nothing" in captured.out
    warning, supplies, error = captured.err.splitlines()
    assert warning.startswith("warning: macro.pins names no pin of programming")
    assert supplies.startswith("warning: macro.power and macro.ground name no supplies")
    assert error == f"error: {tmp_path / 'own.toml'}: the pins of the macro do not fit, 15 problems as listed"
