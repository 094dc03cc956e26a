"""Verilator's own C++ library, which is the same in every simulator: compiled once, then copied."""

import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.sim.build.toolchain import cached_build, run_logged, tool_version

__all__ = ["cpu_flags", "take_runtime"]

_LISTS = re.compile(r"^VM_GLOBAL_(?:FAST|SLOW) \+= \\\n((?:\t.*\n)*)", re.MULTILINE)


@cache
def cpu_flags() -> str:
    """What ``-march=native`` depends on."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), platform.processor())


def take_runtime(objects: Path, make: Sequence[str]) -> None:
    """Put the objects of Verilator's library that a simulator links into the folder in which it is built.

    They are compiled by the commands with which its makefile would, and taken from the cache where these commands and
    the tools are the same. Where that is not possible nothing is put there: the makefile then compiles them itself.

    Parameters
    ----------
    objects
        Where Verilator wrote ``Vtop.mk``.
    make
        How ``make`` is called there, without its targets.
    """
    text = (objects / "Vtop_classes.mk").read_text(encoding="utf-8")
    names = [f"{word}.o" for listed in _LISTS.findall(text) for word in listed.split() if word != "\\"]
    said = subprocess.run([*make, "-n", *names], cwd=objects, capture_output=True, text=True, check=False)
    if not names or said.returncode:
        return

    def build(folder: Path) -> None:
        run_logged([*make, *names], folder / "build.log", "the C++ compiler of Verilator's library", cwd=objects)
        for name in names:
            shutil.copyfile(objects / name, folder / name)

    with suppress(ToolError):
        key = [said.stdout, tool_version("verilator"), tool_version("g++")]
        folder = cached_build("runtime", [*key, cpu_flags()], build, what="")
        for name in names:
            # A new copy: it must be newer than the makefile, and nothing may write through it into the cache.
            shutil.copyfile(folder / name, objects / name)
