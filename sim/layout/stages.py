"""Stages of a layout, one after the other: those that are done with the same inputs are not done again."""

import hashlib
import importlib.util
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.macro_models.files import parse_json
from mho.sim.build.children import run_tool
from mho.sim.build.toolchain import require_tool


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A tool that is run in the folder of the layout."""

    name: str
    """Also of its log, ``NAME.log``."""
    does: str
    """What it does, in words."""
    command: tuple[str, ...]
    """Program and arguments; ``openroad`` and ``python`` are what runs these here."""
    writes: str
    """A file that is there when it is done."""
    reads: tuple[str, ...] = ()
    """Scripts, beside those that the command names."""


def _openroad(name: str, does: str, before: str = "", writes: str = "", *sources: str) -> Stage:
    command = ("openroad", "flow/stage.py", name, *([before] if before else []))
    reads = "flow/read.tcl", f"flow/{name}.tcl", *sources
    return Stage(name=name, does=does, command=command, writes=writes or f"{name}.odb", reads=reads)


def _klayout(name: str, does: str, script: str, writes: str, *options: str, display: bool = False) -> Stage:
    command = ("klayout", "-zz" if display else "-b", "-r", script, *options)
    return Stage(name=name, does=does, command=command, writes=writes)


STAGES = (
    Stage(name="synth", does="synthesis", command=("yosys", "-q", "flow/synth.ys"), writes="synth.v",
          reads=("flow/latches.py", "flow/logic.abc")),
    _openroad("floorplan", "floorplan and power grid"),
    _openroad("place", "placement", "floorplan", "", "flow/channels.tcl"),
    _openroad("clock", "clock tree, repair of setup and hold", "place"),
    _openroad("route", "routing", "clock", "route.odb", "flow/detail.tcl"),
    _openroad("antennas", "diodes against antennas", "route", "antennas.odb", "flow/detail.tcl"),
    _openroad("finish", "fillers, extraction, timing", "antennas", "{top}.cdl", "flow/fillers.tcl"),
    _klayout("gds", "GDS", "flow/gds.py", "{top}.routed.gds"),
    _klayout("fill", "fill", "flow/fill.py", "{top}.gds"),
    _klayout("picture", "picture", "flow/picture.py", "{top}.png", display=True),
    _klayout("drc", "design rules", "{drc}", "drc.lyrdb", "-rd", "in_gds={top}.gds", "-rd", "cell={top}",
             "-rd", "report_file=drc.lyrdb", "-rd", "densityRules={density}"),
    Stage(name="netlist", does="netlist for LVS", command=("python", "flow/netlist.py"), writes="{top}.lvs.cdl"),
    _klayout("lvs", "layout against netlist", "flow/lvs.lvs", "{top}.lvsdb",
             "-rd", "input={folder}/{top}.routed.gds", "-rd", "topcell={top}",
             "-rd", "schematic={folder}/{top}.lvs.cdl", "-rd", "report={folder}/{top}.lvsdb",
             "-rd", "target_netlist={folder}/{top}.cir", "-rd", "run_mode=deep"),
    _klayout("ports", "pins of the block by name", "flow/ports.py", "ports.json"),
)
"""All of them in their order; what is in braces is filled in."""

PARTS = (
    Stage(name="parts", does="parts", command=("openroad", "flow/parts.py", "{stage}"), writes="parts.json"),
    _klayout("map", "map of its parts", "flow/map.py", "{top}.parts.png", display=True),
)
"""Behind the last one, whichever that is."""

MODELS = Stage(name="models", does="models for simulators", command=("python", "flow/models.py"), writes="cells.v")
"""Nothing else takes what it writes."""

FIGURES = ("floorplan", "place", "clock", "finish")
"""Those that say what a layout is like so far: a run may end with one of them."""


def openroad() -> list[str]:
    """How OpenROAD runs a script of Python: as a package, or as a program.

    Raises ToolError if it is neither.
    """
    if importlib.util.find_spec("openroad") is not None:
        return [sys.executable]
    if shutil.which("openroad"):
        return ["openroad", "-exit", "-python"]
    raise ToolError("openroad was not found; install it with: pip install 'mho[layout]'")


class Stages:
    """Runs stages in a folder.

    Parameters
    ----------
    folder
        Of the layout.
    words
        What is filled into commands.
    note, progress
        Called with what a stage that begins does; and with how many of all are done.
    """

    def __init__(
        self, folder: Path, words: dict[str, str], *, note: Callable[[str], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.folder, self.words, self.note, self.progress = folder, words, note, progress
        self.seconds: dict[str, float] = {}
        self._key = ""

    def run(self, stages: Sequence[Stage], inputs: Sequence[str]) -> None:
        """Run stages whose inputs, beside their scripts and what stages before them wrote, are files.

        Raises ToolError if a tool is missing or fails: with its log, and the last thing that it said.
        """
        digest = hashlib.sha256(self._key.encode())
        for path in inputs:
            digest.update((self.folder / path).read_bytes())
        self._key = digest.hexdigest()
        for stage in stages:
            self._stage(stage)
            if self.progress is not None:
                self.progress(len(self.seconds), len(STAGES) + len(PARTS))

    def _stage(self, stage: Stage) -> None:
        command = [word.format(**self.words) for word in stage.command]
        digest = hashlib.sha256("\0".join([self._key, *command]).encode())
        for script in (*(word for word in command if word.startswith("flow/")), *stage.reads):
            digest.update((self.folder / script).read_bytes())
        self._key = digest.hexdigest()
        done, writes = self.folder / "done" / f"{stage.name}.json", self.folder / stage.writes.format(**self.words)
        if done.exists() and writes.exists():
            with suppress(ValueError, LookupError, TypeError):  # a damaged one is of a stage to run again
                before = parse_json(done.read_text())
                self.seconds[stage.name] = float(before["seconds"])
                if before["key"] == self._key:
                    return
        if self.note is not None:
            self.note(stage.does)
        done.unlink(missing_ok=True)
        writes.unlink(missing_ok=True)
        self.seconds[stage.name] = self._call(stage.name, command, writes)
        done.parent.mkdir(exist_ok=True)
        done.write_text(json.dumps({"key": self._key, "seconds": self.seconds[stage.name]}))

    def _call(self, name: str, command: list[str], writes: Path) -> float:
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        program = {"openroad": openroad, "python": lambda: [sys.executable]}.get(command[0])
        if program is None:
            require_tool(command[0])
        begin = time.monotonic()
        status = run_tool([*(program() if program else command[:1]), *command[1:]], self.folder, log)
        if status or not writes.exists():
            said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
            how = f"failed with status {status}" if status else "failed"
            raise ToolError(f"{name} {how}: {(said or ['it said nothing'])[-1].strip()[:300]}; see {log}")
        return round(time.monotonic() - begin, 2)
