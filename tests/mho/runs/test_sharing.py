"""Chips that are shared by processes: the same bits as of one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mho
from mho.cli import run
from tests.mho.conftest import Tiny

ROOT = Path(__file__).parents[3]


def told(tiny: Tiny, path: Path, *options: str) -> dict[str, Any]:
    command = ["run", tiny.path("tiny.mho"), "--input", tiny.path("x.npy"), "--labels", tiny.path("y.npy")]
    assert run([*command, "--seeds", "3", "--json", str(path), *options]) == 0
    return json.loads(path.read_text())


@pytest.mark.slow
def test_two_processes_give_the_bits_of_one(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = told(tiny, tmp_path / "one.json", "--jobs", "1", "--device-draws", "2", "-o", str(tmp_path / "one.npy"))
    assert "processes of about" not in capsys.readouterr().err
    two = told(tiny, tmp_path / "two.json", "--jobs", "2", "--device-draws", "2", "-o", str(tmp_path / "two.npy"))
    assert "2 processes of about" in capsys.readouterr().err
    assert alone == two
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "two.npy").read_bytes()


def test_what_cannot_be_shared_is_refused(tiny: Tiny) -> None:
    net = mho.load(tiny.path("tiny.mho"))
    with pytest.raises(mho.InputError, match="jobs must be between 1 and 256, not 0"):
        net.run(tiny.x, backend=mho.Functional(jobs=0))


@pytest.mark.slow
def test_a_script_without_a_guard_ends_with_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    # More than a pipe holds: whoever writes it to a process that has ended already would wait for ever.
    script.write_text("from mho.workers import workers\nwith workers(2, len, (bytes(500_000),)) as team:\n"
                      "    list(team.run(abs, [1, 2]))\n")
    done = subprocess.run([sys.executable, script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert 'a script that begins them needs: if __name__ == "__main__"' in done.stderr
