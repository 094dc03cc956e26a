"""A chip behind a bus, driven by bus models of others. Runs inside the simulator (see test_chip_bus.py)."""

import json
import os
from collections.abc import Sequence

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer

from hw.chip import ChipParts
from hw.config import load_chip
from sim.chip.programs import writes
from sim.chip.traffic import Expected, Traffic
from tests.hw.host.bench_core import AxiLiteHost, WishboneHost

PARTS = ChipParts.from_chip(load_chip("tnsa16-core", json.loads(os.environ["MHO_CHIP"])))
ACCESSES = int(os.environ["MHO_ACCESSES"])


async def _answer(host, one: Expected) -> tuple[bool, int]:
    if one.data is None:
        word, error = await host.read(one.address)
        return error, word
    return await host.write(one.address, one.data, one.strobe), 0


async def _demand(host, accesses: Sequence[Expected]) -> None:
    for one in accesses:
        error, word = await _answer(host, one)
        assert not one.check(error, word), one.check(error, word)


@cocotb.test()
async def random_accesses_beside_programs(dut) -> None:
    """None lost, reordered or doubled; illegal addresses answer with an error."""
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    wishbone = os.environ["MHO_WRAP"] == "wishbone"
    if wishbone:
        # The bus model writes at once, which Icarus does not pass on where nothing has been written before.
        for name in ("cyc", "stb", "we", "sel", "adr", "dat"):
            getattr(dut, f"wb_{name}_i").value = 0
    dut.programming_enable.value = 0
    dut.rst.value = 1
    await Timer(50, "ns")
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    host = WishboneHost(dut) if wishbone else AxiLiteHost(dut)
    await _demand(host, [Expected(address, word, 15, False, None) for address, word in writes(PARTS)])
    traffic = Traffic(PARTS, seed=3)
    for _ in range(ACCESSES):
        await _demand(host, [traffic.draw()])
    await _demand(host, list(traffic.last()))
