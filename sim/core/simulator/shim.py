"""The shim of the macros (``hdl/shim.cpp``, ``hdl/streams.cpp``) from inside the simulator process, through ctypes.

The simulator's executable exports the functions; the structures below mirror those in C++.
"""

import ctypes
from collections.abc import Sequence
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models import MacroModel
from mho.macro_models.kinds import pin_level_macro
from mho.macro_models.macro import PinLevelMacro
from mho.sim.core.batch import BatchResult, Outcome, Strobe, Work
from mho.sim.core.simulator.draws import draw_in_cpp
from mho.sim.kinds import Evaluator, SimulatedMacro, macros_of_kinds, make_evaluator
from mho.sim.kinds.tnsa import LINES, Conversion
from mho.sim.programming.job import WriteJob, WriteOutcome
from mho.sim.programming.shim import CellShim

__all__ = ["Macros", "Shim", "shim_library"]

_WORDS = LINES // 32
_FAILED = -1


class Pins(Structure):
    """The pins at a strobe."""

    _fields_ = [
        ("op_id", c_uint64),
        ("backward", c_int32), ("plane", c_int32), ("latch", c_int32), ("dec_scale", c_int32), ("step_code", c_int32),
        ("lines", c_int32),
        ("bl_pos", c_uint32 * _WORDS), ("bl_neg", c_uint32 * _WORDS),
        ("sl_pos", c_uint32 * _WORDS), ("sl_neg", c_uint32 * _WORDS),
        ("wl_en", c_uint32 * _WORDS), ("cmp", c_uint32 * _WORDS),
    ]


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


_EVALUATE = ctypes.CFUNCTYPE(c_int32, c_int32)
_ON_STROBE = ctypes.CFUNCTYPE(c_int32, c_int32, c_int32)


def shim_library() -> Any:
    """The functions of the macros in this process."""
    library = ctypes.CDLL(None)
    library.mho_shim_conversion.restype = POINTER(Conversion)
    library.mho_shim_pins.restype = POINTER(Pins)
    for name in ("shim_path", "shim_failure"):
        getattr(library, f"mho_{name}").restype = c_char_p
    library.mho_shim_decrements.restype = POINTER(c_int32)
    library.mho_shim_charge_count.restype = c_int64
    library.mho_shim_charges.restype = POINTER(c_int64)
    return library


