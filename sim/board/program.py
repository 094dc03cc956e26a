"""Write-verify on a board whose emulator takes over at the pins: the core programs the emulated cells.

The cells are records in the emulator (:meth:`mho.macro_models.cells.pulses.PulseArray.records`), which answer to pulses
as the array does, bit by bit. They relax between passes, which is the host's work: passes are run one by one, with the
records read after each and loaded before the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mho.hw.board.config import CORE_BASE, BoardConfig, load_base
from mho.hw.board.load_port import load_offset
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.reference import PULSE, cycles
from mho.hw.emulator.config import EXTRA
from mho.hw.emulator.pulses.records import CONSTANTS, LOG, LOG_LEVEL, logged_pulses, records_from, table_words
from mho.hw.host.core.write_map import CODE_BITS, FIFO_DEPTH, RESULT_PULSES, RESULT_VALID, WORD_FLAG
from mho.hw.host.link.tasks import Poll, Read, Task, Write
from mho.hw.host.registers import RegisterMap, register_word
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import InputError, ToolError
from mho.macro_models.integer.pulse import RECORD_WORDS, PulseRecord
from mho.sim.board.bus import BoardBus
from mho.sim.board.driver import once, write_runs
from mho.sim.programming.cosim import KINDS, check_engine, check_report, shortened, target_words
from mho.sim.programming.job import COUNTERS
from mho.sim.programming.write_verify import ProgramRun

_COUNTERS = COUNTERS[:6]

_PATIENCE = 20_000
"""Looks at a board that show nothing new, after which it is given up: each takes longer than a few hundred cycles."""


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """What a pass did: words of the results and of the log, the core's counters and fault map, records at the end."""

    results: NDArray[np.uint32]
    log: NDArray[np.uint32]
    counters: dict[str, int]
    map: list[int]
    records: NDArray[np.uint32]


class _Levels(NamedTuple):
    """Targets that a board can take, results and pulses that it can give."""

    room: int = FIFO_DEPTH
    waiting: int = 0
    logged: int = 0


