"""The Verilog of a board in Verilator, its bus accessed without a serial line in between."""

import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hw.board import BoardConfig, BoardCore, address_width
from hw.host.link.format import Status
from hw.host.link.tasks import Task
from macro_models.errors import ToolError
from sim.build.children import Child
from sim.build.verilate import cached_simulator, hardware_hash, verilog_text

__all__ = ["BoardBus", "BusSimulation", "board_simulator"]

_MAIN = Path(__file__).with_name("bus_main.cpp")
_MOST = 255  # words of one command


class BoardBus(Protocol):
    """What gets at the words of a board: a simulation, or the link to a real one."""

    def execute(
        self, tasks: Iterable[Task], *, progress: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order; the words that each of them read."""
        ...


def board_simulator(cfg: BoardConfig) -> Path:
    """Program that simulates a board behind its bus, from the cache or built now.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    return cached_simulator(
        "board", [repr(cfg), hardware_hash()], lambda: verilog_text(BoardCore(cfg), "board"), [_MAIN], top="mho_board",
        cflags=f"-DMHO_ADDRESS_WIDTH={address_width(cfg.emulator)}",
    )


class BusSimulation:
    """A running simulation of a board, as a :class:`BoardBus`.

    Parameters
    ----------
    program
        From :func:`board_simulator`.
    """

    def __init__(self, program: Path) -> None:
        self.cycles = 0
        """Clock cycles since reset."""
        self._process = Child([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def execute(
        self, tasks: Iterable[Task], *, progress: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order; the words that each of them read.

        Raises
        ------
        ToolError
            If an access failed, or the simulation ended.
        """
        cut = [list(task.pieces(lambda: _MOST)) for task in tasks]
        status, done, words = self._request(b"".join(piece.data for pieces in cut for piece in pieces))
        if status != Status.OK:
            raise ToolError(f"the simulated board failed: {Status(status).name.lower()} after {done} accesses")
        if progress is not None:
            progress(done, done)
        ends = np.cumsum([sum(piece.reply_words for piece in pieces) for pieces in cut])
        return np.split(words, ends[:-1]) if cut else []

    def _request(self, body: bytes) -> tuple[int, int, NDArray[np.uint32]]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(struct.pack("<I", len(body)) + body)
            stdin.flush()
        except (OSError, ValueError):
            raise ToolError("the simulation of the board ended") from None
        head = stdout.read(20)
        if len(head) < 20:
            raise ToolError("the simulation of the board ended")
        status, done, low, high, count = struct.unpack("<5I", head)
        self.cycles = high << 32 | low
        return status, done, np.frombuffer(stdout.read(4 * count), "<u4").astype(np.uint32, copy=False)

    def close(self) -> None:
        """End the simulation."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.end(1.0)
