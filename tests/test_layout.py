"""The layout of the project: who imports whom, what a wheel holds, where tests lie, where links lead."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("compiler", "fpga", "hw", "macro_models", "rtl_gen", "sim")
"""Folders of the tree that are packages in ``mho``, by links."""


@pytest.fixture
def copy(tmp_path):
    """A copy of what a source distribution holds, so that nothing is written into the tree."""
    for name in ("mho", *FOLDERS):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_import_contracts_hold(copy):
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 broken" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("macro_models/errors.py", "import mho.hw.config", "Each folder imports only what is below it BROKEN"),
        ("macro_models/errors.py", "import amaranth", "Macro models are numpy and scipy BROKEN"),
        ("hw/config/keys.py", "import mho.hw.kinds.tnsa.pins", "the chip description no hardware BROKEN"),
        ("hw/config/keys.py", "import amaranth", "importable by all: plain Python BROKEN"),
        ("hw/noc/__init__.py", "import mho.hw.emulator.config", "a block knows no block above it"),
        ("hw/noc/__init__.py", "import scipy", "the integer arithmetic and the errors BROKEN"),
        ("hw/board/__init__.py", "import mho.macro_models.devices", "the integer arithmetic and the errors BROKEN"),
        ("hw/host/__init__.py", "import mho.hw.board.config", "a block knows no block above it"),
        ("hw/kinds/tnsa/config.py", "import mho.hw.kinds.tnsa.blocks", "neither of modules nor of rooms BROKEN"),
        ("hw/kinds/pwm/pins.py", "import mho.hw.kinds.tnsa.pins", "A kind of core knows no other kind BROKEN"),
        ("hw/chip/tops.py", "import mho.hw.kinds.tnsa.pins", "and never for one by name BROKEN"),
        ("sim/build/toolchain.py", "import mho.sim.core.cosim", "neither of modules nor of rooms BROKEN"),
        ("compiler/__init__.py", "import mho.rtl_gen", "but writes no Verilog BROKEN"),
    ],
)
def test_import_contracts_catch_a_planted_import(copy, module, line, broken):
    path = copy / module
    path.write_text(path.read_text() + f"\n{line}\n")
    done = lint_imports(copy)
    assert done.returncode != 0, f"{line} in {module} passes"
    assert broken in " ".join(done.stdout.split())


def test_a_new_block_of_hardware_must_be_given_its_place(copy):
    (copy / "hw" / "optics").mkdir()
    (copy / "hw" / "optics" / "__init__.py").write_text('"""A block."""\n')
    done = lint_imports(copy)
    assert done.returncode != 0
    assert "a block knows no block above it" in " ".join(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("mho", {"amaranth", "cocotb", "matplotlib", "numba", "onnx", "scipy", "sklearn"}),
        ("mho.cli", {"amaranth", "cocotb", "matplotlib", "numba", "onnx", "scipy", "sklearn"}),
        ("mho.hw.config", {"amaranth", "cocotb", "numba", "onnx", "scipy"}),
        ("mho.macro_models", {"amaranth", "cocotb", "onnx"}),
        ("mho.compiler", {"cocotb"}),
        ("mho.sim", {"cocotb"}),
    ],
)
def test_import_loads_nothing_heavy(module, absent):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert absent & set(done.stdout.split()) == set()


def test_folders_are_packages_in_mho_in_the_tree_in_a_wheel_and_for_pyright():
    assert {name: str((ROOT / "mho" / name).readlink()) for name in FOLDERS} == {name: f"../{name}" for name in FOLDERS}
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    build = tool["hatch"]["build"]["targets"]
    assert (build["wheel"]["packages"], build["sdist"]["only-include"][0]) == (["mho"], "mho")
    assert tool["pyright"]["include"] == ["mho", *(f"mho/{name}" for name in FOLDERS), "tests/proofs"]


@pytest.mark.slow
def test_folders_of_a_users_own_do_no_harm(tmp_path):
    """A script beside packages and modules that are called as our folders are."""
    for name in ("hw", "sim", "fpga", "compiler"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a package of the user')")
    for name in ("rtl_gen", "macro_models"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a module of the user')")
    (tmp_path / "script.py").write_text(
        "import sys, mho\nmho.Chip.load('tnsa16-core').generate('out')\n"
        "print(*(name.partition('.')[0] for name in sys.modules))\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not set(FOLDERS) & set(done.stdout.split())


def test_tests_mirror_the_tree_under_unique_names():
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    # Proofs are in no wheel: they stand among the tests, with what runs them.
    strays = [path for path in files if not (ROOT / path.relative_to(ROOT / "tests").parent).is_dir()
              and path.parent != ROOT / "tests" / "proofs"]
    twice = [name for name, count in Counter(path.name for path in files).items() if count > 1]
    assert (strays, twice) == ([], [])


def test_links_in_the_pages_lead_somewhere():
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
