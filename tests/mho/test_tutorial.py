"""The commands of the tutorial do what it says."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import mho
import mho.data
from mho.cli import run

PAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "first-network.md"


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("digits.onnx", "digits.npz"):
        (tmp_path / name).write_bytes((Path(mho.data.__path__[0]) / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^mho (.*)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) == 5
    for command in commands[:4]:
        assert run(shlex.split(command)) == 0, command
    assert "relaxation" in capsys.readouterr().out
    assert "--backend cosim" in commands[4]
    y = np.load("digits.npz")["y"].astype(np.int64)
    assert mho.load("digits.mho").run("digits.npz:x", time="1d", seeds=2).accuracy(y) > 0.9