class BoardProgrammer:
    """Programs the cells of cores on a board: a :class:`mho.sim.programming.write_verify.Programmer`.

    Raises InputError if the core on the board does not program its cells.

    Parameters
    ----------
    bus
        What gets at the board.
    progress
        Called with (words loaded, words) while tables or cells are loaded, and with (cells done, cells) in each pass.
    guard
        Calls what is idempotent: again, after :meth:`forget`, where it failed and the board can be had back.
    looks
        How often a request reads what waits, where requests take less time than a cell.
    """

    def __init__(
        self, bus: BoardBus, cfg: BoardConfig, *, progress: Callable[[int, int], None] | None = None,
        guard: Callable[[Callable[[], Any]], Any] = once, looks: int = 1,
    ) -> None:
        parts, write = cfg.emulator, cfg.blocks.write
        check_engine(cfg.chip, "on a board")
        if write is None:
            raise InputError(f"{cfg.chip.name}: programs must be true to program cells on a board")
        self.bus, self.cfg, self.progress = bus, cfg, progress
        self._write: WriteVerifyConfig = write
        self._parts, self._guard, self._looks = parts, guard, looks
        self._map = cfg.blocks.registers
        self.forget()

    def forget(self) -> None:
        """Take it that the board knows nothing: it was reset, or is another one."""
        self._ready = self._idle = False
        self._law: list[int] = []
        self._records: NDArray[np.uint32] | None = None

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells; see :class:`mho.sim.programming.write_verify.Programmer`. ``core`` is that of ``array``.

        Raises ToolError if the board failed, or what the core says of itself contradicts what was seen at its pins.
        """
        words = target_words(self._write, targets, skip, WORD_FLAG)
        widths = [int(getattr(parameters, f"{kind}_cycles")) for kind in KINDS]
        # Nothing happens at the pins during a pulse; the cells take it for one of the width that is meant.
        single = replace(shortened(parameters), passes=1)
        passes, pulses = [], []
        for number in range(parameters.passes):
            if number:
                array.relax(number)
            done = self._guard(partial(self._pass, array, words, single, array.law_words(widths)))
            passes.append(done)
            pulses.append(self._pulses(done, number, widths))
            self._check(done, pulses[-1], array)
            array.set_records(done.records)
        return self._run(array, parameters, passes, np.concatenate(pulses))

    def _run(
        self, array: PulseArray, parameters: WriteVerifyParameters, passes: list[_Pass], pulses: NDArray[np.void]
    ) -> ProgramRun:
        shape = (len(passes), *self._write.shape)
        results = np.stack([one_pass.results for one_pass in passes]).astype(np.int64).reshape(shape)
        last = passes[-1].counters
        sums = {name: sum(one_pass.counters[name] for one_pass in passes) for name in _COUNTERS[:4]}
        return ProgramRun(
            pulses=pulses, codes=results & 2**CODE_BITS - 1, faults=(results >> WORD_FLAG & 1).astype(np.bool_),
            counts=results >> RESULT_PULSES, counters={**sums, **{name: last[name] for name in _COUNTERS[4:]}},
            cycles=cycles(self._write, parameters, sums["reads"], pulses), array=array,
        )

    def _pulses(self, done: _Pass, number: int, widths: list[int]) -> NDArray[np.void]:
        """Pulses of a pass, with the widths for which they stand."""
        cell, polarity, amplitude = logged_pulses(done.log).T
        pulses, width = np.empty(len(cell), dtype=PULSE), np.array(widths)[polarity]
        row, column = np.divmod(cell, self._write.shape[1])
        values = (np.full(len(cell), number), row, column, polarity, amplitude, width)
        for name, value in zip(PULSE.names or (), values, strict=True):
            pulses[name] = value
        return pulses

    def _check(self, done: _Pass, pulses: NDArray[np.void], array: PulseArray) -> None:
        """Compare what the core and the cells say with what was seen."""
        chip, shape = self.cfg.chip, self._write.shape
        check_report(chip, done.counters, pulses, done.map, (done.results >> WORD_FLAG & 1 == 1).reshape(shape))
        counts = np.bincount(pulses["row"].astype(np.int64) * shape[1] + pulses["col"], minlength=self._write.cells)
        more = done.records - array.records()
        pairs: tuple[tuple[Any, Any], ...] = (
            (done.results >> RESULT_PULSES, counts), (done.counters["pulsed"], np.count_nonzero(counts)),
            (more[:, PulseRecord.PULSES], counts), (more[:, PulseRecord.READS].sum(), done.counters["reads"]),
        )
        if not all(np.all(said == counted) for said, counted in pairs):
            raise ToolError(f"{chip.name}: the cells must have had the pulses and reads that the core counts")

    def _pass(
        self, array: PulseArray, words: NDArray[np.uint32], parameters: WriteVerifyParameters, law: list[int]
    ) -> _Pass:
        """One pass from the state that ``array`` has, whatever was on the board before."""
        records = array.records()
        self._load(records, law)
        status = self._at("write_status")
        flags = {name: register_word(self._map, "write_status", **{name: 1}) for name in ("done", "error", "overrun")}
        start = register_word(self._map, "write_control", start=1)
        self.bus.execute([
            *(Write(CORE_BASE + at, word) for at, word in parameter_writes(self._map, parameters)),
            Write(status, sum(flags.values())), Write(self._at("write_control"), start),
        ])
        # From here on the cells on the board are not what they were.
        self._records, self._idle = None, False
        results, log = self._exchange(words, flags["error"] | flags["overrun"])
        window, row = self._map["faults"], self._at("fault_row")
        rows = [task for k in range(self._write.lines)
                for task in (Write(row, [k]), Read(CORE_BASE + window.address, window.words))]
        counters, level, *maps = self.bus.execute([
            Read(self._at(f"write_{_COUNTERS[0]}"), len(_COUNTERS)), Read(self._word(LOG_LEVEL)), *rows
        ])
        rest = self.bus.execute([Read(self._word(LOG), int(level[0]), increment=False)] if level[0] else [])
        self._read_records(records, np.flatnonzero(words >> WORD_FLAG & 1 == 0))
        return _Pass(
            results=results, log=np.concatenate([np.zeros(0, dtype=np.uint32), *log, *rest]),
            counters=dict(zip(_COUNTERS, map(int, counters), strict=True)),
            map=np.concatenate(maps[1::2]).tolist(), records=records,
        )

    def _read_records(self, records: NDArray[np.uint32], visited: NDArray[np.intp]) -> None:
        """Bring ``records`` up to date: what changes of the cells that were visited."""
        first, count = self._word(records_from(self._parts)), int(PulseRecord.THRESHOLD)
        tasks = [Read(first + 4 * RECORD_WORDS * cell, count) for cell in visited.tolist()]
        if tasks:
            records[visited, :count] = np.stack(self.bus.execute(tasks))
        self._records, self._idle = records.ravel(), True

    def _load(self, records: NDArray[np.uint32], law: list[int]) -> None:
        """Bring tables, constants and cells that the board does not have there."""
        tasks: list[Task] = []
        pending, self._records = self._records, None
        if not self._idle:
            # A run that failed, or of somebody who has gone, may still be on.
            tasks.append(Write(self._at("control"), register_word(self._map, "control", soft_reset=1)))
        if not self._ready:
            self.forget()
            pending = None
            tasks += write_runs((self._word(load.index), load.data) for load in table_words())
        pulse_law, self._law = self._law, []
        if law != pulse_law:
            tasks.append(Write(self._word(CONSTANTS), law))
        first, flat = self._word(records_from(self._parts)), records.ravel()
        changed = np.arange(len(flat)) if pending is None else np.flatnonzero(flat != pending)
        if 2 * len(changed) > len(flat):
            tasks.append(Write(first, flat))
        else:
            tasks += write_runs((first + 4 * k, int(flat[k])) for k in changed.tolist())
        self.bus.execute(tasks, progress=self.progress)
        self._ready, self._law, self._records = True, law, flat

    def _exchange(
        self, words: NDArray[np.uint32], failed: int
    ) -> tuple[NDArray[np.uint32], list[NDArray[np.uint32]]]:
        """Give all targets; take as many results, and the pulses that come meanwhile.

        Nothing is waited for: the core stands still while the log is full, or while nobody takes its results.
        """
        words_found, log = np.zeros(len(words), dtype=np.uint32), []
        sent = received = idle = 0
        levels = _Levels()
        while received < len(words):
            more = words[sent : sent + levels.room]
            results, pulses, status, levels = self._turn(more, levels)
            words_found[received : received + len(results)] = results
            log.append(pulses)
            sent, received = sent + len(more), received + len(results)
            idle = 0 if len(more) or len(results) or len(pulses) else idle + 1
            if status & failed or idle > _PATIENCE:
                raise ToolError("the board refused to program its cells")
            if self.progress is not None:
                self.progress(received, len(words))
        if not (words_found >> RESULT_VALID & 1).all():
            raise ToolError("the board must give a result for each cell")
        self.bus.execute([Poll(self._at("write_status"), register_word(self._map, "write_status", done=1))])
        return words_found, log

    def _turn(
        self, targets: NDArray[np.uint32], levels: _Levels
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], int, _Levels]:
        """Give ``targets`` and take what waited; results, log, status, and what waits by now."""
        shift = register_word(self._map, "write_levels", waiting=1).bit_length() - 1
        _, results, pulses, status, level, logged = self.bus.execute([
            Write(self._at("targets"), targets, increment=False),
            Read(self._at("results"), levels.waiting, increment=False),
            Read(self._word(LOG), levels.logged, increment=False), Read(self._at("write_status")),
            Read(self._at("write_levels"), self._looks, increment=False), Read(self._word(LOG_LEVEL)),
        ])
        last = int(level[-1])
        return results, pulses, int(status[0]), _Levels(last & 2**shift - 1, last >> shift, int(logged[0]))

    def _at(self, name: str) -> int:
        return CORE_BASE + self._map[name].address

    def _word(self, index: int) -> int:
        """Address of a word of region 3."""
        return load_base(self._parts) + load_offset(self._parts, EXTRA, index)


def parameter_writes(map: RegisterMap, parameters: WriteVerifyParameters) -> Iterator[tuple[int, int]]:
    """Addresses and words of a core's registers by which a run of write-verify has these parameters."""
    values = {name: int(value) for name, value in asdict(parameters).items()}
    for register in map.registers:
        names = [placed.field.name for placed in register.placed]
        if names and set(names) <= values.keys():
            yield register.address, register_word(map, register.name, **{name: values[name] for name in names})
