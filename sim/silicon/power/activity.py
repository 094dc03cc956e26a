"""Switching activity of a design, from the waveforms of a co-simulation."""

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.files import FileKind, open_file, reading
from mho.macro_models.workspace import Workspace
from mho.rtl_gen.emit import ADAPTER
from mho.sim.build.children import run_tool
from mho.sim.build.toolchain import HDL, cached_build, hash_files, require_tool, run_logged, tool_version
from mho.sim.silicon.area import Netlist

_SOURCE = HDL / "fst_toggles.cpp"
_READER = ("fstapi.c", "lz4.c", "fastlz.c")
"""GTKWave's reader of FST files, which comes with Verilator."""

_CHECKED = ("-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2", "-D_GLIBCXX_ASSERTIONS")
"""Writes beyond a buffer, as far as the compiler sees its size, end the program."""

TRACE = FileKind("file of waveforms", 1 << 40)

_MEGABYTES, _LEAST_S, _BYTES_A_SECOND = 3000, 30, 500_000
"""What the reader may take: of memory, and of processor time, beside that for each byte; a fifth of it is usual."""

_STARTED = ".tile.running"
"""End of the path of what is 1 from the start of a tile's program on."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """How often bits of signals changed, and how long they were 1."""

    cycles: int
    """Rising edges of the first signal that is called ``clk``."""
    changes: dict[str, list[int]]
    """Changes between 0 and 1 of each bit, the least significant first, by the path of the signal with dots."""
    ones: dict[str, list[int]]
    """Cycles at whose end each bit was 1, in the same way."""
    accesses: dict[str, tuple[int, int, int]]
    """Cycles in which a memory wrote, in which it read, in which it did both, by the path of its wrapper."""

    @cached_property
    def scopes(self) -> frozenset[str]:
        """Paths of all scopes that have signals, or scopes with signals."""
        scopes = {path.rpartition(".")[0] for path in self.changes}
        return frozenset(scopes | {scope.rpartition(".")[0] for scope in scopes})

    def below(self, children: Sequence[str], further: Sequence[str] = ()) -> str:
        """Path of the first scope that has scopes of these names, all of ``children`` and, if given, one of ``some``.

        Raises InputError if there is none.
        """
        for scope in sorted(self.scopes, key=lambda path: (path.count("."), path)):
            if scope and all(f"{scope}.{child}" in self.scopes for child in children) and (
                not further or any(f"{scope}.{child}" in self.scopes for child in further)
            ):
                return scope
        required = [*children, *further]
        listed = ", ".join(required[:3]) + (" .." if len(required) > 3 else "")
        raise InputError(f"the trace must be of this chip, with {listed} in it; it has other scopes")


def read_activity(trace: Path) -> Activity:
    """The changes in a trace; of a chip of tiles from the start of the first program on, without what loads them.

    FST is read by GTKWave's reader, which trusts what it reads, VCD by one that does not; both in a process with limits
    of memory and time.

    Raises InputError if it is none, is damaged, or takes more memory or time than is allowed. Raises ToolError if a
    compiler is missing, or Verilator, with which the reader comes.
    """
    with open_file(trace, TRACE) as (_, size):
        seconds = _LEAST_S + size // _BYTES_A_SECOND
    program, limits = _program(), [str(_MEGABYTES), str(seconds)]
    changes: dict[str, list[int]] = {}
    ones: dict[str, list[int]] = {}
    accesses: dict[str, tuple[int, int, int]] = {}
    # The reader of FST writes beside what it reads: it is given a name in a folder of its own.
    with Workspace("waves") as work:
        (work / "trace").symlink_to(trace.absolute())
        with (work / "counts").open("wb") as counts:
            command = [program, "trace", *limits, "write_enable", "read_enable", _STARTED]
            status = run_tool(command, work, work / "log", output=counts, timeout=2.0 * seconds)
        if status:
            raise InputError(
                f"{trace}: must be FST, as mho run --waves writes it, or VCD; it is damaged, or takes more than "
                f"{_MEGABYTES / 1000:g} GB, {seconds} s, signals of 16 million bits or paths of 270 million letters"
            )
        with reading(trace, TRACE), (work / "counts").open(encoding="utf-8", errors="replace") as lines:
            cycles = -1
            for line in lines:
                what, *words = line.rstrip("\n").split(" ")
                if what == "end":
                    cycles = int(words[0])
                elif what == "memory":
                    written, read, both = map(int, words[1:])
                    accesses[words[0]] = (written, read, both)
                else:
                    path, width, *numbers = words
                    toggles = [int(number) for number in numbers]
                    changes[path], ones[path] = toggles[: int(width)][::-1], toggles[int(width) :][::-1]
            if cycles < 0:
                raise ValueError("its end is missing")
    return Activity(cycles=cycles, changes=changes, ones=ones, accesses=accesses)


def _program() -> str:
    """The program that counts, built once."""
    compiler = require_tool("g++")
    root = subprocess.run(
        [require_tool("verilator"), "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=False,
    ).stdout.strip()
    reader = Path(root, "include", "gtkwave")
    if not (reader / _READER[0]).is_file():
        raise ToolError(f"the reader of FST files was not found in {reader}, where Verilator has it")

    def build(folder: Path) -> None:
        log, objects = folder / "build.log", []
        for source in (_SOURCE, *(reader / name for name in _READER)):
            object_file = folder / f"{source.stem}.o"
            kind = [] if source.suffix == ".cpp" else ["-x", "c", "-w", '-DFST_CONFIG_INCLUDE="fst_config.h"']
            options = ["-O2", *_CHECKED, f"-I{reader}", *kind]
            run_logged([compiler, *options, "-c", str(source), "-o", str(object_file)], log, "g++")
            objects.append(str(object_file))
        run_logged([compiler, *objects, "-lz", "-lpthread", "-o", str(folder / "fst_toggles")], log, "g++")

    key = [hash_files([_SOURCE]), tool_version("verilator"), tool_version("g++")]
    return os.fspath(cached_build("toggles", key, build, what="the reader of waveforms") / "fst_toggles")


_TILE = re.compile(r"tile_\d+_\d+")


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A design as a trace has it."""

    scope: str
    """Path of its top in the trace, with dots."""
    instances: dict[str, str]
    """Module of each instance that has waves, by its path with slashes; the top's path is empty."""
    tiles: dict[str, str]
    """Those of them that are tiles."""
    unseen: list[str]
    """Paths of the tiles without waves."""


