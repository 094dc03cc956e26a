"""The backend fpga-sim of a network on tiles: the Verilog of a board with all of the chip, its cores emulated."""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mho.compiler.network.tiles import TileCode
from mho.compiler.program import Call, Program
from mho.compiler.tile.graph.host import HostRun, Split
from mho.hw.board.load_port import load_offset
from mho.hw.board.tiles import TilesConfig
from mho.hw.config import Chip
from mho.hw.emulator.config import CELLS, LoadWord
from mho.hw.emulator.kind import CoreLoads
from mho.hw.emulator.kinds import emulator_of
from mho.hw.host.link.tasks import Task
from mho.hw.noc.registers.packet import host_address
from mho.macro_models import MacroModel, Masks
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.backend import Account, Backend, Progress, opened
from mho.sim.board.backend import SimulatedBoards
from mho.sim.board.driver import write_runs
from mho.sim.board.tiles.host import WATCHDOG, TilesHost
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.plan import Plan, from_first_turn, make_plan, tile_node
from mho.sim.tile_networks.process import Answer, host_answers

if TYPE_CHECKING:
    from mho.compiler.network import Network


def one_for_each_table(operations: Iterable[MvmOperation]) -> list[MvmOperation]:
    """The first operation for each table that they need: direction, word lines and step code."""
    tables: dict[tuple[object, int, int], MvmOperation] = {}
    for op in operations:
        tables.setdefault((op.direction, op.wl_select, op.step_code), op)
    return list(tables.values())


def operations_of(program: Program, core: int) -> list[MvmOperation]:
    """Operations of a core, one for each table that it needs."""
    calls = (stage.operation for stage in program.stages if isinstance(stage.operation, Call))
    return one_for_each_table(mvm.op for call in calls for mvm in program.layers[call.layer].mvms if mvm.core == core)


def _core_loads(
    cfg: TilesConfig, model: MacroModel, masks: Masks, operations: Sequence[MvmOperation], core: int
) -> list[LoadWord]:
    emulator = cfg.emulator
    if len(operations) > emulator.slots:
        raise InputError(
            f"core {core} must need at most {emulator.slots} tables of the emulator, one for each step code and set of "
            f"word lines, not {len(operations)}"
        )
    loads = CoreLoads(cfg.kind, emulator, model)
    cells = [LoadWord(CELLS, index, word) for index, word in enumerate(loads.cells().tolist())]
    return [*loads.first(), *cells, *(word for op in operations for word in loads.before(op, masks))]


def board_loads(
    cfg: TilesConfig, code: TileCode, operations: Callable[[int], Sequence[MvmOperation]],
    models: Sequence[MacroModel], masks: Sequence[Masks],
) -> Mapping[int, list[Task]]:
    """Accesses before the programs start, by node: what the emulators hold.

    Raises InputError if a core needs more tables than its emulator holds.
    """
    mesh, emulator, base = cfg.parts.mesh, cfg.emulator, cfg.load_base
    tasks: dict[int, list[Task]] = {}
    for tile in code.programs:
        node = tile_node(mesh, tile)
        if node < len(models):
            loads = _core_loads(cfg, models[node], masks[node], operations(node), node)
            tasks[node] = write_runs(
                (host_address(mesh, node, base + load_offset(emulator, load.region, load.index)), load.data)
                for load in loads)
    return tasks


PARTS = ("core", "noc", "tile", "emulator")
"""Parts of the hardware that a simulated board has; it is built once for all that else differs."""

_LANES, _SLOTS = 16, 16
_LOOKS = 64
_PATIENCE = 5_000
"""Requests to the simulation, of some 400 cycles each."""

_T = TypeVar("_T")


