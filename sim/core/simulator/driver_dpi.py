"""Runs batches in Verilator: the streams are moved by C++ (``hdl/streams.cpp``), cocotb only waits for the end."""

from collections.abc import Sequence
from typing import Any

from cocotb.triggers import Timer, ValueChange

from mho.sim.core.batch import Work
from mho.sim.core.simulator.shim import Shim

__all__ = ["DpiDriver"]


class DpiDriver:
    """The cores behind ``hdl/core_tb.sv``, which owns clock and reset."""

    def __init__(self, wake: Any, shim: Shim) -> None:
        self._wake = ValueChange(wake)
        self._shim = shim

    @classmethod
    async def create(cls, dut: Any, scopes: Sequence[str]) -> "DpiDriver":
        """Find the signal that ends batches, and the shim, once the initial blocks have run."""
        await Timer(1, "step")
        return cls(dut.wake, Shim(scopes))

    async def run(self, work: Sequence[Work]) -> None:
        """Run batches of different cores to their end, with their models behind the pins meanwhile."""
        for batch in work:
            self._shim.start(batch)
        await self._wake
        for batch in work:
            self._shim.finish(batch)
