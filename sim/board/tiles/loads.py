"""What a board with tiles is loaded with beside programs: cells, tables, noise."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from mho.compiler.network.tiles import TileCode
from mho.compiler.program import Call, Program
from mho.hw.board import TilesConfig, load_offset
from mho.hw.emulator import CoreLoads, LoadWord
from mho.hw.emulator.layout import CELLS
from mho.hw.host.link.tasks import Task
from mho.hw.noc.registers.packet import host_address
from mho.macro_models import MacroModel, Masks
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.board.driver import write_runs
from mho.sim.tile_networks.plan import tile_node

__all__ = ["board_loads", "one_for_each_table", "operations_of"]


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

    Raises
    ------
    InputError
        If a core needs more tables than its emulator holds.
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
