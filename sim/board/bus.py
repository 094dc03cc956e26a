"""The Verilog of a board in Verilator, its bus accessed without a serial line in between."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.board import AnyConfig, inside
from mho.hw.host.link.format import Status
from mho.hw.host.link.tasks import Task
from mho.macro_models.errors import ToolError
from mho.sim.build.bench import Bench, cached_bench
from mho.sim.build.verilate import hardware_hash, verilog_text

__all__ = ["BoardBus", "BusSimulation", "board_simulator"]

_MOST = 255  # words of one command


class BoardBus(Protocol):
    """What gets at the words of a board: a simulation, or the link to a real one."""

    def execute(
        self, tasks: Iterable[Task], *, progress: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order; the words that each of them read."""
        ...


def board_simulator(cfg: AnyConfig) -> Path:
    """Folder of the simulator of a board behind its bus, from the cache or built now.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    return cached_bench(
        "board", [repr(cfg), hardware_hash()],
        lambda: verilog_text(inside(cfg), "board"), top="mho_board"
    )


class BusSimulation:
    """A running simulation of a board, as a :class:`BoardBus`.

    Parameters
    ----------
    cfg
        The board.

    Raises
    ------
    ToolError
        If a tool is missing or the build fails.
    """

    def __init__(self, cfg: AnyConfig) -> None:
        self.cycles = 0
        """Clock cycles since reset."""
        self._bench = Bench(board_simulator(cfg))
        self._bench.bus("bus_request", "bus_response", cfg.address_width)
        self._bench.reset()

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
        answer = self._bench.request(b"".join(piece.data for pieces in cut for piece in pieces))
        status, done, low, high = (int(word) for word in answer[:4])
        self.cycles = high << 32 | low
        if status != Status.OK:
            raise ToolError(f"the simulated board failed: {Status(status).name.lower()} after {done} accesses")
        if progress is not None:
            progress(done, done)
        ends = np.cumsum([sum(piece.reply_words for piece in pieces) for pieces in cut])
        return np.split(answer[4:], ends[:-1]) if cut else []

    def close(self) -> None:
        """End the simulation."""
        self._bench.close()
