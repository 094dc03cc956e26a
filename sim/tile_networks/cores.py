"""The cores of a chip of tiles in co-simulation, one by one and without programs: what the host has them do."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.host.link.tasks import Task
from mho.hw.noc.config import MeshConfig
from mho.macro_models import MacroModel
from mho.macro_models.errors import ToolError
from mho.sim.core.commands import Operated
from mho.sim.core.kinds import simulated
from mho.sim.tile_networks.host import MeshJob, MeshResult, Outcome
from mho.sim.tile_networks.process import MeshSimulation
from mho.sim.tile_networks.tile_core import TileCore

__all__ = ["COMMAND_PATIENCE", "MeshCores"]

COMMAND_PATIENCE = 8_000_000
"""Cycles without an answer other than of what is waited for: a calibration of 256 lines takes 430,000."""
_REPORT = 1 << 20


class MeshCores:
    """All cores of a chip, as a :class:`mho.sim.core.commands.CommandedCore`; the chip is reset before each use.

    Parameters
    ----------
    simulation
        The running simulator.
    chip
        The chip.
    """

    def __init__(self, simulation: MeshSimulation, chip: Chip) -> None:
        self._simulation, self._chip = simulation, chip
        self._mesh = MeshConfig.from_chip(chip)
        self._result: MeshResult | None = None
        self.cfg: Any = TileCore(self, chip, 0).cfg

    @property
    def settings(self) -> Any:
        """What memories of settings hold after reset."""
        return simulated(self._chip).image(self.cfg).file

    def put_model(self, core: int, model: MacroModel) -> None:
        """Have this model behind the pins of a tile's core."""
        self._simulation.put_core(core, model)

    def operate(
        self, descriptors: Sequence[int], inputs: Sequence[Sequence[int]], settings: Sequence[tuple[int, int]], *,
        core: int = 0, **options: int,
    ) -> Operated:
        """See :class:`mho.sim.core.commands.CommandedCore`; a host makes no pauses.

        Raises
        ------
        ToolError
            If the tile refuses an operation, or the simulator fails.
        """
        words = TileCore(self, self._chip, core).operate(descriptors, inputs, settings).words
        assert self._result is not None
        return Operated(words=words, cells=self._result.cells[core])

    def execute(self, tasks: Iterable[Task]) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order, behind a reset; all words that they read."""
        job = MeshJob.from_tasks(tasks, self._mesh, patience=COMMAND_PATIENCE, report=_REPORT)
        result = self._result = self._simulation.run_mesh(job, lambda *_: None)
        if result.outcome is not Outcome.COMPLETE or result.progress["errors"]:
            raise ToolError("the register bus of the simulated chip gave an error or no answer")
        return [result.answers]
