"""Batches in Verilator: the streams of cores are moved by C++ (``hdl/streams.cpp``), which is told through ctypes.

The simulator's executable exports the functions; the structures below mirror those in C++.
"""

import ctypes
from collections.abc import Callable, Mapping
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_uint8, c_uint32, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models import MacroModel
from mho.macro_models.integer.random import use_words
from mho.sim.core.batch import Mode, Outcome, Work
from mho.sim.kinds import macros_of_kinds, pin_body
from mho.sim.macros import SimulatedMacro
from mho.sim.pins import PinBody, Pins
from mho.sim.programming.job import WriteJob, WriteOutcome
from mho.sim.programming.shim import CellShim
from mho.sim.rows import KeptConversion, RowBody, RowQuestion, StrobedRows


def _places(listed: str) -> dict[str, tuple[int, int]]:
    """(offset, width) of each name of ``NAME:WIDTH,...``."""
    places: dict[str, tuple[int, int]] = {}
    offset = 0
    for word in filter(None, listed.split(",")):
        name, width = word.split(":")
        places[name] = offset, int(width)
        offset += int(width)
    return places


class PackedPins(Pins):
    """Pins side by side in the memory that C++ has; ``call`` calls a function of the macro."""

    def __init__(self, call: Callable[..., Any], size: int) -> None:
        driven, answers, constants = call("layout").decode().split(";")
        self.driven, self._answers = _places(driven), _places(answers)
        pairs = (word.split("=") for word in constants.split(",") if word)
        self._constants = {name: int(value) for name, value in pairs}
        self._pins, self._answer = ((c_uint8 * size).from_address(call(name)) for name in ("driven", "answer"))
        self._packed = 0

    def __getitem__(self, name: str) -> int:
        if name in self._constants:
            return self._constants[name]
        offset, width = self.driven[name]
        packed = int.from_bytes(self._pins[offset // 8 : (offset + width + 7) // 8], "little")
        return packed >> offset % 8 & (1 << width) - 1

    def has(self, name: str) -> bool:
        """See :meth:`mho.sim.pins.Pins.has`."""
        return name in self.driven

    def width(self, name: str) -> int:
        """See :meth:`mho.sim.pins.Pins.width`."""
        return (self.driven.get(name) or self._answers[name])[1]

    def answer(self, values: Mapping[str, int]) -> None:
        """Drive pins of the macro."""
        for name, value in values.items():
            offset, width = self._answers[name]
            self._packed = self._packed & ~((1 << width) - 1 << offset) | value << offset
        if values:
            self._answer[:] = self._packed.to_bytes(len(self._answer), "little")


class PinMacro(SimulatedMacro):
    """A macro whose body is generated: its model is asked at each strobe, or of rows once for conversions alike."""

    prefix = "pins"

    def __init__(self, library: Any, index: int) -> None:
        super().__init__(library, index)
        self._pins = PackedPins(self.call, library.mho_pins_bytes())
        self._body: PinBody | None = None
        self._rows: RowBody | None = None
        self._kept: list[KeptConversion] = []

    @classmethod
    def declare(cls, library: Any) -> None:
        """Say what other functions of the library give."""
        library.mho_pins_question.restype = POINTER(RowQuestion)
        library.mho_pins_layout.restype = c_char_p
        library.mho_pins_driven.restype = library.mho_pins_answer.restype = c_void_p

    def put_model(self, model: MacroModel) -> None:
        """Put this model behind the pins from the next batch on."""
        if self._body is None:
            self._body = pin_body(model)
        else:
            self._body.put_model(model)

    def start(self, mode: int, *, keep_charges: bool = False, pauses: int | None = None) -> None:
        """Forget what was, before a batch."""
        super().start(mode, keep_charges=keep_charges, pauses=pauses)
        if self._body is not None:
            self._body.begin(keep_charges=keep_charges)
        self._rows = self._body if isinstance(self._body, RowBody) and mode == Mode.LAZY else None
        if self._rows is not None:
            self.call("rows", byref(StrobedRows.of(self._rows.steps(self._pins), self._pins.driven)))

    def evaluate(self) -> int:
        """Answer what is at the pins, or say what conversions are made of."""
        assert self._body is not None
        if self._rows is not None:
            question = self.call("question").contents
            if question.known < 0:
                self._rows.change(self._pins)
                return 0
            on = np.frombuffer(question.wl, dtype=np.bool_)[: self._rows.steps(self._pins).rows]
            del self._kept[question.known :]
            self._kept.append(KeptConversion(self._rows.conversion(on, question.step_code)))
            question.conversion = self._kept[-1].record
            return 0
        self._pins.answer(self._body.strobe(self._pins))
        return 0

    def finish(self, result: Any, conversions: int) -> None:
        """Take what the batch left."""
        if self._body is not None:
            self._body.finish(result, conversions)
        result.failure = self.failure


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
    """The macro of the simulation and the streams of its core.

    The RTL of one core stands for any number of cores: a batch says what is behind its pins.

    Parameters
    ----------
    dut
        The top, ``hdl/core_tb.sv``, which owns clock and reset, once the initial blocks have run.
    """

    def __init__(self, dut: Any) -> None:
        from cocotb.triggers import ValueChange  # macros alone need no cocotb

        self._wake, self._library = ValueChange(dut.wake), shim_library()
        self._library.mho_streams_pauses.restype = c_void_p
        self._library.mho_program_cells.restype = c_int64
        # None: a user's own model is behind the pins, and nothing is known of it here.
        (self._macro,) = simulated_macros(self._library) or [None]
        self._cells = CellShim(self._library)

    async def run(self, work: Work) -> None:
        """Run a batch to its end, with its model behind the pins meanwhile."""
        self.start(work)
        await self._wake
        self.finish(work)

    def start(self, work: Work) -> None:
        """Begin a batch; its arrays and those of its result must live until it has ended."""
        batch, result = work.batch, work.result
        macro = self._macro
        if macro is not None:
            if work.model is not None:
                macro.put_model(work.model)
            pauses = self._library.mho_streams_pauses()
            macro.start(batch.mode, keep_charges=batch.keep_charges, pauses=pauses)
        record = _Batch(
            ops=batch.ops.ctypes.data, masks=batch.masks.ctypes.data, inputs=batch.inputs.ctypes.data,
            outputs=result.outputs.ctypes.data, counters=result.counters.ctypes.data,
            op_count=len(batch.ops), mask_count=len(batch.masks), input_count=len(batch.inputs),
            output_count=len(result.outputs), done_count=len(result.counters), patience=batch.patience,
            seed=batch.seed & 0xFFFFFFFF, gap=batch.gap, stall=batch.stall, hold=batch.hold,
        )
        self._library.mho_streams_start(byref(record))
        if batch.write is not None and result.write is not None:
            self._start_write(macro, batch.write, result.write)

    def _start_write(self, macro: SimulatedMacro | None, job: WriteJob, outcome: WriteOutcome) -> None:
        if macro is not None:
            self._cells.lend(macro.path, job.array, job.pins, job.widths)
        record = _Program(
            targets=job.targets.ctypes.data, cells=outcome.cells.ctypes.data, map=outcome.map.ctypes.data,
            counters=outcome.counters.ctypes.data, parameters=job.parameters.ctypes.data,
            target_count=len(job.targets), cell_count=len(outcome.cells), map_count=len(outcome.map),
            start_after=job.start_after, stop_after=job.stop_after,
        )
        self._library.mho_program_start(byref(record))

    def finish(self, work: Work) -> None:
        """Read how a batch ended."""
        batch, result = work.batch, work.result
        macro = self._macro
        result.outcome = Outcome(self._library.mho_streams_outcome())
        result.error = bool(self._library.mho_streams_error())
        self._library.mho_streams_progress(c_void_p(result.progress.ctypes.data))
        sentence = ""
        if macro is not None:
            macro.finish(result, batch.operations * batch.segments)
        if batch.write is not None and result.write is not None:
            if macro is not None:
                result.write.pulses, sentence = self._cells.take_back(macro.path)
            result.write.cells = result.write.cells[: self._library.mho_program_cells()]
            result.write.state = batch.write.array.changes()
            result.failure = result.failure or sentence
