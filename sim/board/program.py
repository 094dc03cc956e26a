"""Write-verify on a board whose emulator takes over at the pins: the core programs the emulated cells."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw.board import CORE_BASE, LOAD_BASE, BoardConfig
from hw.core.write_verify import WriteVerifyParameters
from hw.host.link_tasks import Poll, Read, Task, Write
from hw.host.write_map import FIFO_DEPTH, RESULT_PULSES, RESULT_VALID, WORD_FLAG
from hw.macro.emulator import LoadWord, PinEmulatorConfig, PulseTable, cell_loads, pulse_loads
from hw.macro.emulator.layout import index_width
from macro_models.errors import InputError, ToolError
from sim.board.bus import BoardBus
from sim.board.driver import register_word, write_runs

__all__ = ["ProgrammedCells", "program_board"]


class ProgrammedCells(NamedTuple):
    """How each cell ended in each pass: last verify code, whether it was given up, pulses; (passes, lines, lines)."""

    codes: NDArray[np.int64]
    faults: NDArray[np.bool_]
    counts: NDArray[np.int64]


def program_board(
    bus: BoardBus, cfg: BoardConfig, parameters: WriteVerifyParameters, targets: NDArray[np.integer],
    *, table: PulseTable | None = None, cells: NDArray[np.integer] | None = None, skip: NDArray[np.bool_] | None = None,
) -> ProgrammedCells:  # fmt: skip
    """Have the core on a board program its cells.

    The numpy reference is :func:`hw.core.write_verify.program` with :class:`hw.macro.emulator.EmulatedCells`.

    Parameters
    ----------
    targets
        Verify codes ``[bit line, source line]``, of shape (lines, lines).
    table, cells
        Answer to pulses, and codes of the cells to begin with; None: those that the board has.
    skip
        Cells that are left alone.

    Raises
    ------
    InputError
        If the core on the board does not program its cells.
    ToolError
        If the board refuses, or fails.
    """
    parts = cfg.emulator
    if cfg.write is None or not isinstance(parts, PinEmulatorConfig):
        raise InputError(f"{cfg.chip.name}: level must be pin and programming.engine true to program by pulses")
    loads = [*([] if cells is None else cell_loads(parts, cells)), *([] if table is None else pulse_loads(table))]
    status = CORE_BASE + cfg.core_map["write_status"].address
    flags = {name: register_word(cfg.core_map, "write_status", **{name: 1}) for name in ("done", "error", "overrun")}
    bus.execute([
        *_loads(parts, loads), *_parameters(cfg, parameters), Write(status, sum(flags.values())),
        Write(CORE_BASE + cfg.core_map["write_control"].address, register_word(cfg.core_map, "write_control", start=1)),
    ])  # fmt: skip
    skipped = np.zeros(targets.shape, dtype=np.int64) if skip is None else skip.astype(np.int64)
    words = np.tile((targets | skipped << WORD_FLAG).ravel(), parameters.passes)
    results = _exchange(bus, cfg, words)
    ended = int(bus.execute([Poll(status, flags["done"] | flags["error"])])[0][0])
    if ended & (flags["error"] | flags["overrun"]) or not (results >> RESULT_VALID & 1).all():
        raise ToolError("the board refused to program its cells")
    shaped = results.reshape(parameters.passes, *targets.shape)
    return ProgrammedCells(
        shaped & 2**WORD_FLAG - 1, (shaped >> WORD_FLAG & 1).astype(np.bool_), shaped >> RESULT_PULSES
    )


def _exchange(bus: BoardBus, cfg: BoardConfig, words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give all targets and take as many results."""
    at = {name: CORE_BASE + cfg.core_map[name].address for name in ("targets", "results", "write_levels")}
    waiting = register_word(cfg.core_map, "write_levels", waiting=2 * FIFO_DEPTH - 1)
    low = (waiting & -waiting).bit_length() - 1
    given, taken = min(FIFO_DEPTH, len(words)), 0
    bus.execute([Write(at["targets"], words[:given])])
    results = np.zeros(len(words), dtype=np.int64)
    while taken < len(words):
        count = int(bus.execute([Poll(at["write_levels"], waiting)])[0][0]) >> low & 2 * FIFO_DEPTH - 1
        more = words[given : given + count]
        tasks: list[Task] = [Read(at["results"], count)]
        found = bus.execute([*tasks, Write(at["targets"], more)] if len(more) else tasks)[0]
        results[taken : taken + count] = found
        given, taken = given + len(more), taken + count
    return results


def _parameters(cfg: BoardConfig, parameters: WriteVerifyParameters) -> list[Task]:
    values = {name: int(value) for name, value in asdict(parameters).items()}
    tasks: list[Task] = []
    for register in cfg.core_map.registers:
        names = [placed.field.name for placed in register.placed]
        if names and set(names) <= values.keys():
            word = register_word(cfg.core_map, register.name, **{name: values[name] for name in names})
            tasks.append(Write(CORE_BASE + register.address, word))
    return tasks


def _loads(parts: PinEmulatorConfig, loads: Sequence[LoadWord]) -> list[Task]:
    width = index_width(parts)
    return write_runs((LOAD_BASE + 4 * (load.region << width | load.index), load.data) for load in loads)
