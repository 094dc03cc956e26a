"""What is released: the same bytes everywhere, every file and no other, one version; it works where it is installed."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINKED = ("compiler", "fpga", "hw", "macro_models", "rtl_gen", "sim")
FOLDERS = ("mho", *LINKED)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# What another machine has otherwise. The date is that of the release, as a packager sets it.
HERE = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "1764201600"}
THERE = {"LC_ALL": "POSIX", "TZ": "Pacific/Chatham", "PYTHONHASHSEED": "4711", "SOURCE_DATE_EPOCH": "1764201600"}


def in_environment(command: list[str], folder: Path, extra: Mapping[str, str], umask: int) -> None:
    environment = {**os.environ, "HOME": str(folder), **extra}
    done = subprocess.run(
        command, cwd=folder, env=environment, umask=umask, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def copy_tree(folder: Path, umask: int) -> Path:
    """A checkout under a umask: packages, and the files at the root of the tree that a distribution has."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
        os.utime(path, (umask + 1e9, umask + 1e9))
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders with wheel and sdist, made in two environments."""
    folders = []
    for name, extra, umask in (("here", HERE, 0o022), ("there, in another folder", THERE, 0o077)):
        folder = copy_tree(tmp_path_factory.mktemp(name.replace(" ", "_")), umask)
        command = [sys.executable, "-m", "build", "--sdist", "--wheel", "--no-isolation", "--outdir", "dist"]
        in_environment(command, folder, extra, umask)
        folders.append(folder / "dist")
    return folders


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.slow
def test_wheel_and_sdist_are_the_same_bytes_in_two_environments(built: list[Path]) -> None:
    first, second = map(digests, built)
    assert first == second
    assert sorted(first) == [f"mho-{PROJECT['version']}-py3-none-any.whl", f"mho-{PROJECT['version']}.tar.gz"]


@pytest.mark.slow
def test_generated_verilog_is_the_same_bytes_in_two_environments(tmp_path: Path) -> None:
    by_environment = []
    for name, extra, umask in (("a", HERE, 0o022), ("b c", THERE, 0o077)):
        folder = tmp_path / name
        folder.mkdir()
        command = [sys.executable, "-m", "mho", "generate", "tnsa16-core", "-o", "out"]
        in_environment(command, folder, {**extra, "PYTHONPATH": str(ROOT)}, umask)
        by_environment.append(digests(folder / "out"))
    assert by_environment[0] == by_environment[1]
    assert len(by_environment[0]) > 40


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_packages_and_no_other(built: list[Path]) -> None:
    (wheel,) = built[0].glob("mho-*.whl")
    wheel_files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tree = {
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    }
    tree_files = {name if name.startswith("mho/") else f"mho/{name}" for name in tree}
    assert wheel_files == tree_files
    (sdist,) = built[0].glob("mho-*.tar.gz")
    inside = {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}
    assert tree_files | {"pyproject.toml", "README.md", "LICENSE"} <= inside
    assert not {name.partition("/")[0] for name in inside} & set(LINKED)


@pytest.mark.slow
def test_an_installed_wheel_works_without_the_tree(built: list[Path], tmp_path: Path) -> None:
    """In an environment of its own, with the libraries of this one: a run, a generated core, a device."""
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (wheel,) = built[1].glob("mho-*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    # The libraries, without this tree: an editable installation is left out.
    libraries = tmp_path / "libraries"
    libraries.mkdir()
    for path in next(Path(entry) for entry in sys.path if entry.endswith("site-packages")).iterdir():
        if "mho" not in path.name and path.suffix != ".pth":
            (libraries / path.name).symlink_to(path)
    (site / "libraries.pth").write_text(f"{libraries}\n")
    script = (
        "import json, sys, numpy as np, mho, mho.data\n"
        "from pathlib import Path\n"
        "data = Path(mho.data.__path__[0])\n"
        "digits = np.load(data / 'digits.npz')\n"
        "net = mho.compile(data / 'digits.onnx', 'neurram-core', calibrate=digits['calibrate'])\n"
        "accuracy = net.run(digits['x'][:200], time='1d').accuracy(digits['y'][:200].astype(int))\n"
        "mho.Chip.load('tnsa16-core').generate('core')\n"
        "drawn = mho.Device.load('rram-neurram')\n"
        "print(json.dumps([mho.__file__, mho.__version__, accuracy, Path('core/rtl/core.v').is_file(), drawn.name]))\n"
    )
    command = [str(tmp_path / "venv" / "bin" / "python"), "-c", script]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    file, version, accuracy, generated, device = json.loads(done.stdout)
    assert Path(file).is_relative_to(site)
    assert (version, generated, device) == (PROJECT["version"], True, "rram-neurram")
    assert accuracy > 0.9


def test_the_version_is_that_of_the_change_list_and_of_the_citation() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", changes, re.MULTILINE)[0]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert version == PROJECT["version"]
    assert f"\nversion: {version}\n" in citation
    assert f'\ndate-released: "{date}"\n' in citation
    assert f"\nlicense: {PROJECT['license']}\n" in citation
