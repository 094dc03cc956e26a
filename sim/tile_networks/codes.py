"""The cores of tiles in co-simulation: what the host has them do without programs, and output codes that were seen."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import Call, Mvm, Program
from mho.compiler.types import Lanes
from mho.hw.chip.map import ChipParts, tile_name
from mho.hw.config import Chip
from mho.hw.host.core.map import check_ended, operation_tasks
from mho.hw.host.link.tasks import Task, Write
from mho.hw.noc.config import MeshConfig
from mho.macro_models import MacroModel
from mho.macro_models.errors import ToolError
from mho.sim.core.commands import Operated
from mho.sim.core.kinds import simulated
from mho.sim.tile_networks.host import MeshJob, MeshResult, Outcome
from mho.sim.tile_networks.process import MeshSimulation


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


COMMAND_PATIENCE = 8_000_000
"""Cycles without an answer other than of what is waited for: a calibration of 256 lines takes 430,000."""
_REPORT = 1 << 20


class MeshCores:
    """All cores of a chip, as a :class:`mho.sim.core.commands.CommandedCore`; the chip is reset before each use."""

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

        Raises ToolError if the tile refuses an operation, or the simulator fails.
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


_PER_WORD = 2


class SeenCodes:
    """The codes of all products of a run.

    Raises ToolError if a core gave other words than its operations have.

    Parameters
    ----------
    program
        What ran.
    first, images
        Number of the first image, and how many there were.
    ops, words
        Of each core the numbers of its operations, in their order, and the words of results that it gave.
    """

    def __init__(
        self, program: Program, first: int, images: int, ops: Sequence[NDArray[np.uint64]],
        words: Sequence[NDArray[np.uint32]],
    ) -> None:
        self._first, self._images = first, images
        self._found: dict[int, Lanes] = {}
        for core, numbers in enumerate(ops):
            if len(numbers):
                self._add(program, core, numbers, words[core])

    def _add(
        self, program: Program, core: int, numbers: NDArray[np.uint64], words: NDArray[np.uint32]
    ) -> None:
        operation = (numbers & np.uint64(0xFFFFFFFF)).astype(np.int64)
        image = (numbers >> np.uint64(32)).astype(np.int64) - self._first
        bounds = np.zeros((len(numbers), 2), np.int64)
        products = []
        for mvm, per_position, positions in _products(program, core):
            place, left = np.divmod(operation - mvm.operation, per_position)
            product_rows = np.flatnonzero((left == 0) & (place >= 0) & (place < positions))
            bounds[product_rows] = mvm.columns.min() // _PER_WORD, mvm.columns.max() // _PER_WORD + 1
            products.append((mvm, positions, product_rows, image[product_rows] * positions + place[product_rows]))
        widths = bounds[:, 1] - bounds[:, 0]
        if len(words) == len(numbers) * (len(words) // len(numbers)) and len(words) != widths.sum():
            # The core gives all of its words, whatever its operation names.
            widths = np.full(len(numbers), len(words) // len(numbers))
            bounds[:, 0] = 0
        ends = np.cumsum(widths)
        if not len(ends) or ends[-1] != len(words):
            raise ToolError(f"core {core} gave {len(words)} words of results for {len(numbers)} operations")
        codes = words.astype("<u4").view("<i2")
        for mvm, positions, product_rows, rows in products:
            stored = self._found.setdefault(
                mvm.operation, np.zeros((self._images * positions, len(mvm.columns)), np.int16))
            starts = _PER_WORD * (ends[product_rows] - widths[product_rows] - bounds[product_rows, 0])
            inside = rows < len(stored)
            stored[rows[inside]] = codes[starts[inside, None] + mvm.columns[None]]

    def of(self, call: Call, mvm: Mvm, images: NDArray[np.integer]) -> Lanes:
        """Codes of a call's product of the images with some numbers, (images * positions of the call, columns)."""
        stored = self._found[mvm.operation]
        places = images.astype(np.int64) - self._first
        return stored.reshape(self._images, -1, stored.shape[1])[places, call.positions].reshape(-1, stored.shape[1])


def _products(program: Program, core: int) -> Iterator[tuple[Mvm, int, int]]:
    """Products of a core: their distance in numbers from position to position, and their positions."""
    for stage in program.stages:
        call = stage.operation
        if isinstance(call, Call):
            layer = program.layers[call.layer]
            for mvm in layer.mvms:
                if mvm.core == core:
                    yield mvm, layer.conversions, layer.positions
