"""Tools that simulators are built with, and a cache of what is built.

A build is named by the hash of everything that goes into it, and is moved into the cache as a whole, so that processes
that run at once never see half of one.
"""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from macro_models.errors import ToolError

__all__ = [
    "HDL",
    "cache_error",
    "cache_folder",
    "cached_build",
    "cocotb_environment",
    "hash_files",
    "require_cocotb",
    "require_tool",
    "run_logged",
    "tool_version",
]

HDL = Path(__file__).parents[1] / "hdl"
"""The project's own SystemVerilog and C++."""

_APT = {
    "verilator": "verilator",
    "g++": "g++",
    "make": "make",
    "iverilog": "iverilog",
    "vvp": "iverilog",
    "yosys": "yosys",
}

_KEEP_S = 30 * 86400.0


def cache_folder() -> Path:
    """Where builds are kept: ``MHO_CACHE``, else ``XDG_CACHE_HOME/mho``, else ``~/.cache/mho``."""
    if own := os.environ.get("MHO_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mho"


def cache_error(folder: Path, error: OSError) -> ToolError:
    """What to raise where the cache cannot be used."""
    return ToolError(f"the cache {folder} cannot be written ({error.strerror}); set MHO_CACHE to a folder that can")


def require_tool(name: str) -> str:
    """Path of an executable.

    Raises
    ------
    ToolError
        If it is missing, with the command that installs it.
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

    Raises
    ------
    ToolError
        If it is missing, also where it was there before.
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


def cached_build(kind: str, key: Sequence[str], build: Callable[[Path], None]) -> Path:
    """Folder that holds what ``build`` wrote for this ``key``, building it unless it is there already.

    ``build`` gets a temporary folder, which is renamed when it returns; a second process waits for the first. If it
    raises, its logs are kept as ``failed-...`` beside the cache and nothing else is.
    """
    name = f"{kind}-{hashlib.sha256(chr(10).join(key).encode()).hexdigest()[:20]}"
    root = cache_folder()
    target = root / name
    if target.is_dir():
        with suppress(OSError):
            os.utime(target / "build.log")
        return target
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=root))
    except OSError as error:
        raise cache_error(root, error) from None
    try:
        with _locked(root / f".{name}.lock"):
            if not target.is_dir():
                build(temporary)
                temporary.rename(target)
                _prune(root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _prune(root: Path) -> None:
    """Remove builds that nobody has used for a month."""
    for marker in root.glob("*-*/build.log"):
        if time.time() - marker.stat().st_mtime > _KEEP_S:
            shutil.rmtree(marker.parent, ignore_errors=True)


def run_logged(command: Sequence[str], log: Path, what: str, *, cwd: Path | None = None) -> None:
    """Run a tool with its output appended to ``log``.

    Raises
    ------
    ToolError
        If it fails; the log is kept in the cache folder and named in the sentence.
    """
    with log.open("a") as handle:
        handle.write(f"$ {' '.join(command)}\n")
        handle.flush()
        code = subprocess.run(command, stdout=handle, stderr=subprocess.STDOUT, cwd=cwd, check=False).returncode
    if code:
        kept = cache_folder() / f"failed-{log.stem}-{os.getpid()}.log"
        shutil.copyfile(log, kept)
        raise ToolError(f"{what} failed with exit code {code}; see {kept}")


def cocotb_environment(modules: str, top: str, extra: Mapping[str, str]) -> dict[str, str]:
    """Environment in which a simulator with cocotb inside runs the tests of a Python module."""
    import sys

    import find_libpython
    from cocotb_tools import config

    environment = dict(os.environ)
    root = str(Path(__file__).parents[2])
    environment.update(
        PYTHONPATH=os.pathsep.join([root, *(p for p in sys.path if p)]),
        PYGPI_PYTHON_BIN=sys.executable,
        GPI_USERS=f"{find_libpython.find_libpython()};{config.pygpi_entry_point()}",
        COCOTB_TOPLEVEL=top,
        COCOTB_TEST_MODULES=modules,
        TOPLEVEL_LANG="verilog",
        COCOTB_LOG_LEVEL="WARNING",
        COCOTB_TRUST_INERTIAL_WRITES="1",
        OPENBLAS_NUM_THREADS="1",
        PYTHONSAFEPATH="1",
    )
    environment.pop("COCOTB_TEST_FILTER", None)
    environment.update(extra)
    return environment
