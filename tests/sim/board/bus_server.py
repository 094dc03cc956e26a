"""The cocotb test of :mod:`tests.sim.board.over_bus`: a network through a chip's bus. Runs inside the simulator."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.task import bridge, resume
from cocotb.utils import get_sim_time
from numpy.typing import NDArray

from mho.compiler.network import Network
from mho.hw.board.tiles import TilesConfig
from mho.hw.config import Chip
from mho.hw.host.link.tasks import Read, Task, Write
from mho.macro_models.errors import MhoError, ToolError
from mho.sim.board.tiles.backend import BoardTilesBackend
from mho.sim.board.tiles.host import TilesHost
from mho.sim.executor import execute
from tests.sim.board.over_bus import emulated_chip
from tests.sim.chip.masters import PERIOD_NS, Master, started

_PATIENCE = 20_000


class _MasterBus:
    """A :class:`mho.sim.board.bus.BoardBus`: one word after the other by a master."""

    def __init__(self, master: Master) -> None:
        self.master = master
        self._do = resume(self._access)

    def execute(
        self, tasks: Iterable[Task], *, progress: Callable[[int, int], None] | None = None
    ) -> list[NDArray[np.uint32]]:
        del progress
        return [np.array(self._do(task), np.uint32) for task in tasks]

    async def _access(self, task: Task) -> list[int]:
        if isinstance(task, Write):
            words = np.atleast_1d(np.asarray(task.words)).tolist()
            for k, word in enumerate(words):
                at = task.address + 4 * k * task.increment
                self._check(await self.master.write(at, int(word) & 0xFFFFFFFF, task.strobe), at)
            return []
        if not isinstance(task, Read):
            raise TypeError(f"no access of a bus: {task}")
        answers = []
        for k in range(task.count):
            at = task.address + 4 * k * task.increment
            word, error = await self.master.read(at)
            self._check(error, at)
            answers.append(word)
        return answers

    def _check(self, error: bool, address: int) -> None:
        if error:
            raise ToolError(f"the bus answers {address:#x} with an error")


class _BusBackend(BoardTilesBackend):
    """The chip of a network behind a bus."""

    name = "bus"

    def __init__(self, bus: _MasterBus, cfg: TilesConfig) -> None:
        super().__init__()
        self._bus, self._its = bus, cfg

    def _connect(self, chip: Chip, *, noise: bool) -> TilesConfig:
        del chip, noise
        return self._its

    def _host(self, cfg: TilesConfig) -> TilesHost:
        return TilesHost(self._bus, cfg.parts, looks=1, patience=_PATIENCE)

    def close(self) -> None:
        """Nothing: the simulator ends with the test."""


@cocotb.test()
async def a_network_through_the_bus(dut: Any) -> None:
    """Programs, cells and images in, results out."""
    job = json.loads(Path(os.environ["MHO_JOB"]).read_text("utf-8"))
    bus = _MasterBus(await started(dut, job["wrap"]))
    network, result = Network.load(job["network"]), dict[str, object]()
    try:
        backend = _BusBackend(bus, emulated_chip(network))
        outputs = await bridge(execute)(network, backend, np.load(job["x"]), device="ideal", seed=job["seed"])
        np.save(job["output"], next(iter(outputs.by_name.values())))
    except MhoError as error:
        result["wrong"] = str(error)
    result["cycles"] = int(get_sim_time("ns")) // PERIOD_NS
    Path(job["result"]).write_text(json.dumps(result), encoding="utf-8")
