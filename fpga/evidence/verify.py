"""Evidence that a board would work, without it: its netlist, simulated at its serial pins, against the numpy models."""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mho.fpga.boards import Board, find_board
from mho.fpga.build.build import BuildReport, build, synthesise
from mho.fpga.build.report import error_line
from mho.fpga.config import board_config
from mho.fpga.evidence.compare import Evidence, compare_operations, compare_tiles, compare_writes, power_up
from mho.fpga.families import FAMILIES
from mho.fpga.link.simulated import PinsTransport
from mho.hw.board.tiles import TilesConfig
from mho.hw.board.top import AnyConfig
from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.files import parse_json
from mho.macro_models.workspace import Workspace
from mho.sim.build.bench import cached_bench
from mho.sim.build.children import run_tool
from mho.sim.build.toolchain import require_tool
from mho.sim.core.bench.write_stimulus import make_write_stimulus

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

    Cells that icebox does not know, the SPRAM of a UP5K, would be missing.

    Raises InputError if the device is another one.
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
    """
    text, cells = simulated_netlist(netlist, family) + _wrapper(netlist), FAMILIES[family]
    options = [*cells.model_options, *(["--hierarchical"] if "hier_block" in text else [])]
    return cached_bench(
        "netlist", [text], lambda: text, "mho_board", [_HDL / cells.models, yosys_cells(family)], options=options,
        fast="-O1",
    )

SMALL = ("tnsa16-core", ("core.g_bits=4",))
"""Preset and changes of the core that is verified unless another is asked for: a netlist is slow."""

_CELL_IN = 9
"""One cell in so many is programmed, of every row and column."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found equal."""

    board: str
    chip: str
    """Names."""
    netlist: Evidence
    """Products by the netlist after synthesis."""
    pulses: int | None
    """Pulses of a run of write-verify by it; None of a board below whose pins there is no core."""
    bitstream: Evidence | None
    """Products by the netlist that was got back from the bitstream; None where no tool gets one, or none was made."""
    build: BuildReport | None
    """The report of place and route; None without."""

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def verify(
    board_name: str, chip: Chip | None = None, *, place: bool = True, flow: str = "auto", vectors: int = 1,
    built: Path | None = None, note: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Make the netlist of a board, and its bitstream, and compare what they do with the numpy models.

    Raises InputError if the chip does not fit, or ``built`` holds something else. Raises ToolError if a tool is missing
    or fails, the timing is missed, or anything differs.

    Parameters
    ----------
    chip
        What is put on it, or None for :data:`SMALL`.
    place
        Whether it is placed, routed and made a bitstream, too.
    flow
        Of :data:`mho.fpga.build.tools.FLOWS`.
    vectors
        Input vectors of each operation (:meth:`mho.hw.emulator.kind.EmulatorKind.operations`);
        images of a network on tiles, two each.
    built
        Folder of a build of this chip for this board, which then is not built again.
    note
        Called with a line at each step.
    """
    board = find_board(board_name)
    chip = load_chip(*SMALL) if chip is None else chip
    cfg = board_config(board.name, chip)
    with Workspace("verify") as work:
        folder, report = work / "out" if built is None else built, None
        if built is not None:
            report = read_built(board, cfg, built)
        elif place:
            report = build(board.name, chip, folder=folder, flow=flow, note=note)
        else:
            synthesise(board.name, chip, folder=folder, flow=flow, note=note)
        note("simulating the netlist at its serial pins ...")
        products, pulses = _netlist(board, cfg, (folder / f"{board.name}_netlist.v").read_text(), vectors)
        back = None
        if report is not None and unpacks(board):
            note("simulating the netlist in the bitstream ...")
            constraints = folder / f"{board.name}{board.served.constraints}"
            back, _ = _netlist(board, cfg, bitstream_netlist(board, folder / report.bitstream, constraints), vectors)
    return Verification(
        board=board.name, chip=chip.name, netlist=products, pulses=pulses, bitstream=back, build=report
    )


def read_built(board: Board, cfg: AnyConfig, folder: Path) -> BuildReport:
    """The report in a folder of :func:`mho.fpga.build.build.build`, with the bitstream and the netlist beside it.

    Raises InputError if nothing was built there, it is something else than ``cfg`` for ``board``, or it is not what was
    built.
    """
    try:
        report = BuildReport(**parse_json((folder / "report.json").read_text(encoding="utf-8")))
        bitstream = (folder / report.bitstream).read_bytes()
    except (OSError, ValueError, TypeError):
        raise InputError(f"{folder}: holds no build; make one with: mho fpga build {board.name} -o DIR") from None
    if (report.board, report.chip_sha256) != (board.name, cfg.chip.sha256):
        raise InputError(
            f"{folder}: is a build of {report.chip} for {report.board}, not of this {cfg.chip.name} for {board.name}"
        )
    emulator = cfg.emulator
    expected = (cfg.clock_hz, cfg.baud, emulator.lanes, emulator.slots, emulator.noise)
    if (report.clock_hz, report.baud, report.lanes, report.slots, report.noise) != expected:
        raise InputError(f"{folder}: has another clock, line, lanes, tables or noise than would be built now")
    if hashlib.sha256(bitstream).hexdigest() != report.bitstream_sha256:
        raise InputError(f"{folder}: the bitstream is not the one in report.json; build it again")
    return report


def _netlist(board: Board, cfg: AnyConfig, text: str, vectors: int) -> tuple[Evidence, int | None]:
    """What a netlist did, and the pulses that it gave."""
    with closing(power_up(PinsTransport(netlist_program(text, board.family), cfg.uart))) as line:
        if isinstance(cfg, TilesConfig):
            return compare_tiles(cfg, line, images=2 * vectors), None
        products = compare_operations(cfg, line, vectors=vectors)
        if not cfg.programs:
            return products, None
        stimulus = make_write_stimulus(cfg.chip, 0, 4)
        skipped = np.arange(stimulus.skip.size).reshape(stimulus.skip.shape) % _CELL_IN != 0
        return products, len(compare_writes(line, replace(stimulus, skip=stimulus.skip | skipped)).pulses)
