"""Wires of a chip in the commands: the warning of ``mho check`` and the line of an error budget."""

import json

import pytest

from mho.cli import run
from mho.data import __file__ as data

WIRES = ("--set", "wires.r_row_ohm=1", "--set", "wires.r_column_ohm=1")


def test_check_warns_of_wires_that_matter(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "tnsa64-core", "--json", "-", *WIRES]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == []
    assert run(["check", "tnsa64-core", "--set", "wires.r_driver_ohm=300"]) == 0
    assert "warning: wires change the outputs of a core by" in capsys.readouterr().err


@pytest.mark.slow
def test_wires_cost_accuracy_and_the_budget_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    folder = data.removesuffix("__init__.py")
    arrays = f"{folder}digits.npz"
    command = ["run", f"{folder}digits.onnx", "--chip", "neurram-core", "--calibrate", f"{arrays}:calibrate"]
    command += ["--input", f"{arrays}:x", "--labels", f"{arrays}:y", "--limit", "300", "--budget", "--json", "-", "-q"]
    assert run([*command, *WIRES]) == 0
    content = json.loads(capsys.readouterr().out)
    mean = {row["name"]: row["mean"] for row in content["budget"]["rows"]}
    assert mean["ideal"] - mean["wire"] > 0.004  # 1.4 points for all images, 12 points at 3 ohm
    assert mean["all"] < mean["ideal"]
