"""The core of a tile, asked for operations over the chip's register bus."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.chip.map import ChipParts, tile_name
from mho.hw.config import Chip
from mho.hw.host.core.map import check_ended, operation_tasks
from mho.hw.host.link.tasks import Task, Write
from mho.macro_models.errors import ToolError
from mho.sim.core.commands import Operated
from mho.sim.core.kinds import simulated


class TaskBus(Protocol):
    """What gets at the words of a chip."""

    def execute(self, tasks: Iterable[Task]) -> list[NDArray[np.uint32]]:
        """Execute accesses in their order; the words that each of them read."""
        ...


class CoreTasks:
    """Operations of a core whose tile runs no program, as accesses to the chip's registers.

    Parameters
    ----------
    chip
        The chip, whose cores take operations from the host.
    """

    def __init__(self, chip: Chip, node: int) -> None:
        parts = ChipParts.from_chip(chip)
        self.cfg: Any = parts.core.cfg
        self._map, self._name = parts.registers, tile_name(parts.mesh, node)
        self._base = parts.address_map[f"{self._name}_core"].base

    def tasks(
        self, descriptors: Sequence[int], inputs: Sequence[Sequence[int]], settings: Sequence[tuple[int, int]]
    ) -> list[Task]:
        """Writes of settings, then the operations."""
        masks, count = self._base + self._map["masks"].address, self.cfg.output_words
        tasks: list[Task] = [Write(masks + 4 * first, words) for first, words in _runs(settings)]
        for descriptor, words in zip(descriptors, inputs, strict=True):
            tasks += operation_tasks(self._map, self._base, descriptor, words, count)
        return tasks

    def results(self, answers: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Results, (operations, words), from all words that these accesses read.

        Raises ToolError if the tile has refused an operation.
        """
        operations = answers.reshape(-1, 1 + self.cfg.output_words)
        for number, status in enumerate(operations[:, 0].tolist()):
            if wrong := check_ended(self._map, status):
                raise ToolError(f"the core of {self._name} {wrong} (operation {number}, status {status:#x})")
        return operations[:, 1:]


class TileCore(CoreTasks):
    """A core whose tile runs no program, as a :class:`mho.sim.core.commands.CommandedCore`.

    Parameters
    ----------
    chip
        The chip, whose cores take operations from the host.
    """

    def __init__(self, bus: TaskBus, chip: Chip, node: int) -> None:
        super().__init__(chip, node)
        self._bus = bus
        self.settings: Any = simulated(chip).image(self.cfg).file

    def put_model(self, core: int, model: Any) -> None:
        """Nothing: what is behind the pins is there."""

    def operate(
        self, descriptors: Sequence[int], inputs: Sequence[Sequence[int]], settings: Sequence[tuple[int, int]],
        **options: int,
    ) -> Operated:
        """See :class:`mho.sim.core.commands.CommandedCore`; a host makes no pauses.

        Raises ToolError if the tile refuses an operation.
        """
        answers = self._bus.execute(self.tasks(descriptors, inputs, settings))
        return Operated(words=self.results(np.concatenate(answers)))


def _runs(settings: Sequence[tuple[int, int]]) -> list[tuple[int, list[int]]]:
    """Writes to addresses that follow each other in one."""
    ends = [k + 1 for k, (before, after) in enumerate(pairwise(settings)) if after[0] != before[0] + 1]
    bounds = pairwise([0, *ends, len(settings)]) if settings else ()
    return [(settings[first][0], [word for _, word in settings[first:end]]) for first, end in bounds]