class _Macro:
    """One macro of the simulation, and the model behind its pins."""

    def __init__(self, library: Any, index: int) -> None:
        self._library, self._index = library, index
        self.path: str = library.mho_shim_path(index).decode()
        self.conversion = library.mho_shim_conversion(index).contents
        self._pins = library.mho_shim_pins(index).contents
        self._model: MacroModel | None = None
        self.evaluator: Evaluator | None = None
        self._body: PinLevelMacro | None = None
        self.errors: list[BaseException] = []

    def put_model(self, model: MacroModel) -> None:
        """Put this model behind the pins from the next batch on."""
        if model.config.lines != self.conversion.lines:
            raise ValueError(f"{self.path} must get a model of {self.conversion.lines} lines, not {model.config.lines}")
        if model is not self._model:
            self._model = model
            self.evaluator = make_evaluator(model, self.conversion)
            self._body = pin_level_macro(model)

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch; ``pauses`` is the address of the pauses of its bench."""
        self.errors.clear()
        if self.evaluator is not None:
            self.evaluator.forget()
        self._library.mho_shim_start(self._index, int(mode), int(keep_charges), c_void_p(pauses))

    @property
    def failure(self) -> str:
        """What went wrong in the batch, nothing if all is well."""
        failure = self._library.mho_shim_failure(self._index)
        said = failure.decode() if failure else ""
        return f"{said}: {self.errors[0]!r}" if self.errors else said

    def finish(self, result: BatchResult) -> None:
        """Take what the batch left."""
        library, index = self._library, self._index
        count = library.mho_shim_conversions(index)
        if count:
            result.decrements = _copied(library.mho_shim_decrements(index), count).astype(np.int64)
        charges = library.mho_shim_charge_count(index)
        if charges:
            result.charges = _copied(library.mho_shim_charges(index), charges).reshape(-1, self.conversion.lines)
        result.failure = self.failure

    def strobe(self, strobe: Strobe) -> None:
        """Answer a strobe at pin level."""
        body, pins = self._body, self._pins
        assert body is not None
        if strobe is Strobe.PRECHARGE:
            body.precharge()
        elif strobe is Strobe.SAMPLE:
            positive, negative = (pins.sl_pos, pins.sl_neg) if pins.backward else (pins.bl_pos, pins.bl_neg)
            wl = self._bits(pins.wl_en)
            body.sample(bool(pins.backward), self._bits(positive), self._bits(negative), wl)
        elif strobe is Strobe.COMPARE:
            packed = np.packbits(body.compare(bool(pins.latch), pins.op_id), bitorder="little")
            np.frombuffer(pins.cmp, dtype=np.uint8)[: len(packed)] = packed
        else:
            body.decrement(pins.dec_scale, pins.step_code)

    def _bits(self, words: Any) -> NDArray[np.bool_]:
        packed = np.frombuffer(words, dtype=np.uint8)
        return np.unpackbits(packed, count=self._pins.lines, bitorder="little").astype(np.bool_)


def _copied(log: Any, count: int) -> NDArray[Any]:
    return np.ctypeslib.as_array(log, shape=(count,)).copy()


class Macros:
    """All macros of the simulation, each of which has introduced itself with its path."""

    def __init__(self, library: Any) -> None:
        self._own = [_Macro(library, index) for index in range(library.mho_shim_macros())]
        self.all: list[SimulatedMacro] = [*self._own, *macros_of_kinds(library)]
        draw_in_cpp(library)
        # ctypes keeps no reference to a callback.
        self._callbacks = _EVALUATE(self._evaluate), _ON_STROBE(self._on_strobe)
        library.mho_shim_set_evaluate(self._callbacks[0])
        library.mho_shim_set_strobe(self._callbacks[1])

    def _evaluate(self, index: int) -> int:
        macro = self._own[index]
        try:
            return macro.evaluator(macro.conversion)  # type: ignore[misc]
        except BaseException as error:  # a callback from C++ has nobody to raise to
            macro.errors.append(error)
            return _FAILED

    def _on_strobe(self, index: int, strobe: int) -> int:
        macro = self._own[index]
        try:
            macro.strobe(Strobe(strobe))
        except BaseException as error:
            macro.errors.append(error)
            return _FAILED
        return 0


class Shim:
    """The macros of the simulation and the streams of its cores.

    Each shell of a core and each macro has introduced itself with its path; a macro belongs to the shell above it.
    One core of RTL stands for any number of cores: a batch says what is behind its pins.

    Parameters
    ----------
    scopes
        Paths of the shells, in the order of their numbers.
    """

    def __init__(self, scopes: Sequence[str]) -> None:
        library = self._library = shim_library()
        self._macros = Macros(library)
        library.mho_streams_path.restype = c_char_p
        library.mho_streams_pauses.restype = c_void_p
        library.mho_program_cells.restype = c_int64
        benches = [library.mho_streams_path(index).decode() for index in range(library.mho_streams_benches())]
        # None: a user's own model is behind the pins, and nothing is known of it here.
        self._cores: list[tuple[int, SimulatedMacro | None]] = []
        for scope in scopes:
            (bench,) = (index for index, path in enumerate(benches) if f".{path}".endswith(f".{scope}"))
            found = [macro for macro in self._macros.all if f".{scope}." in f".{macro.path}"]
            (macro,) = found or [None]
            self._cores.append((bench, macro))
        self._cells = CellShim(library)

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
            macro.finish(result)
        if batch.write is not None and result.write is not None:
            if macro is not None:
                result.write.pulses, sentence = self._cells.take_back(macro.path)
            result.write.cells = result.write.cells[: self._library.mho_program_cells(bench)]
            result.write.state = batch.write.array.changes()
            result.failure = result.failure or sentence
