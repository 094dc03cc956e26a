"""Masters of the buses of a chip or core: bus models of cocotbext, for use inside a simulator."""

from collections.abc import Iterator
from typing import Any, Protocol

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
from cocotbext.wishbone.driver import WBOp, WishboneMaster

__all__ = ["PERIOD_NS", "AxiLiteHost", "Master", "WishboneHost", "started"]

PERIOD_NS = 10
"""Of the clock."""


class Master(Protocol):
    """Reads and writes words."""

    async def write(self, address: int, value: int, strobe: int = 15) -> bool:
        """Write some bytes of a word; whether that was answered with an error."""
        ...

    async def read(self, address: int) -> tuple[int, bool]:
        """Read a word: it, and whether the answer was an error."""
        ...


class WishboneHost:
    """Wishbone master of cocotbext-wishbone: classic cycles, one after the other.

    Parameters
    ----------
    dut
        A top with the ports ``wb_*`` and ``clk``.
    """

    def __init__(self, dut: Any) -> None:
        names = {name: f"{name}_{way}" for name, way in {
            "cyc": "i", "stb": "i", "we": "i", "sel": "i", "adr": "i", "ack": "o", "err": "o",
        }.items()}
        signals = names | {"datwr": "dat_i", "datrd": "dat_o"}
        self.master: Any = WishboneMaster(dut, "wb", dut.clk, width=32, timeout=2000, signals_dict=signals)

    async def write(self, address: int, value: int, strobe: int = 15) -> bool:
        """As in :class:`Master`."""
        (result,) = await self.master.send_cycle([WBOp(adr=address, dat=value, sel=strobe)])
        return result.ack == 2

    async def read(self, address: int) -> tuple[int, bool]:
        """As in :class:`Master`."""
        (result,) = await self.master.send_cycle([WBOp(adr=address)])
        return int(result.datrd), result.ack == 2


class AxiLiteHost:
    """AXI4-Lite master of cocotbext-axi, which pauses at random on all channels.

    Parameters
    ----------
    dut
        A top with the ports ``s_axil_*``, ``clk`` and ``rst``.
    """

    def __init__(self, dut: Any) -> None:
        self.master: Any = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        pauses = np.random.default_rng(5)

        def pause() -> Iterator[bool]:
            while True:
                yield bool(pauses.integers(2))

        write, read = self.master.write_if, self.master.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
            channel.set_pause_generator(pause())

    async def write(self, address: int, value: int, strobe: int = 15) -> bool:
        """As in :class:`Master`; the bytes are neighbours."""
        lanes = [k for k in range(4) if strobe >> k & 1]
        data = value.to_bytes(4, "little")[lanes[0] : lanes[-1] + 1]
        answer = await self.master.write(address + lanes[0], data)
        return bool(answer.resp != AxiResp.OKAY)

    async def read(self, address: int) -> tuple[int, bool]:
        """As in :class:`Master`."""
        answer = await self.master.read(address, 4)
        return int.from_bytes(answer.data, "little"), bool(answer.resp != AxiResp.OKAY)


async def started(dut: Any, wrap: str) -> Master:
    """Start the clock of a chip or core, reset it, and give the master of its bus: ``axil`` or ``wishbone``."""
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    if wrap == "wishbone":
        # The bus model writes at once, which Icarus does not pass on where nothing has been written before.
        for name in ("cyc", "stb", "we", "sel", "adr", "dat"):
            getattr(dut, f"wb_{name}_i").value = 0
    if hasattr(dut, "programming_enable"):
        dut.programming_enable.value = 0
    dut.rst.value = 1
    await Timer(5 * PERIOD_NS, "ns")
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    return WishboneHost(dut) if wrap == "wishbone" else AxiLiteHost(dut)
