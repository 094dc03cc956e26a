import errno
import multiprocessing
import os
import shutil
import subprocess
import time

import pytest

from mho.macro_models.errors import ToolError
from mho.sim.build import toolchain
from mho.sim.build.toolchain import cache_folder, cached_build, hash_files, require_cocotb, require_tool, run_logged


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_cache_is_where_it_is_told_to_be(monkeypatch, tmp_path):
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("MHO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "mho"


@pytest.mark.parametrize(
    ("tool", "package"), [("verilator", "verilator"), ("g++", r"g\+\+"), ("make", "make"), ("vvp", "iverilog")]
)
def test_a_missing_tool_names_the_command_that_installs_it(monkeypatch, tmp_path, tool, package):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=f"was not found; install it with: apt-get install {package}$"):
        require_tool(tool)


def test_missing_cocotb_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"^cocotb was not found; install it with: pip install 'mho\[cosim\]'$"):
        require_cocotb()


def test_a_build_runs_once_and_is_found_again(cache):
    runs = []

    def build(folder):
        runs.append(folder)
        (folder / "build.log").write_text("x")

    first = cached_build("kind", ["a", "b"], build)
    assert cached_build("kind", ["a", "b"], build) == first
    assert len(runs) == 1
    assert cached_build("kind", ["a", "c"], build) != first
    assert sorted(path.name for path in first.iterdir()) == ["build.log", "seal"]


def _empty(path):
    path.write_bytes(b"")


def _cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _lose(path):
    path.unlink()


def _forbid(path):
    path.chmod(0o644)


def _folder(path):
    path.unlink()
    path.mkdir()


def _dangle(path):
    path.unlink()
    path.symlink_to("nowhere")


def _clear(path):
    shutil.rmtree(path.parent)
    path.parent.mkdir()


def _no_folder(path):
    shutil.rmtree(path.parent)
    path.parent.write_text("")


ANY = [_empty, _cut, _flip, _lose, _folder, _dangle]
DAMAGES = [(damage, name) for damage in ANY for name in ("program", "data/rtl.v", "seal")]
DAMAGES += [(damage, "program") for damage in (_forbid, _clear, _no_folder)]


@pytest.mark.parametrize(("damage", "name"), DAMAGES)
def test_a_damaged_build_is_built_again(cache, damage, name):
    def build(folder):
        runs.append(folder)
        (folder / "program").write_text("#!/bin/sh\nexit 5\n")
        (folder / "program").chmod(0o755)
        (folder / "data").mkdir()
        (folder / "data" / "rtl.v").write_text("module m; endmodule")

    runs = []
    build_folder = cached_build("kind", ["a"], build)
    damage(build_folder / name)
    assert cached_build("kind", ["a"], build) == build_folder
    assert len(runs) == 2
    assert subprocess.run([build_folder / "program"], check=False).returncode == 5
    assert (build_folder / "data" / "rtl.v").read_text() == "module m; endmodule"
    assert cached_build("kind", ["a"], build) == build_folder
    assert len(runs) == 2


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_cache_without_room_is_said(cache, error):
    def build(folder):
        raise OSError(error, os.strerror(error))

    refused = rf"^the cache {cache} cannot be written \({os.strerror(error)}\); set MHO_CACHE"
    with pytest.raises(ToolError, match=refused):
        cached_build("kind", ["a"], build)
    assert not [path for path in cache.iterdir() if not path.name.endswith(".lock")]


def test_a_failed_build_leaves_nothing_but_its_log(cache):
    def build(folder):
        run_logged(["false"], folder / "build.log", "the compiler")

    with pytest.raises(ToolError, match=r"^the compiler failed with exit code 1; see .*failed-build-\d+\.log$"):
        cached_build("kind", ["a"], build)
    left = [path.name for path in cache.iterdir() if not path.name.endswith(".lock")]
    assert left == [f"failed-build-{os.getpid()}.log"]
    assert (cache / left[0]).read_text() == "$ false\n"


def _slow_build(results):
    def build(folder):
        results.put("built")
        (folder / "one").write_text("1")
        time.sleep(0.3)
        (folder / "build.log").write_text("2")

    results.put(sorted(path.name for path in cached_build("kind", ["same"], build).iterdir()))


def test_two_processes_build_once_and_never_see_half(cache):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_slow_build, args=(results,)) for _ in range(2)]
    for process in processes:
        process.start()
    outcomes = [results.get(timeout=60) for _ in range(3)]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(map(str, outcomes)) == sorted(["built", *2 * ["['build.log', 'one', 'seal']"]])


def test_an_old_build_is_removed_by_the_next(cache):
    def build(folder):
        (folder / "build.log").write_text("x")

    old = cached_build("kind", ["old"], build)
    month = time.time() - 40 * 86400
    os.utime(old / "seal", (month, month))
    recent = cached_build("kind", ["recent"], build)
    assert not old.exists()
    assert recent.exists()


def test_a_cache_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MHO_CACHE", str(tmp_path / "file"))
    with pytest.raises(
        ToolError, match=r"^the cache .*file cannot be written \(.*\); set MHO_CACHE to a folder that can$"
    ):
        cached_build("kind", ["a"], lambda folder: None)


def test_hashes_follow_names_and_contents(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("1")
    b.write_text("2")
    first = hash_files([a, b])
    assert hash_files([b, a]) == first
    b.write_text("3")
    assert hash_files([a, b]) != first
