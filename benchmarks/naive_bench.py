"""The bench that one would write first: cocotb owns the clock and looks at every pin in every cycle.

A cocotb test for ``benchmarks/cosim.py``, which gives it the work by files in its folder and reads its time.
"""

import json
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from numpy.typing import NDArray

from mho.macro_models.tnsa.model import TnsaModel


class LeanMacro:
    """An ideal macro at its pins, forward, with all word lines on: what one would write for such a bench, in numpy."""

    def __init__(self, model: TnsaModel, step_code: int) -> None:
        self.key = model.key(False, np.ones(model.config.lines, dtype=np.bool_))
        self.step = model.steps(self.key, step_code).pos.astype(np.float32)
        self.matrix = 2.0 * self.key.lines.matrix
        self.charge = np.zeros(model.config.lines, dtype=np.float32)
        self.taken = self.step

    def precharge(self) -> None:
        """Discharge the integrators."""
        self.charge = self.key.offset.astype(np.float32)

    def sample(self, positive: bytes, negative: bytes) -> None:
        """One sample; the line registers as bits, lowest byte first."""
        self.charge += (_bits(positive) - _bits(negative)) @ self.matrix

    def compare(self, latch: bool) -> int:
        """Lines whose charge is negative, as bits."""
        negative = self.charge < 0
        if latch:
            self.taken = np.where(negative, -self.step, self.step)
        return int.from_bytes(np.packbits(negative, bitorder="little").tobytes(), "little")

    def decrement(self) -> None:
        """One step."""
        self.charge -= self.taken


def _bits(packed: bytes) -> NDArray[np.float32]:
    return np.unpackbits(np.frombuffer(packed, dtype=np.uint8), bitorder="little").astype(np.float32)


class Feeder:
    """Gives the words of one stream, one a transfer."""

    def __init__(self, dut: Any, name: str, words: list[int]) -> None:
        self.valid, self.ready, self.payload = (
            getattr(dut, f"{name}_{part}") for part in ("valid", "ready", "payload")
        )
        self.words = words
        self.sent = -1
        self.taken = True

    def cycle(self) -> None:
        """In the middle of a cycle: the next word if the last is taken at the coming edge."""
        if self.taken:
            self.sent += 1
            more = self.sent < len(self.words)
            self.valid.value = int(more)
            if more:
                self.payload.value = self.words[self.sent]
        self.taken = self.sent < len(self.words) and self.ready.value == 1


def answer(macro: Any, body: LeanMacro) -> None:
    """What the macro does in this cycle."""
    if macro.precharge.value == 1:
        body.precharge()
    if macro.sample.value == 1:
        body.sample(*(pin.value.to_bytes(byteorder="little") for pin in (macro.bl_pos, macro.bl_neg)))
    if macro.decrement.value == 1:
        body.decrement()
    if macro.compare.value == 1:
        macro.cmp.value = body.compare(macro.latch.value == 1)


@cocotb.test()
async def naive(dut: Any) -> None:
    """Run the operations in ``work.json`` on the cells in ``cells.npy`` and leave ``result.json``."""
    work = json.loads(Path("work.json").read_text())
    model = TnsaModel.from_state({**work["state"], "cells": np.load("cells.npy", allow_pickle=False)})
    body = LeanMacro(model, work["step_code"])
    macro, outputs = dut.macro.macro, []
    for name in ("soft_reset", "op_valid", "i_valid", "mask_valid", "o_ready"):
        getattr(dut, name).value = 0
    if work["trim"] is not None:
        dut.trim.value = work["trim"]
    macro.hold.value = 0
    dut.rst.value = 1
    Clock(dut.clk, 10, "ns").start()
    for _ in range(4):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    dut.o_ready.value = 1
    streams = [Feeder(dut, "op", work["ops"]), Feeder(dut, "i", work["inputs"])]
    start = time.process_time()
    while len(outputs) < work["outputs"]:
        await FallingEdge(dut.clk)
        for stream in streams:
            stream.cycle()
        answer(macro, body)
        if dut.o_valid.value == 1:
            outputs.append(int(dut.o_payload.value))
    seconds = time.process_time() - start
    Path("result.json").write_text(json.dumps({"outputs": outputs, "cpu_s": seconds}))
