"""Runs batches in a simulator without DPI: memories of ``hdl/core_tb.v``, and Python at every strobe of the macro."""

from collections.abc import Sequence
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer, ValueChange
from numpy.typing import NDArray

from macro_models import MacroModel
from macro_models.errors import ToolError
from macro_models.kinds import eager_macro
from macro_models.macro import EagerMacro
from sim.build.simulators import SHELL_DEPTH
from sim.core.batch import Batch, BatchResult, Mode, Outcome, Strobe, Work

__all__ = ["VpiDriver"]


class VpiDriver:
    """The core behind ``hdl/core_tb.v``."""

    def __init__(self, dut: Any, lines: int) -> None:
        self._dut = dut
        self._lines = lines
        self._start = 0

    @classmethod
    async def create(cls, dut: Any, scopes: Sequence[str]) -> "VpiDriver":
        """Wait for the initial blocks."""
        await Timer(1, "step")
        return cls(dut, len(dut.answer))

    async def run(self, work: Sequence[Work]) -> None:
        """Run a batch to its end; the macro is always eager here, or answers with 0 in :attr:`Mode.CONST`."""
        (one,) = work
        dut, batch, result, model = self._dut, one.batch, one.result, one.model
        if batch.write is not None:
            raise ToolError("cells are programmed in a simulator with DPI only")
        self._load(batch)
        charges: list[NDArray[np.int64]] | None = [] if batch.keep_charges else None
        macro = cocotb.start_soon(self._answer(batch.mode, model, result, charges))
        self._start ^= 1
        dut.start.value = self._start
        await ValueChange(dut.wake)
        # The outcome is assigned together with `wake`; it is read when both have settled.
        await Timer(1, "step")
        macro.cancel()
        self._read(result)
        if charges:
            result.charges = np.array(charges)

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

    async def _answer(
        self, mode: Mode, model: MacroModel | None, result: BatchResult, charges: list[NDArray[np.int64]] | None
    ) -> None:
        """Be the macro: wait for strobes and answer them; never returns."""
        body = eager_macro(model) if model is not None else None
        decrements: list[int] = []
        strobed = ValueChange(self._dut.strobed)
        if mode is Mode.CONST:
            self._dut.answer.value = 0
        while True:
            await strobed
            strobe = Strobe(self._dut.pin_strobe.value.to_unsigned())
            if strobe is Strobe.PRECHARGE:
                decrements.append(0)
            elif strobe is Strobe.DECREMENT:
                decrements[-1] += 1
            result.decrements = np.array(decrements, dtype=np.int64)
            if body is None or mode is Mode.CONST:
                continue
            try:
                self._strobe(body, strobe)
                if charges is not None and strobe is Strobe.COMPARE and len(charges) < len(decrements):
                    charges.append(body.charge)
            except ToolError as error:
                result.failure = result.failure or str(error)

    def _strobe(self, body: EagerMacro, strobe: Strobe) -> None:
        dut = self._dut
        if strobe is Strobe.PRECHARGE:
            body.precharge()
        elif strobe is Strobe.SAMPLE:
            positive, negative = self._bits(dut.pin_positive), self._bits(dut.pin_negative)
            body.sample(bool(dut.pin_backward.value), positive, negative, self._bits(dut.pin_wl_en))
        elif strobe is Strobe.COMPARE:
            negative = body.compare(bool(dut.pin_latch.value), dut.pin_op_id.value.to_unsigned())
            dut.answer.value = int.from_bytes(np.packbits(negative, bitorder="little").tobytes(), "little")
        else:
            body.decrement(dut.pin_dec_scale.value.to_unsigned(), dut.pin_step_code.value.to_unsigned())

    def _bits(self, pin: Any) -> NDArray[np.bool_]:
        value = pin.value.to_unsigned().to_bytes(self._lines // 8, "little")
        return np.unpackbits(np.frombuffer(value, dtype=np.uint8), bitorder="little").astype(np.bool_)
