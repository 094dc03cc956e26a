"""Tools that simulators are built with, and a cache of what is built.

A build is named by the hash of everything that goes into it, and is moved into the cache as a whole, so that processes
that run at once never see half of one.
"""

import errno
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.macro_models.files.scripts import is_plain, plain_file
from mho.macro_models.workspace import Workspace
from mho.sim.build.children import run_tool

Note = Callable[[str], None]

_note: ContextVar[Note | None] = ContextVar("note of builds", default=None)


@contextmanager
def announced_builds(note: Note | None) -> Iterator[None]:
    """Builds within are told to ``note``, unless somebody around hears of them already."""
    if note is None or _note.get() is not None:
        yield
        return
    token = _note.set(note)
    try:
        yield
    finally:
        _note.reset(token)


def announce_build(what: str) -> None:
    """Tell whoever hears of builds that one begins."""
    if (note := _note.get()) is not None:
        note(f"building {what}, which is kept for the next time ...")


HDL = Path(__file__).parents[1] / "hdl"
"""The project's own SystemVerilog and C++."""

_APT = {
    "verilator": "verilator",
    "g++": "g++",
    "make": "make",
    "iverilog": "iverilog",
    "vvp": "iverilog",
    "yosys": "yosys",
    "sta": "opensta",
    "klayout": "klayout",
}

_KEEP_S = 30 * 86400.0

_LEAST_BYTES = 1 << 20
"""Where less is free, a tool that fails has failed for that."""

_SEAL = "seal"
"""File of a build with the hash of each of the others."""


def cache_folder() -> Path:
    """Where builds are kept: ``MHO_CACHE``, else ``XDG_CACHE_HOME/mho``, else ``~/.cache/mho``."""
    if folder_set := os.environ.get("MHO_CACHE"):
        return Path(folder_set)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mho"


def cache_error(folder: Path, error: OSError) -> ToolError:
    """What to raise where the cache cannot be used."""
    return ToolError(f"the cache {folder} cannot be written ({error.strerror}); set MHO_CACHE to a folder that can")


def require_tool(name: str) -> str:
    """Path of an executable.

    Raises ToolError if it is missing, with the command that installs it.
    """
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} was not found; install it with: apt-get install {_APT.get(name, name)}")
    return path


def require_cocotb() -> None:
    """Check that cocotb can be imported, without importing it."""
    for module in ("cocotb", "cocotb_tools", "find_libpython"):
        if importlib.util.find_spec(module) is None:
            raise ToolError("cocotb was not found; install it with: pip install 'mho[cosim]'")


def tool_version(name: str) -> str:
    """First line of ``name --version`` (``-V`` for Icarus).

    Raises ToolError if it is missing, also where it was there before.
    """
    return _version(require_tool(name), "-V" if name in ("iverilog", "vvp") else "--version")


@cache
def _version(path: str, flag: str) -> str:
    result = subprocess.run([path, flag], capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).partition("\n")[0]


def hash_files(paths: Iterable[Path]) -> str:
    """Hash of names and contents, independent of the order and of the folder."""
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: (path.name, str(path))):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def cached_build(
    kind: str, key: Sequence[str], build: Callable[[Path], object], what: str = "the simulator"
) -> Path:
    """Folder that holds what ``build`` wrote for this ``key``, building it unless it is there already, undamaged.

    ``build`` gets a temporary folder, which is sealed and renamed when it returns; a second process waits.
    If it raises, its logs are kept as ``failed-...`` beside the cache and nothing else is. What is built, here or by
    another process, is announced (:func:`announced_builds`) as ``what``; not where that is empty.

    Raises ToolError if the cache cannot be written.
    """
    name = f"{kind}-{hashlib.sha256(chr(10).join(key).encode()).hexdigest()[:20]}"
    root = cache_folder()
    target = root / name
    if _intact(target):
        with suppress(OSError):
            os.utime(target / _SEAL)
        return target
    if what:
        announce_build(what)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / f".{name}.lock"), Workspace(kind, root) as work:
            if not _intact(target):
                part = work / name
                part.mkdir()
                build(part)
                _seal(part)
                _discard(target)
                part.rename(target)
                _prune(root)
    except OSError as error:
        if error.filename is None or str(error.filename).startswith(str(root)):
            raise cache_error(root, error) from None
        raise
    return target


