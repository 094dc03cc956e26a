"""``mho device tune`` and ``mho device drive``: the tables, their twins in Python, and what is refused."""

import json

import numpy as np
import pytest

import mho
from mho.cli import run
from mho.macro_models.compact import pulses, sine
from mho.macro_models.devices import device_from_dict, load_device


def test_tune_gives_what_python_gives(tmp_path, capsys):
    np.save(tmp_path / "targets.npy", np.linspace(15.0, 90.0, 24).reshape(4, 6))
    path = str(tmp_path / "targets.npy")
    options = ["--targets", path, "--scheme", "third", "--seed", "3", "--json", str(tmp_path / "t.json"),
               "--plot", str(tmp_path / "t.svg")]
    assert run(["device", "tune", *options]) == 0
    result = mho.tune_crossbar(np.load(path), scheme="third", seed=3)
    report = json.loads((tmp_path / "t.json").read_text())
    assert report["within"] == result.within
    assert report["mean_error"] == pytest.approx(result.mean_error)
    assert [entry["pulses"] for entry in report["passes"]] == [entry.pulses for entry in result.passes]
    assert f"{result.within:.2%} in the window" in (tmp_path / "t.svg").read_text()
    assert "touched again" in capsys.readouterr().out


def test_drive_gives_what_python_gives(capsys):
    options = ["--sine", "0.3", "--frequency", "1e8", "--start", "0.8", "--json", "-"]
    assert run(["device", "drive", "vteam", *options]) == 0
    report = json.loads(capsys.readouterr().out)
    times = np.arange(101) / 100 / 1e8
    x = mho.drive(mho.compact_model("vteam"), [0.8], sine(0.3, 1e8), times)
    assert report["mean"][0] == pytest.approx(np.trapezoid(x[:, 0]) / 100)


CELL = """schema = 1
name = "cell"
[compact]
model = "vteam"
[compact.constants]
r_on_ohm = 1e4
k_on = -0.02
"""


def test_a_device_with_a_compact_model_is_driven_and_its_readings_fit_the_table_of_pulses(tmp_path, capsys):
    path, readings = tmp_path / "cell.toml", tmp_path / "pulses.csv"
    path.write_text(CELL.replace("r_on_ohm = 1e4", "r_on_ohm = 1e4\nr_off_ohm = 1e5"))
    device = load_device(path)
    assert device_from_dict(device.to_dict()) == device
    assert len({device, load_device(path)}) == 1
    assert run(["device", "drive", str(path), "--pulses", "-0.4,0.05", "--start", "0.5,0.8", "-o", str(readings)]) == 0
    table = np.genfromtxt(readings, delimiter=",", names=True)
    x = mho.drive(device.compact.cell, [0.5, 0.8], pulses([-0.4, 0.05], 1e-6), [1e-6, 2e-6])
    np.testing.assert_allclose(table["g_uS"], 1e6 / (1e4 + 9e4 * np.concatenate([[[0.5, 0.8]], x])).ravel(), rtol=1e-8)
    assert table["pulse_V"].tolist()[2:] == [0.4, 0.4, -0.05, -0.05]
    assert table["cell"].tolist() == [0, 1] * 3


@pytest.mark.parametrize(("line", "sentence"), [
    ("k_onn = 1.0", "compact.constants: a constant of vteam must be one of"),
    ("k_off = -1.0", "compact.constants: k_off of vteam must be positive, not -1.0"),
    ('k_off = "x"', "compact.constants.k_off must be a number"),
])
def test_wrong_constants_are_named(line, sentence, tmp_path, capsys):
    path = tmp_path / "cell.toml"
    path.write_text(CELL + line)
    assert run(["device", "drive", str(path), "--sine", "1"]) == 2
    message = capsys.readouterr().err
    assert sentence in message
    assert "cell.toml" in message


@pytest.mark.parametrize(("command", "sentence"), [
    (["tune", "--rows", "0"], "--rows and --columns must be between 1 and 256"),
    (["tune", "--rows", "2", "--columns", "2", "--scheme", "v2"], "scheme must be half or third"),
    (["tune", "ideal", "--rows", "2", "--columns", "2"], "pulse.set_rate and pulse.reset_rate must be positive"),
    (["drive", "frob", "--sine", "1"], "MODEL must be one of"),
    (["drive", "mtj", "--sine", "1"], "mtj: compact.model must be given"),
    (["drive", "vteam", "--sine", "1", "-o", "x.csv"], "--output must be left out"),
    (["drive", "vteam"], "either --sine or --pulses must be given"),
    (["drive", "vteam", "--pulses", "1,x"], "--pulses must be numbers separated by commas"),
    (["drive", "vteam", "--pulses", "1", "--start", "2"], "start must be states between 0 and 1"),
])
def test_what_is_refused(command, sentence, capsys):
    assert run(["device", *command]) == 2
    assert sentence in capsys.readouterr().err
