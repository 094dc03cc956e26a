"""Simulations whose bus is accessed without a serial line in between; the Verilog of a board in Verilator."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.board.top import AnyConfig, inside
from mho.hw.host.link.format import Status
from mho.hw.host.link.tasks import Task
from mho.macro_models.errors import ToolError
from mho.sim.build.bench import Bench, cached_bench
from mho.sim.build.verilate import hardware_hash, verilog_text

_MOST = 255  # words of one command


class BoardBus(Protocol):
    """What gets at the words of a board: a simulation, or the link to a real one."""

    def execute(
        self, tasks: Iterable[Task], *, progress: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order; the words that each of them read."""
        ...


def board_simulator(cfg: AnyConfig) -> Path:
    """Folder of the simulator of a board behind its bus, from the cache or built now."""
    return cached_bench(
        "board", [repr(cfg), hardware_hash()],
        lambda: verilog_text(inside(cfg), "board"), top="mho_board"
    )


class SimulatedBus:
    """A running simulation behind a register bus, as a :class:`BoardBus`.

    Parameters
    ----------
    folder
        Of the bench.
    address_width
        Bits of a byte address.
    name
        What is simulated, in sentences.
    inputs
        Ports that have a value from the reset on.

    Attributes
    ----------
    cycles
        Clock cycles since reset.
    """

    def __init__(self, folder: Path, address_width: int, name: str, inputs: Mapping[str, int] = {}) -> None:
        self.cycles, self._name = 0, name
        self._bench = Bench(folder)
        self._bench.bus("bus_request", "bus_response", address_width)
        for port in inputs.keys() & self._bench.ports.keys():
            self._bench.set(port, inputs[port])
        self._bench.reset()

    def request(self, data: bytes) -> tuple[int, int, NDArray[np.uint32]]:
        """Commands of the host link: their status, how many accesses were done, and the words that they read."""
        answer = self._bench.request(data)
        status, done, low, high = answer[:4].tolist()
        self.cycles = high << 32 | low
        return status, done, answer[4:]

    def execute(
        self, tasks: Iterable[Task], *, progress: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order; the words that each of them read.

        Raises ToolError if an access failed, or the simulation ended.
        """
        cut = [list(task.pieces(lambda: _MOST)) for task in tasks]
        status, done, words = self.request(b"".join(piece.data for pieces in cut for piece in pieces))
        if status != Status.OK:
            raise ToolError(f"the simulated {self._name} failed: {Status(status).name.lower()} after {done} accesses")
        if progress is not None:
            progress(done, done)
        ends = np.cumsum([sum(piece.reply_words for piece in pieces) for pieces in cut])
        return np.split(words, ends[:-1]) if cut else []

    def close(self) -> None:
        """End the simulation."""
        self._bench.close()


class BusSimulation(SimulatedBus):
    """A running simulation of a board."""

    def __init__(self, cfg: AnyConfig) -> None:
        super().__init__(board_simulator(cfg), cfg.address_width, "board")
