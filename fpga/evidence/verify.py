"""Evidence that a board would work, without it: its netlist, simulated at its serial pins, against the numpy models."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mho.fpga.boards import Board, find_board
from mho.fpga.build.build import BuildReport, build, synthesise
from mho.fpga.config import board_config
from mho.fpga.evidence.compare import Evidence, compare_operations, compare_tiles, compare_writes, power_up
from mho.fpga.evidence.netlist import bitstream_netlist, netlist_program, unpacks
from mho.fpga.link.simulated import PinsTransport
from mho.hw.board import AnyConfig, TilesConfig
from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError
from mho.macro_models.workspace import Workspace
from mho.sim.core.bench.write_stimulus import make_write_stimulus

__all__ = ["SMALL", "Verification", "read_built", "verify"]

SMALL = ("tnsa16-core", ("core.g_bits=4",))
"""Preset and changes of the core that is verified unless another is asked for: a netlist is slow."""

_CELL_IN = 9
"""One cell in so many is programmed, of every row and column."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found equal.

    Attributes
    ----------
    board, chip
        Names.
    netlist
        Products by the netlist after synthesis.
    pulses
        Pulses of a run of write-verify by it; None of a board below whose pins there is no core.
    bitstream
        Products by the netlist that was got back from the bitstream; None where no tool gets one, or none was made.
    build
        The report of place and route; None without.
    """

    board: str
    chip: str
    netlist: Evidence
    pulses: int | None
    bitstream: Evidence | None
    build: BuildReport | None

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def verify(
    board_name: str, chip: Chip | None = None, *, place: bool = True, flow: str = "auto", vectors: int = 1,
    built: Path | None = None, note: Callable[[str], None] = lambda line: None,
) -> Verification:
    """Make the netlist of a board, and its bitstream, and compare what they do with the numpy models.

    Parameters
    ----------
    board_name
        The board.
    chip
        What is put on it, or None for :data:`SMALL`.
    place
        Whether it is placed, routed and made a bitstream, too.
    flow
        Of :data:`mho.fpga.build.tools.FLOWS`.
    vectors
        Input vectors of each operation of :data:`.compare.OPERATIONS`; images of a network on tiles, two each.
    built
        Folder of a build of this chip for this board, which then is not built again.
    note
        Called with a line at each step.

    Raises
    ------
    InputError
        If the chip does not fit, or ``built`` holds something else.
    ToolError
        If a tool is missing or fails, the timing is missed, or anything differs.
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

    Raises
    ------
    InputError
        If nothing was built there, it is something else than ``cfg`` for ``board``, or it is not what was built.
    """
    try:
        report = BuildReport(**json.loads((folder / "report.json").read_text(encoding="utf-8")))
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
        if cfg.write is None:
            return products, None
        stimulus = make_write_stimulus(cfg.chip, 0, 4)
        skipped = np.arange(stimulus.skip.size).reshape(stimulus.skip.shape) % _CELL_IN != 0
        return products, len(compare_writes(line, replace(stimulus, skip=stimulus.skip | skipped)).pulses)
