"""Runs batches in a simulator without DPI: memories of ``hdl/core_tb.v``, and Python at every strobe of the macro."""

from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.triggers import Timer, ValueChange

from mho.macro_models.errors import ToolError
from mho.sim.build.simulators import SHELL_DEPTH
from mho.sim.core.batch import Batch, BatchResult, Mode, Outcome, Work
from mho.sim.core.pin_level import StrobedMacro, make_strobed

__all__ = ["VpiDriver"]


class VpiDriver:
    """The core behind ``hdl/core_tb.v``."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self._start = 0

    @classmethod
    async def create(cls, dut: Any, scopes: Sequence[str]) -> "VpiDriver":
        """Wait for the initial blocks."""
        await Timer(1, "step")
        return cls(dut)

    async def run(self, work: Sequence[Work]) -> None:
        """Run a batch to its end; the macro is always at pin level here, or answers with 0 in :attr:`Mode.CONST`."""
        (one,) = work
        dut, batch, result, model = self._dut, one.batch, one.result, one.model
        if batch.write is not None:
            raise ToolError("cells are programmed in a simulator with DPI only")
        self._load(batch)
        # Where the user's own model is behind the pins there is none of ours.
        macro = None if model is None else make_strobed(model, dut.pins, keep_charges=batch.keep_charges)
        task = None if macro is None else cocotb.start_soon(self._answer(macro, batch.mode, result))
        self._start ^= 1
        dut.start.value = self._start
        await ValueChange(dut.wake)
        # The outcome is assigned together with `wake`; it is read when both have settled.
        await Timer(1, "step")
        if task is not None:
            task.cancel()
        self._read(result)
        if macro is not None:
            macro.finish(result)

    def _load(self, batch: Batch) -> None:
        dut = self._dut
        sizes = (len(batch.ops), 2 * len(batch.masks), len(batch.inputs), batch.outputs)
        if max(sizes) > SHELL_DEPTH:
            raise ToolError(f"a stream of a batch must have at most {SHELL_DEPTH} words here, not {max(sizes)}")
        for index, words in enumerate(batch.ops):
            dut.ops[index].value = int.from_bytes(words.astype("<u4").tobytes(), "little")
        for memory, words in ((dut.masks, batch.masks.reshape(-1)), (dut.inputs, batch.inputs)):
            for index, word in enumerate(words.tolist()):
                memory[index].value = word
        for name, value in (
            ("op_count", len(batch.ops)), ("mask_count", len(batch.masks)), ("input_count", len(batch.inputs)),
            ("output_count", batch.outputs), ("done_count", batch.operations), ("patience", batch.patience),
            ("gap", batch.gap), ("stall", batch.stall), ("freeze", batch.hold),
        ):
            getattr(dut, name).value = value

    def _read(self, result: BatchResult) -> None:
        dut = self._dut
        result.outcome = Outcome(dut.outcome.value.to_unsigned())
        result.error = bool(dut.error_seen.value)
        offered = ((dut.mask_next, dut.mask_valid), (dut.op_next, dut.op_valid), (dut.input_next, dut.i_valid))
        taken = [count.value.to_unsigned() - (valid.value == 1) for count, valid in offered]
        came = min(dut.output_next.value.to_unsigned(), len(result.outputs))
        result.progress[:] = [*taken, came, dut.done_next.value.to_unsigned()]
        result.outputs[:came] = [dut.outputs[k].value.to_unsigned() for k in range(came)]
        if result.outcome is Outcome.COMPLETE:
            for k in range(len(result.counters)):
                packed = dut.counters[k].value.to_unsigned()
                result.counters[k] = [packed >> 48 * n & (2**48 - 1) for n in range(3)]

    async def _answer(self, macro: StrobedMacro, mode: Mode, result: BatchResult) -> None:
        """Be the macro: wait for strobes and answer them; never returns."""
        strobed = ValueChange(self._dut.strobed)
        while True:
            await strobed
            try:
                macro.strobe(answer=mode is not Mode.CONST)
            except ToolError as error:
                result.failure = result.failure or str(error)