def _manifest(folder: Path) -> str:
    """A line for each file: its hash, whether it is a program, its path."""
    lines = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / _SEAL:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.append(f"{digest} {'x' if os.access(path, os.X_OK) else '-'} {path.relative_to(folder)}\n")
    return "".join(lines)


def _seal(folder: Path) -> None:
    (folder / _SEAL).write_text(_manifest(folder), encoding="utf-8")


def _intact(folder: Path) -> bool:
    """Whether a build is there, as it was when it was made."""
    try:
        seal = (folder / _SEAL).read_text(encoding="utf-8")
        return seal != "" and seal == _manifest(folder)
    except (OSError, ValueError):
        return False


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _prune(root: Path) -> None:
    """Remove builds that nobody has used for a month, and logs that are older."""
    for marker in (*root.glob(f"*-*/{_SEAL}"), *root.glob("failed-*.log"), *root.glob("logs/*.log")):
        with suppress(OSError):
            if time.time() - marker.stat().st_mtime > _KEEP_S:
                _discard(marker.parent if marker.name == _SEAL else marker)


def keep_log(log: Path, name: str) -> str:
    """Copy a log into the cache. Returns how a sentence ends: with its place or, if there is no room, its last line."""
    copy = cache_folder() / name
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, copy)
    except OSError:
        with suppress(OSError):
            copy.unlink()
        return f": {(log.read_text(errors='replace').strip().splitlines() or ['it said nothing'])[-1]}"
    return f"; see {copy}"


def nearby(sources: Sequence[Path], folder: Path, root: Path) -> list[str]:
    """Names of sources in a folder for a tool that runs there: plain and relative, whatever the paths have in them.

    What is not below ``root``, with plain names, gets a link in the folder.
    """
    names = list[str]()
    for path in sources:
        path = path.absolute()
        if path.is_relative_to(root.absolute()) and is_plain(path.relative_to(root.absolute())):
            names.append(os.path.relpath(path, folder.absolute()))
            continue
        links = folder / "sources"
        links.mkdir(exist_ok=True)
        link = links / f"{len(list(links.iterdir()))}_{plain_file(path.name)}"
        link.symlink_to(path)
        names.append(f"sources/{link.name}")
    return names


def run_logged(command: Sequence[str], log: Path, what: str, *, cwd: Path | None = None) -> None:
    """Run a tool with its output appended to ``log``.

    Raises ToolError if it fails; the log is kept in the cache folder and named in the sentence. Raises OSError if it
    fails because no space is left.
    """
    with log.open("a") as handle:
        handle.write(f"$ {' '.join(command)}\n")
    code = run_tool(command, cwd or log.parent, log)
    if code and shutil.disk_usage(log.parent).free < _LEAST_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if code:
        raise ToolError(f"{what} failed with exit code {code}{keep_log(log, f'failed-{log.stem}-{os.getpid()}.log')}")


def cocotb_environment(modules: str, top: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Environment in which a simulator with cocotb inside runs the tests of a Python module."""
    import sys

    import find_libpython
    from cocotb_tools import config

    environment = dict(os.environ)
    root = str(Path(__file__).parents[3])
    environment.update(
        PYTHONPATH=os.pathsep.join([root, *(p for p in sys.path if p)]),
        PYGPI_PYTHON_BIN=sys.executable,
        GPI_USERS=f"{find_libpython.find_libpython()};{config.pygpi_entry_point()}",
        COCOTB_TOPLEVEL=top,
        COCOTB_TEST_MODULES=modules,
        TOPLEVEL_LANG="verilog",
        COCOTB_LOG_LEVEL="WARNING",
        COCOTB_TRUST_INERTIAL_WRITES="1",
        COCOTB_REWRITE_ASSERTION_FILES="",  # else pytest rewrites numpy and all that is imported, at each start
        OPENBLAS_NUM_THREADS="1",
        PYTHONSAFEPATH="1",
    )
    environment.pop("COCOTB_TEST_FILTER", None)
    environment.update(extra)
    return environment