def find_design(netlist: Netlist, activity: Activity) -> Traced:
    """Where a trace has the design; of a chip of tiles it may have waves of some tiles alone.

    Raises InputError if the trace is of another design, or has no cycles.
    """
    instances = instance_paths(netlist)
    parts = [path for path, module in instances.items() if path and "/" not in path and not module.endswith(ADAPTER)]
    tiles = [path for path in parts if _TILE.fullmatch(path)]
    scope = activity.below([path for path in parts if path not in tiles], tiles)
    if activity.cycles < 1 or f"{scope}.clk" not in activity.changes:
        raise InputError(f"the trace must have the clock {scope}.clk, and cycles of it")
    if tiles:
        _check_mesh(tiles, scope, activity)
    unseen = [path for path in tiles if f"{scope}.{path}" not in activity.scopes]
    traced = {path: module for path, module in instances.items() if path.partition("/")[0] not in unseen}
    shown = {path: traced[path] for path in tiles if path in traced}
    return Traced(scope=scope, instances=traced, tiles=shown, unseen=unseen)


def _check_mesh(tiles: list[str], scope: str, activity: Activity) -> None:
    """Refuse a mesh of other tiles: its links have the names of all of them, with waves or without."""
    start = f"{scope}."
    names = (path.removeprefix(start) for path in activity.changes if path.startswith(f"{start}tile_"))
    links = {tile[0] for name in names if (tile := _TILE.match(name)) is not None}
    if links != set(tiles):
        raise InputError(f"the trace must be of this chip, a mesh of {len(tiles)} tiles; it is of one of {len(links)}")


def instance_paths(netlist: Netlist) -> dict[str, str]:
    """Module of each instance of a module, by its path with slashes; the top's path is empty."""
    paths = {"": netlist.top}

    def visit(path: str, module: str) -> None:
        for child, name in re.findall(r"^  (\w+) (?:#\(.*\) )?(\w+) \($", netlist.modules[module], re.MULTILINE):
            if child in netlist.modules:
                inner = f"{path}/{name}" if path else name
                paths[inner] = child
                visit(inner, child)

    visit("", netlist.top)
    return paths


def tile_name(path: str) -> str | None:
    """``1,0`` of ``tile_1_0`` and of what is in it; None of what is around the tiles."""
    top = path.partition("/")[0]
    return top.removeprefix("tile_").replace("_", ",") if _TILE.fullmatch(top) else None
