"""Files are written whole or not at all, and only regular files are replaced."""

import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mho.macro_models.errors import InputError, ToolError, argument, one_sentence
from mho.macro_models.output import check_folder, check_output, open_output, write_output


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python would keep the beginning of the bytecode of what is imported meanwhile.
    without, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = without


def test_a_file_is_written_with_the_mode_that_the_mask_asks_for(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_output(tmp_path / "new", b"abc")
    finally:
        os.umask(old)
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    write_output(tmp_path / "new", b"de")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


@pytest.mark.parametrize("target_exists", [True, False])
def test_a_link_stays_and_its_target_is_written(target_exists: bool, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    if target_exists:
        target.write_text("old")
    link.symlink_to("folder/target")
    write_output(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()


def test_a_fifo_is_written_through(tmp_path: Path) -> None:
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    with pytest.raises(ToolError, match=r"fifo: cannot be written \(No such device"):
        write_output(fifo, b"nobody reads")
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()
    while reader.is_alive():
        try:
            write_output(fifo, b"x" * 200_000)
            break
        except ToolError:  # it does not read yet
            pass
    reader.join(60)
    assert read == [b"x" * 200_000]
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_device_stays_a_device() -> None:
    write_output("/dev/null", b"abc")
    check_output("/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    with pytest.raises(ToolError, match=r"^/dev/full: cannot be written \(No space left on device\)$"):
        write_output("/dev/full", b"abc")


@pytest.mark.parametrize("redirect", ["| cat", "> file; cat file"])
def test_stdout_is_written_through(redirect: str, tmp_path: Path) -> None:
    code = "from mho.macro_models.output import write_output as w; print('a'); w('/dev/stdout', b'b\\n'); print('c')"
    command = f"{sys.executable} -c \"{code}\" {redirect}"
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "a\nb\nc\n"


@pytest.mark.parametrize("size", [1, 1_000_000])
def test_a_full_disk_leaves_what_was_there(size: int, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")
    with full_disk(), pytest.raises(ToolError, match=r"old: cannot be written \(File too large\)"):
        write_output(tmp_path / "old", bytes(size))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]


def test_what_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old")

    def break_off() -> None:
        with open_output(tmp_path / "old") as stream:
            stream.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old", "old")]


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("none/x", InputError, r"none/x: the folder '.*none' does not exist"),
        ("file/x", InputError, r"file/x: cannot be written \(Not a directory\)"),
        ("", InputError, r"is a folder, the name of a file is needed"),
        ("x" * 300, ToolError, r"x: cannot be written \(File name too long\)"),
        ("loop", ToolError, r"loop: cannot be written \(Too many levels of symbolic links\)"),
        ("/sys/x", ToolError, r"/sys/x: cannot be written \((Permission denied|Read-only file system)\)"),
    ],
)
def test_what_cannot_be_written_is_refused_first(
    name: str, kind: type[Exception], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for function in (check_output, lambda path: write_output(path, b"")):
        with pytest.raises(kind, match=sentence):
            function(tmp_path / name)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "loop"}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_disk_that_is_full_or_read_only_is_a_sentence(tmp_path: Path) -> None:
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", tmp_path], capture_output=True)
    if mount.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(ToolError, match=r"x: cannot be written \(No space left on device\)"):
            write_output(tmp_path / "x", bytes(100_000))
        assert list(tmp_path.iterdir()) == []
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        with pytest.raises(ToolError, match=r"x: cannot be written \(Read-only file system\)"):
            check_output(tmp_path / "x")
        with pytest.raises(ToolError, match=r"x: cannot be written \(Read-only file system\)"):
            check_folder(tmp_path / "x")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_sentence_steers_no_terminal_and_is_short() -> None:
    hostile = "a\x1b[2J\r\n\x9b31m\u202eb\udcff\u2028c"
    assert str(InputError(hostile)) == r"a\x1b[2J \x9b31m\u202eb\xff\u2028c"
    long = str(ToolError(f"{'x' * 5000} must be short, not {'y ' * 5000}"))
    assert len(long) <= 600
    assert long.startswith("xxx")
    assert "must be short" in long
    assert long.endswith("y")
    assert one_sentence("two\nlines") == "two lines"


def test_arguments_take_the_names_of_options() -> None:
    error = InputError(f"the backend fpga needs {argument('port')}")
    assert str(error) == "the backend fpga needs port"
    error.options = {"port": "--port"}
    assert str(error) == "the backend fpga needs --port"
