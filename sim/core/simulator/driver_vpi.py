"""Runs batches in a simulator without DPI: memories of ``hdl/core_tb.v``, and Python at every strobe of the macro."""

from typing import Any

import cocotb
from cocotb.triggers import Timer, ValueChange

from mho.macro_models import MacroModel
from mho.macro_models.errors import ToolError
from mho.sim.build.simulators import SHELL_DEPTH
from mho.sim.core.batch import Batch, BatchResult, Mode, Outcome, Work
from mho.sim.kinds import pin_body
from mho.sim.pins import HandlePins, PinBody


class VpiDriver:
    """The core behind ``hdl/core_tb.v``, once the initial blocks have run."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut
        self._start = 0
        self._body: PinBody | None = None

    async def run(self, work: Work) -> None:
        """Run a batch to its end; the macro is always at pin level here, or answers with 0 in :attr:`Mode.CONST`."""
        dut, batch, result, model = self._dut, work.batch, work.result, work.model
        if batch.write is not None:
            raise ToolError("cells are programmed in a simulator with DPI only")
        self._load(batch)
        # Where the user's own model is behind the pins there is none of ours.
        body = None if model is None else self._behind_pins(model, keep_charges=batch.keep_charges)
        task = None
        if body is not None and batch.mode is not Mode.CONST:
            task = cocotb.start_soon(self._answer(body, result))
        self._start ^= 1
        dut.start.value = self._start
        await ValueChange(dut.wake)
        # The outcome is assigned together with `wake`; it is read when both have settled.
        await Timer(1, "step")
        if task is not None:
            task.cancel()
        self._read(result)
        if body is not None:
            body.finish(result, batch.operations * batch.segments)

    def _behind_pins(self, model: MacroModel, *, keep_charges: bool) -> PinBody:
        if self._body is None:
            self._body = pin_body(model)
        else:
            self._body.put_model(model)
        self._body.begin(keep_charges=keep_charges)
        return self._body

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
        sent = [count.value.to_unsigned() - (valid.value == 1) for count, valid in offered]
        received = min(dut.output_next.value.to_unsigned(), len(result.outputs))
        result.progress[:] = [*sent, received, dut.done_next.value.to_unsigned()]
        result.outputs[:received] = [dut.outputs[k].value.to_unsigned() for k in range(received)]
        if result.outcome is Outcome.COMPLETE:
            for k in range(len(result.counters)):
                packed = dut.counters[k].value.to_unsigned()
                result.counters[k] = [packed >> 48 * n & (2**48 - 1) for n in range(3)]

    async def _answer(self, body: PinBody, result: BatchResult) -> None:
        """Be the macro: wait for strobes and answer them; never returns."""
        strobed, pins = ValueChange(self._dut.strobed), HandlePins(self._dut.pins)
        while True:
            await strobed
            try:
                pins.answer(body.strobe(pins))
            except ToolError as error:
                result.failure = result.failure or str(error)