class BoardTilesBackend(Backend):
    """Runs the programs of a network's tiles on a board, of which only the host's values are seen.

    A run is a function of what is sent: tiles are reset, programs, cells and tables loaded, images sent, results taken.
    Each last value must be what follows from the models of the cores; codes, and cycles of all products one after the
    other, are those of the models, since a board shows neither.
    """

    def __init__(self) -> None:
        self._models = FunctionalBackend()
        self._cores: list[MacroModel] = []
        self._code: TileCode | None = None
        self._cfg: TilesConfig | None = None

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Refuse: a run needs the programs of a network.

        Raises InputError always.
        """
        raise InputError(f"{chip.name}: a board with tiles runs the programs of a network and nothing else")

    def open_network(self, network: "Network", cores: Sequence[MacroModel]) -> None:
        """Take a network and its programmed cores.

        Raises InputError if the network has no programs, or the cores draw noise that the emulator does not have.
        Raises ToolError if there is no board, or it was built from another chip description.
        """
        if network.tiles is None:
            raise InputError(f"{network.chip.name}: a network must hold programs of tiles to run on them")
        self.open_code(network.chip, network.tiles, cores)
        self._models.open_network(network, cores)

    def open_code(self, chip: Chip, code: TileCode, cores: Sequence[MacroModel]) -> None:
        """Take programs, whoever wrote them, and programmed cores; raises as :meth:`open_network`."""
        kind = emulator_of(chip)
        cfg = self._connect(chip, noise=any(map(kind.draws, cores)))
        for model in cores:
            kind.check(cfg.emulator, model)
        self._code, self._cores, self._cfg = code, list(cores), cfg

    @abstractmethod
    def _connect(self, chip: Chip, *, noise: bool) -> TilesConfig:
        """Find a board for ``chip``, one with ``noise`` where that can be chosen; what it is."""

    @abstractmethod
    def _host(self, cfg: TilesConfig) -> TilesHost:
        """What gets at it."""

    def _guard(self, action: Callable[[], _T]) -> _T:
        """What ``action`` gives, which may be begun anew."""
        return action()

    def _tell(self, done: int, images: int) -> None:
        """Hear of images that are done."""

    _loading: Progress | None = None

    def run(
        self, program: Program, masks: Sequence[Masks], lanes: NDArray[np.int16], images: NDArray[np.integer],
        account: Account,
    ) -> NDArray[np.int16]:
        """Run the programs on a batch of images; see :class:`mho.sim.backend.Backend`.

        Raises ToolError if a tile traps, the board stands still, or results are not those of the models of the cores.
        """
        split = Split.of(program, opened(self._code))
        first_run, numbers, more = from_first_turn(program, lanes, images)
        host = HostRun(split, first_run)
        results = self.run_code(
            masks, {0: first_run} | host.begin(), int(numbers[0]), lambda node: operations_of(program, node),
            awaited=split.awaited, answer=lambda plan: host_answers(plan, HostRun(split, first_run)))
        last = host.finish(results)[more:]
        expected = self._models.run(program, masks, lanes, images, account)
        if not np.array_equal(last, expected):
            wrong = int((last != expected).any(axis=1).sum())
            raise ToolError(f"{wrong} of {len(lanes)} results of the board are not those of the models of its cores")
        return last

    def run_code(
        self, masks: Sequence[Masks], entries: Mapping[int, NDArray[np.int16]], first: int,
        operations: Callable[[int], Sequence[MvmOperation]], *, awaited: Collection[int] = (),
        answer: Callable[[Plan], Answer] = lambda plan: lambda answers: {},
    ) -> dict[int, NDArray[np.int16]]:
        """Run the programs on images: all values that the host gets, by their numbers, each (images, elements).

        Raises ToolError if a tile traps or the board stands still.

        Parameters
        ----------
        masks, entries, first, awaited
            As of :func:`mho.sim.tile_networks.plan.make_plan`.
        operations
            What the core of a node is asked for.
        answer
            Makes what the host makes on the way.
        """
        code, cfg, images = opened(self._code), opened(self._cfg), len(next(iter(entries.values())))
        loads = board_loads(cfg, code, operations, self._cores, masks)
        plan = make_plan(
            code, cfg.parts, masks, entries, first, commands=loads, awaited=awaited, watchdog=WATCHDOG)
        outcome = self._guard(lambda: self._host(cfg).run(
            plan, code, lambda done: self._tell(done, images), self._loading, answer(plan)))
        return {sink.value: sink.lanes(payloads) for sink, payloads in zip(plan.sinks, outcome, strict=True)}


class TilesFpgaSimBackend(SimulatedBoards, BoardTilesBackend):
    """A simulated board in a process that is kept until :meth:`close`.

    The board is that of the network's own chip, whatever board might hold it. It has shift registers for read noise
    where a core needs one.

    Parameters
    ----------
    lanes
        Cells of each core that meet their input in one cycle.
    progress
        Called with images done and all that there are.
    """

    def __init__(self, *, lanes: int = _LANES, progress: Progress | None = None) -> None:
        super().__init__()
        self._lanes, self._progress = lanes, progress

    def _connect(self, chip: Chip, *, noise: bool) -> TilesConfig:
        return TilesConfig(
            chip=chip.hardware(*PARTS), lanes=min(self._lanes, chip.lines), slots=_SLOTS, noise=noise)

    def _host(self, cfg: TilesConfig) -> TilesHost:
        # Built behind the checks of what is to run on it: it takes minutes.
        return TilesHost(self._board(cfg, cfg.board_base), cfg.parts, looks=_LOOKS, patience=_PATIENCE)

    def _tell(self, done: int, images: int) -> None:
        if self._progress is not None:
            self._progress(done, images)

    def close(self) -> None:
        """End the simulation."""
        super().close()
        self._code = self._cfg = None
