"""``mho device tune`` and ``mho device drive``: the tables, their twins in Python, and what is refused."""

import json

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.macro_models.compact import sine


def test_tune_gives_what_python_gives(tmp_path, capsys):
    np.save(tmp_path / "targets.npy", np.linspace(15.0, 90.0, 24).reshape(4, 6))
    path = str(tmp_path / "targets.npy")
    options = ["--targets", path, "--scheme", "third", "--seed", "3", "--json", str(tmp_path / "t.json")]
    assert run(["device", "tune", *options]) == 0
    result = mho.tune_crossbar(np.load(path), scheme="third", seed=3)
    told = json.loads((tmp_path / "t.json").read_text())
    assert told["within"] == result.within
    assert told["mean_error"] == pytest.approx(result.mean_error)
    assert [each["pulses"] for each in told["passes"]] == [each.pulses for each in result.passes]
    assert "touched again" in capsys.readouterr().out


def test_drive_gives_what_python_gives(capsys):
    options = ["--sine", "0.3", "--frequency", "1e8", "--start", "0.8", "--json", "-"]
    assert run(["device", "drive", "vteam", *options]) == 0
    told = json.loads(capsys.readouterr().out)
    times = np.arange(101) / 100 / 1e8
    x = mho.drive(mho.compact_model("vteam"), [0.8], sine(0.3, 1e8), times)
    assert told["mean"][0] == pytest.approx(np.trapezoid(x[:, 0]) / 100)


@pytest.mark.parametrize(("command", "sentence"), [
    (["tune", "--rows", "0"], "--rows and --columns must be between 1 and 256"),
    (["tune", "--rows", "2", "--columns", "2", "--scheme", "v2"], "scheme must be half or third"),
    (["tune", "ideal", "--rows", "2", "--columns", "2"], "pulse.set_rate and pulse.reset_rate must be positive"),
    (["drive", "frob", "--sine", "1"], "compact model must be one of"),
    (["drive", "vteam"], "either --sine or --pulses must be given"),
    (["drive", "vteam", "--pulses", "1,x"], "--pulses must be numbers separated by commas"),
    (["drive", "vteam", "--pulses", "1", "--start", "2"], "start must be states between 0 and 1"),
])
def test_what_is_refused(command, sentence, capsys):
    assert run(["device", *command]) == 2
    assert sentence in capsys.readouterr().err
