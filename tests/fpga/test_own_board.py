"""A board of a user's own is one file; one that is wrong is named and nobody else's harm."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MINE = (ROOT / "fpga/boards/catalogue/hx8k_breakout.py").read_text().replace('name="hx8k-breakout"', 'name="mine"')
WRONG = {
    "not_python": ("BOARD = (", "SyntaxError: "),
    "no_board": ("HERE = 1", "BOARD must be a mho.fpga.boards.Board, not None"),
    "no_plan": ("from mho.fpga.boards.board import Board\nBOARD = Board(name='x')", "TypeError: "),
    "no_family": (MINE.replace('family="ice40"', 'family="spartan"'), "family must be one of ice40, ecp5, gowin, not "),
    "no_package": ("import nothing_of_that_name", "ModuleNotFoundError: "),
    "twin": (MINE.replace('name="mine"', 'name="icebreaker"'), "there is another board 'icebreaker'"),
    "path_as_name": (MINE.replace('name="mine"', 'name="../x"'), "name must be of small letters, digits and hyphens"),
    "zz_no_preset": (
        MINE.replace('name="mine"', 'name="zz"').replace('chip="hx8k-breakout"', 'chip="zz"'),
        'chip "zz" is neither a preset nor a .toml file',
    ),
    "zz_lanes": (MINE.replace('name="mine"', 'name="zl"').replace("lanes=16", "lanes='all'"), "TypeError: "),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, as a clone of the user's own, with boards in it."""
    folder = tmp_path_factory.mktemp("clone")
    for package in ("mho", "fpga", "sim", "compiler", "rtl_gen", "hw", "macro_models"):
        shutil.copytree(
            ROOT / package, folder / package, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    boards = folder / "fpga/boards/catalogue"
    (boards / "mine.py").write_text(MINE)
    for name, (text, _) in WRONG.items():
        (boards / f"{name}.py").write_text(text)
    return folder


def mho(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mho", "fpga", *arguments]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


def test_wrong_files_are_named_and_the_others_are_there(tree: Path) -> None:
    listed = mho(tree, "list")
    names = [line.split()[0] for line in listed.stdout.splitlines()[1:]]
    assert listed.returncode == 0
    assert {"mine", "icebreaker", "ulx3s-85f", "tang-nano-9k"} <= set(names)
    assert not {"zz", "zl", "x"} & set(names)
    said = listed.stderr.splitlines()
    assert len(said) == len(WRONG)
    for name, (_, reason) in WRONG.items():
        where = {"zz_no_preset": "zz: ", "zz_lanes": "zl: "}.get(name, f"{name}.py: ")
        assert any(line.startswith("warning: ") and f"{where}{reason}" in line for line in said), (name, said)


def test_a_wrong_file_says_why_where_its_board_is_asked_for(tree: Path) -> None:
    build = mho(tree, "build", "no-family", "-o", "out")
    assert build.returncode == 2
    assert build.stderr.count("\n") == 1
    assert "no_family.py: family must be one of ice40, ecp5, gowin, not 'spartan'" in build.stderr
