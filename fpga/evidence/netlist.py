"""Simulation of what a board would really hold: its netlist after synthesis, or the one in its bitstream."""

import os
import re
import shutil
from pathlib import Path

from mho.fpga.boards import Board
from mho.fpga.build.report import error_line
from mho.fpga.families import FAMILIES
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.workspace import Workspace
from mho.sim.build.bench import cached_bench
from mho.sim.build.children import run_tool
from mho.sim.build.toolchain import require_tool

__all__ = ["bitstream_netlist", "netlist_program", "simulated_netlist", "unpacks", "yosys_cells"]

_HDL = Path(__file__).parents[1] / "hdl"


def _run(command: list[str], folder: Path, output: Path | None = None) -> None:
    """Run a tool; what it writes to stdout is its result, if ``output`` is given."""
    log = folder / f"{Path(command[0]).name}.log"
    with (output or Path(os.devnull)).open("wb") as out:
        status = run_tool(command, folder, log, output=out)
    if status:
        raise ToolError(f"{Path(command[0]).name} failed: {error_line(log)}")


def _tool(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ToolError(f"{name} was not found; install it with: apt-get install {package}")
    return path


def unpacks(board: Board) -> bool:
    """Whether a bitstream of the board can be turned back to a netlist."""
    return board.device.partition("-")[0] == "iCE40HX8K"


def bitstream_netlist(board: Board, bitstream: Path, constraints: Path) -> str:
    """The netlist that a bitstream of an iCE40 holds, as Verilog; its ports are those of the constraints.

    Cells that icebox does not know, the SPRAM and the multipliers of a UP5K, would be missing.

    Raises
    ------
    InputError
        If the device is another one.
    ToolError
        If a tool is missing or fails.
    """
    if not unpacks(board):
        raise InputError(f"only a bitstream of an iCE40HX8K can be turned back to a netlist, not one of {board.device}")
    unpack, to_verilog = (_tool(name, "fpga-icestorm") for name in ("iceunpack", "icebox_vlog"))
    with Workspace("netlist") as folder:
        _run([unpack, str(bitstream.resolve()), "unpacked.asc"], folder)
        command = [to_verilog, "-s", "-l", "-n", "top", "-p", str(constraints.resolve()), "unpacked.asc"]
        _run(command, folder, folder / "netlist.v")
        return strict_verilog((folder / "netlist.v").read_text())


def strict_verilog(text: str) -> str:
    """What icebox_vlog writes, without the second declarations of the ports of the module."""
    head = re.search(r"module \w+ \((.*?)\);", text, re.DOTALL)
    if head is None:
        raise ToolError("icebox_vlog wrote no module")
    ports = set(re.findall(r"(?:input|output|inout)\s+(?:wire\s+|reg\s+)?(\w+)", head.group(1)))

    def declare(match: re.Match[str]) -> str:
        names = [name for name in re.split(r"\s*,\s*", match.group(2)) if name not in ports]
        return f"{match.group(1)} {', '.join(names)};" if names else ""

    return re.sub(r"^(wire|reg) ([^=;\[]*);$", declare, text, flags=re.MULTILINE)


def yosys_cells(family: str) -> Path:
    """Models of the cells of a family that come with Yosys."""
    path = Path(require_tool("yosys")).resolve().parent.parent / "share" / "yosys" / family / "cells_sim.v"
    if not path.is_file():
        raise ToolError(f"{path}: not found; it comes with Yosys")
    return path


def simulated_netlist(netlist: str, family: str) -> str:
    """The netlist with the names of own models, and as Verilator simulates it well."""
    cells = FAMILIES[family]
    text = re.sub(rf"^(\s*)({'|'.join(cells.own_cells)})\b", r"\1mho_\2", netlist, flags=re.MULTILINE)
    # The pins of a model are of both directions, so the ports of the top that they connect to must be.
    text = re.sub(r"^module top\b.*?^endmodule", _both_ways, text, flags=re.MULTILINE | re.DOTALL)
    # Modules that are left beside the top have many instances.
    text = re.sub(r"^module (?!top\b)[^;]*;", r"\g<0> /*verilator hier_block*/", text, flags=re.MULTILINE)
    # Bits of a vector depend on each other, which is a loop unless each of them is a signal.
    return re.sub(r"^(  wire \[\d+:\d+\] \S+) ?;$", r"\1 /*verilator split_var*/;", text, flags=re.MULTILINE)


def _both_ways(module: re.Match[str]) -> str:
    """A module whose ports of one bit are of both directions."""
    return re.sub(r"^  (input|output) (\S+ ?;)$", r"  inout \2", module[0], flags=re.MULTILINE)


def _wrapper(netlist: str) -> str:
    """A module with plain ports around one with the ports of a board."""
    head = re.search(r"module top\s*\((.*?)\);", netlist, re.DOTALL)
    if head is None:
        raise ToolError("there is no module top in the netlist")
    ports = [re.split(r"\s+", port.strip())[-1] for port in head.group(1).split(",")]
    clock, rx, tx = (next(port for port in ports if key in port) for key in ("clk", "rx", "tx"))
    # Ports of both directions connect to wires only.
    wires = "".join(f"  wire \\{name} ;\n" for name in ports)
    pins = ", ".join(f".{name}(\\{name} )" for name in ports)
    return (
        f"module mho_board (input clk, input rst, input rx, output tx);\n{wires}"
        f"  assign \\{clock} = clk;\n  assign \\{rx} = rx;\n  assign tx = \\{tx} ;\n"
        f"  top top ({pins});\nendmodule\n"
    )


def netlist_program(netlist: str, family: str) -> Path:
    """Folder of the simulator of a netlist at its pins, for :class:`mho.fpga.link.simulated.PinsTransport`.

    The clock of the simulation is that of the design. There is no reset but that of the board itself, which takes less
    than 1000 cycles from the start.

    Parameters
    ----------
    netlist
        Verilog with instances of the cells of an FPGA, from :func:`.build.build` or :func:`bitstream_netlist`.
    family
        Of :data:`mho.fpga.families.FAMILIES`.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    text, cells = simulated_netlist(netlist, family) + _wrapper(netlist), FAMILIES[family]
    options = [*cells.model_options, *(["--hierarchical"] if "hier_block" in text else [])]
    return cached_bench(
        "netlist", [text], lambda: text, "mho_board", [_HDL / cells.models, yosys_cells(family)], options=options,
        fast="-O1",
    )
