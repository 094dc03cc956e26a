"""Runs batches in Verilator: the streams are moved by C++ (``hdl/streams.cpp``), cocotb only waits for the end."""

from typing import Any

from cocotb.triggers import Timer, ValueChange

from macro_models import MacroModel
from sim.core.batch import Batch, BatchResult
from sim.core.shim import Shim

__all__ = ["DpiDriver"]


class DpiDriver:
    """The core behind ``hdl/core_tb.sv``; it owns clock and reset."""

    def __init__(self, wake: Any, shim: Shim) -> None:
        self._wake = ValueChange(wake)
        self._shim = shim

    @classmethod
    async def create(cls, dut: Any, lines: int) -> "DpiDriver":
        """Find the signal that ends a batch, and the shim, once the initial blocks have run."""
        await Timer(1, "step")
        return cls(dut.wake, Shim(lines))

    async def run(self, batch: Batch, result: BatchResult, model: MacroModel | None) -> None:
        """Run a batch to its end; ``model`` is behind the pins meanwhile."""
        if model is not None:
            self._shim.put_model(model)
        self._shim.start(batch, result)
        await self._wake
        self._shim.finish(batch, result)
