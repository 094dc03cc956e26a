"""Switching activity of a design, from the waveforms of a co-simulation."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from macro_models.errors import InputError, ToolError
from sim.build.toolchain import HDL, cached_build, hash_files, require_tool, run_logged, tool_version

__all__ = ["Activity", "read_activity"]

_SOURCE = HDL / "fst_toggles.cpp"
_READER = ("fstapi.c", "lz4.c", "fastlz.c")
"""GTKWave's reader of FST files, which comes with Verilator."""


_STARTED = ".tile.running"
"""End of the path of what is 1 from the start of a tile's program on."""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """How often bits of signals changed, and how long they were 1.

    Attributes
    ----------
    cycles
        Rising edges of the first signal that is called ``clk``.
    changes
        Changes between 0 and 1 of each bit, the least significant first, by the path of the signal with dots.
    ones
        Cycles at whose end each bit was 1, in the same way.
    accesses
        Cycles in which a memory wrote, in which it read, in which it did both, by the path of its wrapper.
    """

    cycles: int
    changes: dict[str, list[int]]
    ones: dict[str, list[int]]
    accesses: dict[str, tuple[int, int, int]]

    @cached_property
    def scopes(self) -> frozenset[str]:
        """Paths of all scopes that have signals, or scopes with signals."""
        found = {path.rpartition(".")[0] for path in self.changes}
        return frozenset(found | {scope.rpartition(".")[0] for scope in found})

    def below(self, children: Sequence[str], some: Sequence[str] = ()) -> str:
        """Path of the first scope that has scopes of these names, all of ``children`` and, if given, one of ``some``.

        Raises
        ------
        InputError
            If there is none.
        """
        for scope in sorted(self.scopes, key=lambda one: (one.count("."), one)):
            if scope and all(f"{scope}.{child}" in self.scopes for child in children) and (
                not some or any(f"{scope}.{child}" in self.scopes for child in some)
            ):
                return scope
        wanted = [*children, *some]
        told = ", ".join(wanted[:3]) + (" .." if len(wanted) > 3 else "")
        raise InputError(f"the trace must be of this chip, with {told} in it; it has other scopes")


def read_activity(trace: Path) -> Activity:
    """The changes in an FST file; of a chip of tiles from the start of the first program on, without what loads them.

    Raises
    ------
    InputError
        If it is none.
    ToolError
        If a compiler is missing, or Verilator, with which the reader comes.
    """
    if not trace.is_file():
        raise InputError(f"{trace}: cannot be read as waveforms (no such file)")
    command = [_program(), str(trace.absolute()), "write_enable", "read_enable", _STARTED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines or not lines[-1].startswith("end "):
        raise InputError(f"{trace}: must be an FST file, as mho run --waves writes it")
    changes: dict[str, list[int]] = {}
    ones: dict[str, list[int]] = {}
    accesses: dict[str, tuple[int, int, int]] = {}
    for line in lines[:-1]:
        path, width, *counts = line.split(" ")
        if path == "&":
            accesses[width] = (int(counts[0]), int(counts[1]), int(counts[2]))
            continue
        name, numbers = path.partition("[")[0], [int(count) for count in counts]
        changes[name], ones[name] = numbers[: int(width)][::-1], numbers[int(width) :][::-1]
    return Activity(cycles=int(lines[-1].split(" ")[2]), changes=changes, ones=ones, accesses=accesses)


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
            made = folder / f"{source.stem}.o"
            kind = [] if source.suffix == ".cpp" else ["-x", "c", "-w", '-DFST_CONFIG_INCLUDE="fst_config.h"']
            run_logged([compiler, "-O2", f"-I{reader}", *kind, "-c", str(source), "-o", str(made)], log, "g++")
            objects.append(str(made))
        run_logged([compiler, *objects, "-lz", "-lpthread", "-o", str(folder / "fst_toggles")], log, "g++")

    key = [hash_files([_SOURCE]), tool_version("verilator"), tool_version("g++")]
    return os.fspath(cached_build("toggles", key, build) / "fst_toggles")
