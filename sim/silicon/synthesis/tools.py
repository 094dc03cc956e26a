"""Yosys and OpenSTA, run in a folder."""

from pathlib import Path

from mho.macro_models.errors import ToolError
from mho.sim.build.children import run_tool
from mho.sim.build.toolchain import require_tool

__all__ = ["tool_text"]


def tool_text(command: list[str], folder: Path) -> str:
    """What a command prints in ``folder``.

    Raises
    ------
    ToolError
        If the tool is missing, or fails: with the last thing that it said.
    """
    require_tool(command[0])
    log = folder / f"{command[0]}.log"
    status = run_tool(command, folder, log)
    text = log.read_text(errors="replace")
    if status:
        said = next((line for line in reversed(text.splitlines()) if line.strip()), f"status {status}")
        raise ToolError(f"{command[0]} failed: {said.strip()[:300]}")
    return text
