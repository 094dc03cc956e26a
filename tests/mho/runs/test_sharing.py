"""Chips that are shared by processes: the same bits as of one."""

import json
from pathlib import Path
from typing import Any

import pytest

import mho
from mho.cli import run
from tests.mho.conftest import Tiny


def told(tiny: Tiny, path: Path, *options: str) -> dict[str, Any]:
    command = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--labels", tiny.path("y.npy")]
    assert run([*command, "--seeds", "3", "--json", str(path), *options]) == 0
    return json.loads(path.read_text())


@pytest.mark.slow
def test_two_processes_give_the_bits_of_one(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = told(tiny, tmp_path / "one.json", "--jobs", "1", "--device-draws", "2", "-o", str(tmp_path / "one.npy"))
    assert "processes of about" not in capsys.readouterr().err
    two = told(tiny, tmp_path / "two.json", "--jobs", "2", "--device-draws", "2", "-o", str(tmp_path / "two.npy"))
    assert "2 processes of about" in capsys.readouterr().err
    assert one == two
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()


def test_what_cannot_be_shared_is_refused(tiny: Tiny) -> None:
    net = mho.load(tiny.path("tiny.mho"))
    with pytest.raises(mho.InputError, match="jobs must be between 1 and 256, not 0"):
        net.run(tiny.x, jobs=0)
    with pytest.raises(mho.InputError, match="jobs is for the backend functional, not cosim"):
        net.run(tiny.x, jobs=2, backend="cosim")
