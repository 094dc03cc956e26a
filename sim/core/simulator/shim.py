"""Batches in Verilator: the streams of cores are moved by C++ (``hdl/streams.cpp``), which is told through ctypes.

The simulator's executable exports the functions; the structures below mirror those in C++.
"""

import ctypes
from collections.abc import Sequence
from ctypes import Structure, byref, c_char_p, c_int32, c_int64, c_uint32, c_void_p
from typing import Any

import numpy as np
from cocotb.triggers import ValueChange
from numpy.typing import NDArray

from mho.macro_models.integer.random import use_words
from mho.sim.core.batch import Outcome, Work
from mho.sim.core.simulator.pin_macros import PinMacro
from mho.sim.kinds import macros_of_kinds
from mho.sim.macros import SimulatedMacro
from mho.sim.programming.job import WriteJob, WriteOutcome
from mho.sim.programming.shim import CellShim


def draw_in_cpp(library: Any) -> bool:
    """Have :mod:`mho.macro_models.integer.random` draw by a library; whether it can."""
    philox = getattr(library, "mho_philox", None)
    if philox is None:
        return False
    philox.argtypes = [c_uint32, c_uint32, c_int64, c_void_p, c_int64, c_uint32, c_void_p]
    philox.restype = None

    def words(key: tuple[int, int], op_ids: NDArray[np.uint64], blocks: int, step: int) -> NDArray[np.uint32]:
        drawn = np.empty(4 * blocks * len(op_ids), np.uint32)
        philox(*key, len(op_ids), op_ids.ctypes.data, blocks, step, drawn.ctypes.data)
        return drawn

    use_words(words)
    return True


class _Batch(Structure):
    _fields_ = [
        ("ops", c_void_p), ("masks", c_void_p), ("inputs", c_void_p), ("outputs", c_void_p), ("counters", c_void_p),
        ("op_count", c_int64), ("mask_count", c_int64), ("input_count", c_int64), ("output_count", c_int64),
        ("done_count", c_int64), ("patience", c_int64),
        ("seed", c_uint32), ("gap", c_int32), ("stall", c_int32), ("hold", c_int32),
    ]


class _Program(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("targets", "cells", "map", "counters", "parameters")),
        *((name, c_int64) for name in ("target_count", "cell_count", "map_count", "start_after", "stop_after")),
    ]


def shim_library() -> Any:
    """The functions of the simulator in this process, which draws noise by those that it has."""
    library = ctypes.CDLL(None)
    draw_in_cpp(library)
    return library


def simulated_macros(library: Any) -> list[SimulatedMacro]:
    """All macros of the simulation, each of which has introduced itself with its path."""
    return [*macros_of_kinds(library), *PinMacro.all_of(library)]


class Shim:
    """The macros of the simulation and the streams of its cores.

    Each shell of a core and each macro has introduced itself with its path; a macro belongs to the shell above it.
    One core of RTL stands for any number of cores: a batch says what is behind its pins.

    Parameters
    ----------
    dut
        The top, ``hdl/core_tb.sv``, which owns clock and reset, once the initial blocks have run.
    scopes
        Paths of the shells, in the order of their numbers.
    """

    def __init__(self, dut: Any, scopes: Sequence[str]) -> None:
        self._wake, library = ValueChange(dut.wake), shim_library()
        self._library = library
        macros = simulated_macros(library)
        library.mho_streams_path.restype = c_char_p
        library.mho_streams_pauses.restype = c_void_p
        library.mho_program_cells.restype = c_int64
        benches = [library.mho_streams_path(index).decode() for index in range(library.mho_streams_benches())]
        # None: a user's own model is behind the pins, and nothing is known of it here.
        self._cores: list[tuple[int, SimulatedMacro | None]] = []
        for scope in scopes:
            (bench,) = (index for index, path in enumerate(benches) if f".{path}".endswith(f".{scope}"))
            (macro,) = [macro for macro in macros if f".{scope}." in f".{macro.path}"] or [None]
            self._cores.append((bench, macro))
        self._cells = CellShim(library)

    async def run(self, work: Sequence[Work]) -> None:
        """Run batches of different cores to their end, with their models behind the pins meanwhile."""
        for batch in work:
            self.start(batch)
        await self._wake
        for batch in work:
            self.finish(batch)

    def start(self, work: Work) -> None:
        """Begin a batch; its arrays and those of its result must live until it has ended."""
        batch, result = work.batch, work.result
        bench, macro = self._cores[batch.instance]
        if macro is not None:
            if work.model is not None:
                macro.put_model(work.model)
            pauses = self._library.mho_streams_pauses(bench)
            macro.start(batch.mode, keep_charges=batch.keep_charges, pauses=pauses)
        record = _Batch(
            ops=batch.ops.ctypes.data, masks=batch.masks.ctypes.data, inputs=batch.inputs.ctypes.data,
            outputs=result.outputs.ctypes.data, counters=result.counters.ctypes.data,
            op_count=len(batch.ops), mask_count=len(batch.masks), input_count=len(batch.inputs),
            output_count=len(result.outputs), done_count=len(result.counters), patience=batch.patience,
            seed=batch.seed & 0xFFFFFFFF, gap=batch.gap, stall=batch.stall, hold=batch.hold,
        )
        self._library.mho_streams_start(bench, byref(record))
        if batch.write is not None and result.write is not None:
            self._start_write(bench, macro, batch.write, result.write)

    def _start_write(self, bench: int, macro: SimulatedMacro | None, job: WriteJob, outcome: WriteOutcome) -> None:
        if macro is not None:
            self._cells.lend(macro.path, job.array, job.pins, job.widths)
        record = _Program(
            targets=job.targets.ctypes.data, cells=outcome.cells.ctypes.data, map=outcome.map.ctypes.data,
            counters=outcome.counters.ctypes.data, parameters=job.parameters.ctypes.data,
            target_count=len(job.targets), cell_count=len(outcome.cells), map_count=len(outcome.map),
            start_after=job.start_after, stop_after=job.stop_after,
        )
        self._library.mho_program_start(bench, byref(record))

    def finish(self, work: Work) -> None:
        """Read how a batch ended."""
        batch, result = work.batch, work.result
        bench, macro = self._cores[batch.instance]
        result.outcome = Outcome(self._library.mho_streams_outcome(bench))
        result.error = bool(self._library.mho_streams_error(bench))
        self._library.mho_streams_progress(bench, c_void_p(result.progress.ctypes.data))
        sentence = ""
        if macro is not None:
            macro.finish(result, batch.operations * batch.segments)
        if batch.write is not None and result.write is not None:
            if macro is not None:
                result.write.pulses, sentence = self._cells.take_back(macro.path)
            result.write.cells = result.write.cells[: self._library.mho_program_cells(bench)]
            result.write.state = batch.write.array.changes()
            result.failure = result.failure or sentence
