"""What a build has left in its folder."""

import hashlib
import json
from pathlib import Path

from mho.fpga.boards import Board
from mho.fpga.build.build import BuildReport
from mho.hw.board import AnyConfig
from mho.macro_models.errors import InputError

__all__ = ["read_built"]


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
