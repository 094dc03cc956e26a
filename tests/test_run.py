"""``./run`` where it cannot go on: one sentence each, nothing installed. (That it works, CI shows by running it.)"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
USED = ("bash", "cat", "cksum", "dirname", "env", "rm")


@pytest.fixture
def bare(tmp_path):
    """A clone's ``run`` on a machine without Python and apt-get; call it with a body for ``python3``."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in USED:
        (bin_folder / name).symlink_to(shutil.which(name) or name)
    shutil.copy(ROOT / "run", tmp_path / "run")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def run(*arguments: str, python: str = "") -> subprocess.CompletedProcess[str]:
        if python:
            (bin_folder / "python3").write_text(f"#!{bin_folder}/bash\n{python}\n")
            (bin_folder / "python3").chmod(0o755)
        environment = {"PATH": str(bin_folder), "HOME": str(tmp_path), "CI": os.environ.get("CI", "")}
        return subprocess.run(
            [str(bin_folder / "bash"), "run", *arguments], cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )

    return run


def test_help_names_every_command(bare):
    done = bare("help")
    assert done.returncode == 0
    commands = ("demo", "test", "quick", "check", "boards", "docs", "prove", "setup")
    assert all(f"  {command} " in done.stdout for command in commands)
    assert bare().stdout == done.stdout


def test_unknown_command_is_named(bare):
    done = bare("tset")
    assert done.returncode == 1
    assert done.stderr.endswith("run: unknown command: tset\n")


def test_old_python_is_named_with_what_would_be_right(bare):
    done = bare("test", python='[[ $1 == --version ]] && echo Python 3.9.2; exit 1')
    assert done.returncode == 1
    assert done.stderr == "run: Python 3.11 or later must be on the PATH (or named by PYTHON=...); found Python 3.9.2\n"


def test_missing_packages_are_named_with_their_reason(bare):
    # A Python that is new enough but, as Debian's without python3-venv, cannot make an environment.
    done = bare("test", python='''case $2 in
        *version_info*11*) exit 0 ;;
        *sys.executable*) echo python3 ;;
        *%d*) echo 3.13 ;;
        *) exit 1 ;;
    esac''')
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert lines[0] == "run: missing: python3.13-venv (makes the virtual environment)"
    assert "run: missing: verilator (simulates the generated Verilog)" in lines
    assert "run: missing: yosys (synthesis, for tests of the netlist)" in lines
    assert "run: there is no apt-get here: please install the packages above in your system's way" in lines
    assert lines[-1] == "run: python3 cannot make a virtual environment"
