"""``mho doctor``: ready, or the exact command that is missing."""

import ctypes.util
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

import click

from mho.macro_models.errors import ToolError
from mho.terminal.console import Output
from mho.terminal.options import common_options, example
from mho.terminal.paths import WORD

VERILATOR_LEAST = (5, 6)
"""First Verilator with the ``--timing`` that the shells' clock needs and cocotb's way of building."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    part: str
    """``functional``, ``cosim`` or ``fpga``: the part that needs it."""
    name: str
    """What was looked for."""
    found: str
    """Version or place; empty where it is missing."""
    cure: str = ""
    """Command that makes it right; empty where it is right."""
    needed: bool = True
    """Whether the part does not work without it."""

    @property
    def ready(self) -> bool:
        return not self.cure


def _python() -> Finding:
    right = sys.version_info >= (3, 11)
    cure = "" if right else "apt-get install python3"
    return Finding(part="functional", name="python", found=platform.python_version(), cure=cure)


def _package(part: str, name: str, minimum: str, cure: str, *, needed: bool = True) -> Finding:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(part=part, name=name, found="", cure=cure, needed=needed)
    right = _numbers(version) >= _numbers(minimum)
    return Finding(part=part, name=name, found=version, cure="" if right else cure, needed=needed)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def _tool(
    part: str,
    name: str,
    flag: str,
    package: str,
    *,
    minimum: tuple[int, ...] = (),
    needed: bool = True,
    also: tuple[str, ...] = (),
) -> Finding:
    """A program on the search path; ``also`` are names that do as well."""
    cure = f"apt-get install {package}"
    path = next((p for p in map(shutil.which, (name, *also)) if p), None)
    if path is None:
        return Finding(part=part, name=name, found="", cure=cure, needed=needed)
    try:
        done = subprocess.run([path, flag], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Finding(part=part, name=name, found="", cure=f"{cure} ({path} does not run)", needed=needed)
    match = re.search(r"\d+\.\d+(?:\.\d+)?", done.stdout + done.stderr)
    version = match[0] if match else "?"
    if minimum and match and _numbers(version) < minimum:
        cure = f"{cure} (Verilator {'.'.join(map(str, minimum))} or later, found {version})"
        return Finding(part=part, name=name, found=version, cure=cure, needed=needed)
    return Finding(part=part, name=name, found=version, needed=needed)


def _bench_by_make(verilator: Finding) -> list[Finding]:
    """What the ``make`` of cocotb, which a user's own benches may take, asks of a Verilator that is there."""
    makefile = Path(_package_folder("cocotb_tools"), "makefiles", "simulators", "Makefile.verilator")
    try:
        minimum = re.search(r"^VLT_MIN *:= *([\d.]+)", makefile.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return []
    if not verilator.ready or minimum is None or _numbers(verilator.found) >= _numbers(minimum[1]):
        return []
    cure = (
        f"cocotb's make asks for Verilator {minimum[1]} or later; make SIM=verilator in the folder tb/ of a generated "
        "design does without it: generate again where it is older"
    )
    version = verilator.found
    return [Finding(part="cosim", name="cocotb's make with Verilator", found=version, cure=cure, needed=False)]


def _package_folder(name: str) -> str:
    spec = importlib.util.find_spec(name)
    return next(iter(spec.submodule_search_locations or ()), "") if spec else ""


def _shared_libpython() -> Finding:
    """The simulator loads Python as a shared library."""
    library = _find_libpython()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    cure = "" if library else f"apt-get install libpython{version}"
    return Finding(part="cosim", name="libpython (shared)", found=library, cure=cure)


def _find_libpython() -> str:
    try:
        from find_libpython import find_libpython
    except ImportError:
        if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
            return ""
        return ctypes.util.find_library(f"python{sys.version_info.major}.{sys.version_info.minor}") or ""
    return find_libpython() or ""


def _functional() -> list[Finding]:
    pip = "pip install --upgrade mho"
    return [
        _python(),
        _package("functional", "numpy", "1.26", pip),
        _package("functional", "scipy", "1.11", pip),
        _package("functional", "onnx", "1.15", pip),
        _package("functional", "amaranth", "0.5.8", pip),
        _package("functional", "numba", "0.59", 'pip install "mho[fast]"', needed=False),
    ]


def _cosim() -> list[Finding]:
    verilator = _tool("cosim", "verilator", "--version", "verilator", minimum=VERILATOR_LEAST)
    return [
        verilator,
        *_bench_by_make(verilator),
        _tool("cosim", "g++", "--version", "g++", also=("clang++",)),
        _tool("cosim", "make", "--version", "make"),
        _package("cosim", "cocotb", "2.1", 'pip install "mho[cosim]"'),
        _shared_libpython(),
        _tool("cosim", "iverilog", "-V", "iverilog", needed=False),
        _tool("cosim", "yosys", "-V", "yosys", needed=False),
        _tool("cosim", "sta", "-version", "opensta", needed=False),
    ]


def _fpga(board: str | None) -> list[Finding]:
    """What a board needs; without one, what all boards need and, as optional, what some do."""
    from mho.fpga.boards import find_board
    from mho.fpga.build.tools import find_tool
    from mho.fpga.families import FAMILIES

    families = [find_board(board).served] if board else list(FAMILIES.values())
    steps = {name: family for family in families for name in family.steps}
    findings = []
    for name, family in steps.items():
        needed = all(name in candidate.steps for candidate in families)
        tool = find_tool(family, name) or name
        package, flag = family.packages.get(name, ""), family.versions.get(name, "--help")
        finding = _tool("fpga", name, flag, package, needed=needed, also=(tool,))
        findings.append(finding if package or finding.ready else replace(finding, cure='pip install "mho[fpga-tools]"'))
    return [
        *findings,
        _tool("fpga", "openFPGALoader", "--Version", "openfpgaloader"),
        _package("fpga", "amaranth-boards", "0.0.21", 'pip install "mho[fpga]"'),
        _package("fpga", "pyserial", "3.5", 'pip install "mho[fpga]"'),
    ]


def _layout() -> list[Finding]:
    wheel = _package("layout", "openroad", "0.0.1", 'pip install "mho[layout]"')
    program = _tool("layout", "openroad", "-version", "openroad") if not wheel.ready else wheel
    return [
        program if program.ready else wheel,
        _tool("layout", "yosys", "-V", "yosys"),
        _tool("layout", "klayout", "-v", "klayout"),
    ]


PARTS = ("functional", "cosim", "fpga", "layout")


def inspect(parts: tuple[str, ...], board: str | None = None) -> list[Finding]:
    """Look at everything that ``parts`` need, ``fpga`` for a board or for all of them."""
    looks = {"functional": _functional, "cosim": _cosim, "fpga": lambda: _fpga(board), "layout": _layout}
    return [finding for part in parts for finding in looks[part]()]


@click.command("doctor", epilog=example("mho doctor cosim"))
@click.argument("part", required=False, type=click.Choice(PARTS))
@click.argument("board", required=False, metavar="[BOARD]", type=WORD)
@common_options
def doctor_command(part: str | None, board: str | None, out: Output) -> None:
    """Say whether this machine is ready, or name the exact command that is missing.

    PART is functional (numpy models, Verilog generation), cosim (the generated Verilog under Verilator) or fpga
    (the tools that build and load bitstreams: those of BOARD, or of all boards), or layout. Without it: functional and
    cosim.
    Exit 1 if something is missing.
    """
    if board is not None and part != "fpga":
        raise click.UsageError(f"a board is looked at by: mho doctor fpga {board}")
    parts = (part,) if part else ("functional", "cosim")
    findings = inspect(parts, board)
    rows = [(f.part, f.name, f.found or "missing", _verdict(f)) for f in findings]
    out.table(("part", "what", "found", ""), rows)
    missing = [f for f in findings if f.needed and not f.ready]
    out.json(
        {
            "ready": not missing,
            "findings": [asdict(f) | {"ready": f.ready} for f in findings],
        }
    )
    if missing:
        wanting = ", ".join(dict.fromkeys(f.part for f in missing))
        raise ToolError(f"not ready for {board or wanting}; to make it so: {_commands(missing)}")
    out.text(f"ready for {board or ' and '.join(parts)}")


def _verdict(finding: Finding) -> str:
    if finding.ready:
        return "ok"
    return finding.cure if finding.needed else f"optional: {finding.cure}"


def _commands(missing: list[Finding]) -> str:
    """The missing commands as one line: packages of the system together."""
    prefix = "apt-get install "
    system = [f.cure.removeprefix(prefix) for f in missing if f.cure.startswith(prefix)]
    others_cures = list(dict.fromkeys(f.cure for f in missing if not f.cure.startswith(prefix)))
    return " && ".join(([prefix + " ".join(system)] if system else []) + others_cures)
