"""``mho device fit`` and ``show``, and the tutorial from a table to an accuracy."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import mho
import mho.data
from mho.cli import run
from mho.commands.device.fit import _print_use
from mho.macro_models.devices import Device
from mho.macro_models.devices.sections.programming import Range
from mho.terminal.console import Output

PAGE = Path(__file__).parents[3] / "docs" / "tutorial" / "your-device.md"


def write_lab(path: Path, cells: int = 300) -> None:
    rng = np.random.default_rng(0)
    target = rng.uniform(2, 40, cells)
    z = rng.standard_t(4, cells)
    moved = {t: np.maximum(target + 0.1 * np.log1p(1e3 * t) * z, 0.01) for t in (0, 1, 3600)}
    rows = [f"{c},{t},{g:.6g}" for t, values in moved.items() for c, g in enumerate(values)]
    path.write_text("\n".join(["cell,t_s,g_uS", *rows]))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_lab(tmp_path / "lab.csv")
    return tmp_path


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text()
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(script, str(PAGE), "exec"), {})
    for name in ("digits.onnx", "digits.npz"):
        (tmp_path / name).write_bytes((Path(mho.data.__path__[0]) / name).read_bytes())
    commands = re.findall(r"^mho (.*)$", text, re.MULTILINE)
    assert [c.split()[0] for c in commands] == ["device", "device", "compile", "run", "run"]
    assert run(shlex.split(commands[0])) == 0
    fitted = capsys.readouterr().out
    assert "15,000 readings of lab.csv; dropped: nothing" in fitted
    # The options that the fit proposes are those that the page compiles with.
    (proposed,) = re.findall(r"--set cells.*$", fitted, re.MULTILINE)
    assert proposed in commands[2]
    device = mho.Device.load("mine.toml").model
    assert device.temperature.acts_on == "time"
    # 50 times as fast at 85 C.
    assert device.temperature.factor(85.0, 25.0) == pytest.approx(50.0, rel=0.5)
    assert run(shlex.split(commands[1])) == 0
    shown = capsys.readouterr()
    assert "pulse." not in shown.out
    assert re.findall("warning: (.*)", shown.err) == [
        "mine is fitted from 1 s to 86400 s after programming: for 2.592e+06 s the trend of the last two times goes on"
    ]
    for command in commands[2:]:
        assert run(shlex.split(command)) == 0, command
    assert (tmp_path / "mine.png").read_bytes()[:4] == b"\x89PNG"
    after = capsys.readouterr()
    assert "relaxation" in after.out
    assert "warning" not in after.err
    y = np.load("digits.npz")["y"].astype(np.int64)
    net = mho.load("digits.mho")
    cold, hot = (net.run("digits.npz:x", time="1d", temp=t, seeds=3) for t in (25.0, 85.0))
    assert cold.accuracy(y) > 0.9
    assert hot.relative_error > cold.relative_error


@pytest.mark.slow
@pytest.mark.parametrize("model", ["parametric", "empirical"])
def test_fit_writes_a_device(lab: Path, capsys: pytest.CaptureFixture[str], model: str) -> None:
    words = ["--model", model, "--json", "fit.json", "--name", "my-cells"]
    assert run(["device", "fit", "lab.csv", "-o", "mine.toml", *words]) == 0
    captured = capsys.readouterr()
    assert "my-cells: 300 cells, 900 readings of lab.csv; dropped: nothing" in captured.out
    assert "wrote mine.toml" in captured.err
    device = mho.Device.load("mine.toml").model
    content = json.loads((lab / "fit.json").read_text())
    assert content.pop("format") == 2
    assert content == device.to_dict()
    assert device.fit.command.startswith("mho device fit lab.csv")
    assert device.name == "my-cells"
    assert device.fit.model_std_uS == pytest.approx(device.fit.std_uS, rel=0.05)
    text = (lab / "mine.toml").read_text()
    assert text.startswith("# ")
    assert str(lab) not in text


@pytest.mark.slow
def test_quiet_fit_says_nothing_on_stderr(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["device", "fit", "lab.csv", "-o", "mine.toml", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_the_same_data_give_the_same_file(lab: Path) -> None:
    for name in ("a", "b"):
        (lab / name).mkdir()
        assert run(["device", "fit", "lab.csv", "-o", f"{name}/mine.toml", "-q"]) == 0
    assert (lab / "a" / "mine.toml").read_bytes() == (lab / "b" / "mine.toml").read_bytes()


def test_a_chip_of_another_range_is_refused(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["device", "fit", "lab.csv", "-o", "mine.toml", "--g-min-uS", "2", "--g-max-uS", "30"]) == 0
    assert "cells programmed above 30 uS" in capsys.readouterr().out
    digits = Path(mho.data.__path__[0])
    compile_it = ["compile", str(digits / "digits.onnx"), "--chip", "neurram-core", "--device", "mine.toml",
                  "--calibrate", f"{digits / 'digits.npz'}:calibrate", "-o", "digits.mho", "-q"]
    assert run(compile_it) == 2
    sentence = "cells.g_min_uS to cells.g_max_uS must be 2 to 30 uS as in device mine, not 1 to 40 uS"
    assert sentence in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rram-relax", "rram-neurram", "ideal"])
def test_show_and_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    figure = tmp_path / "device.png"
    assert run(["device", "show", name, "-o", str(figure)]) == 0
    assert figure.read_bytes()[:4] == b"\x89PNG"
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{name}: ")
    if name == "rram-relax":
        assert "16,223 cells, 88,745 readings of techC-relax.tsv.gz" in captured.out
        assert "1y, 85 C" in captured.out


@pytest.mark.slow
def test_pulses_are_fitted_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng, rows = np.random.default_rng(0), []
    g, number = 3.0 + np.zeros(40), 0
    for sign, end in ((1, 60.0), (-1, 1.0)):
        for v in np.arange(0.8, 2.4, 0.2):
            number += 1
            step = 0.02 * np.exp((v - 1.1) / 0.25 + 0.3 * rng.normal(size=40)) * (v > 1.1)
            g = g + (end - g) * (1.0 - np.exp(-step))
            noisy = g + 0.05 * rng.normal(size=40)
            rows += [f"{c},{number},{sign * v:.3g},1000,{x:.6g}" for c, x in enumerate(noisy)]
    (tmp_path / "pulses.csv").write_text("\n".join(["cell,pulse_n,pulse_V,pulse_ns,g_uS", *rows]))
    assert run(["device", "fit", "pulses.csv", "-o", "mine.toml", "-q"]) == 0
    assert re.search(r"pulses: SET from 1\.[0-2]\d* \+- \S+ V to (5|6)\d", capsys.readouterr().out)
    assert run(["device", "show", "mine.toml", "-o", "mine.png"]) == 0
    assert (tmp_path / "mine.png").read_bytes()[:4] == b"\x89PNG"
    assert "pulse.set_threshold_V" in capsys.readouterr().out


@pytest.mark.slow
def test_show_says_that_temperature_changes_nothing(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["device", "fit", "lab.csv", "-o", "mine.toml", "-q"]) == 0
    assert run(["device", "show", "mine.toml"]) == 0
    assert "mine is fitted at 25 C only: 85 C changes nothing in the model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["none.csv", "-o", "x.toml"],
         "none.csv: cannot be read as a table of measurements (No such file or directory)"),
        (["lab.csv", "-o", "x.csv"], "x.csv: the name must end in .toml, not '.csv'"),
        (["lab.csv", "-o", "x.toml", "--model", "magic"],
         "--model must be one of auto, parametric, empirical, drift, not 'magic'"),
        (["lab.csv", "-o", "x.toml", "--columns", "t_s"], "--columns must be NAME=HEADER"),
        (["lab.csv", "-o", "x.toml", "--columns", "t_s=when"], "lab.csv, line 1: has no column when (of --columns)"),
        (["lab.csv", "-o", "x.toml", "--g-max-uS", "-3"], "--g-max-uS must be from 0 to 1e6 uS, not -3"),
        (["lab.csv", "-o", "x.toml", "--g-max-uS", "1"], "a fit needs at least 20 cells, 0 are left of the data"),
        (["lab.csv", "-o", "x.toml", "--g-min-uS", "99"], "the range of conductances must begin below its end"),
        (["lab.csv", "-o", "x.toml", "--temp", "-300"], "--temp must be above -273.15 and at most 1000 C, not -300"),
        (["lab.csv", "-o", "x.toml", "--temperature-from", "pcm"], "device must be one of"),
    ],
)
def test_wrong_fit_is_one_sentence(
    lab: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert run(["device", "fit", *words, "-q"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert sentence in error
    assert sorted(p.name for p in lab.iterdir()) == ["lab.csv"]


@pytest.mark.slow
def test_what_is_written_can_be_read(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--name", "a\x01b", "--description", "one\x1b[2J\nand\x7f", "--source", "x\u202ey\"\\"]
    assert run(["device", "fit", "lab.csv", "-o", "x.toml", "-q", *words]) == 0
    assert mho.Device.load("x.toml").model.name == r"a\x01b"
    assert (lab / "x.toml").read_text().replace("\n", "").isprintable()
    capsys.readouterr()
    text = (lab / "lab.csv").read_text()
    (lab / "late.csv").write_text(text.replace(",3600,", ",1e300,", 3))
    assert run(["device", "fit", "late.csv", "-o", "y.toml"]) == 0
    assert "dropped: 3 readings that are no number, negative or out of bounds" in "".join(capsys.readouterr())
    assert "1e+300" not in (lab / "y.toml").read_text()
    mho.Device.load("y.toml")


def test_times_of_another_unit_are_no_slips(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lab / "late.csv").write_text((lab / "lab.csv").read_text().replace(",3600,", ",3.6e15,"))
    assert run(["device", "fit", "late.csv", "-o", "y.toml", "-q"]) == 2
    sentence = r"error: late\.csv, line \d+, column t_s: 3\.6e\+15 s is beyond 1e\+11 s, with 300 of \d+ times; "
    assert re.match(sentence, capsys.readouterr().err)
    assert not (lab / "y.toml").exists()


def test_a_chip_gets_the_bits_that_the_smallest_target_needs(capsys: pytest.CaptureFixture[str]) -> None:
    for low, bits, coarse in ((2.0, "", False), (0.1, "--set core.g_bits=15", False), (0.005, "core.g_bits=16", True)):
        _print_use(Device(name="m", range=Range(g_min_uS=low, g_max_uS=100.0)), "m.toml", Output())
        captured = capsys.readouterr()
        assert ("g_bits" in captured.out) is bool(bits)
        assert bits in captured.out
        assert ("coarse for the smallest" in captured.err) is coarse
