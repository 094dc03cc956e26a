"""Wires of a chip in the commands: the warning of ``mho check`` and the line of an error budget."""

import json

import numpy as np
import pytest

from mho import Chip, compile
from mho.cli import run
from mho.data import __file__ as data
from mho.hw.config import load_chip, warnings
from mho.results.score import relative_error

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


@pytest.mark.parametrize(("chip", "changes", "settling"), [
    ("neurram-core", ("timing.t_sample_ns=10",), "4.4 time constants of a line (2.29 ns: 585.6 fF behind 256 cells"),
    ("tnsa16-2x2", ("timing.t_sample_ns=20",), "3.9 time constants of a line (5.1 ns: 81.6 fF behind 16 cells"),
    ("neurram-core", ("wires.r_driver_ohm=50000",), "time constants of a line (31.6 ns: 585.6 fF"),
    ("hermes-core", ("timing.t_lsb_ns=0.1", "clock.f_clk_MHz=5000", "adc.f_max_GHz=10"),
     "0.63 time constants of a line (0.317 ns, by [wires]), so that the longest pulse loses 0.84 steps"),
])
def test_check_warns_of_lines_that_do_not_settle(
    chip: str, changes: tuple[str, ...], settling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [part for change in changes for part in ("--set", change)]
    assert any(settling in sentence for sentence in warnings(load_chip(chip, changes)))
    assert warnings(load_chip(chip)) == []
    if chip.startswith("tnsa16"):
        capsys.readouterr()
        assert run(["check", chip, *sets, "--json", "-"]) == 0
        content = json.loads(capsys.readouterr().out)
        assert settling in " ".join(content["warnings"])
        assert content["sizes"]["settling of a line"] == "5.1 ns, 3.92 time constants a sample"


@pytest.mark.slow
def test_short_samples_change_the_outputs_where_settling_is_modelled() -> None:
    arrays = np.load(data.removesuffix("__init__.py") + "digits.npz")
    errors = []
    for t_ns in (100, 1):
        chip = Chip.load("neurram-core", **{"wires.settling": True, "timing.t_sample_ns": t_ns, "clock.f_clk_MHz": 1e3})
        net = compile(data.removesuffix("__init__.py") + "digits.onnx", chip, calibrate=arrays["calibrate"])
        result = net.run(arrays["x"][:200], device="ideal")
        errors.append(relative_error(result.runs[0].outputs, result.reference))
    assert errors[1] > 1.5 * errors[0]
