"""A core behind a bus, driven by bus models of others. Runs inside the simulator (see test_bus.py)."""

import os
from collections.abc import Sequence

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge, Timer

from mho.hw.core.layout import OpLayout
from mho.hw.host.registers import Register
from mho.hw.kinds.tnsa.registers import tnsa_map
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.integer.tnsa.converter import convert
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from mho.rtl_gen.kinds.tnsa import cell
from tests.sim.chip.masters import AxiLiteHost, WishboneHost

LINES = 16
MAP = tnsa_map(LINES, manual=True, pulses=True)
PERIOD_NS = 10
CELLS = np.array([[cell(bl, sl) for sl in range(LINES)] for bl in range(LINES)])


def macro(dut):
    """The macro, by its pins."""
    return dut.core.macro.adapter.macro


class Host:
    """What a driver does: registers by name, operations, windows."""

    def __init__(self, dut) -> None:
        self.dut = dut

    async def reset(self) -> None:
        wishbone = os.environ["MHO_WRAP"] == "wishbone"
        if wishbone:
            # The bus model writes at once, which Icarus does not pass on where nothing has been written before.
            for name in ("cyc", "stb", "we", "sel", "adr", "dat"):
                getattr(self.dut, f"wb_{name}_i").value = 0
            await Timer(1, "ns")
        self.bus = WishboneHost(self.dut) if wishbone else AxiLiteHost(self.dut)
        cocotb.start_soon(Clock(self.dut.clk, PERIOD_NS, unit="ns").start())
        self.dut.programming_enable.value = 0
        self.dut.test_mode.value = 0
        self.dut.rst.value = 1
        await Timer(5 * PERIOD_NS, "ns")
        self.dut.rst.value = 0
        self.dut.programming_enable.value = 1
        await RisingEdge(self.dut.clk)

    async def write(self, name: str, value: int, *, word: int = 0) -> None:
        assert not await self.bus.write(MAP[name].address + 4 * word, value)

    async def read(self, name: str, *, word: int = 0) -> int:
        value, error = await self.bus.read(MAP[name].address + 4 * word)
        assert not error
        return value

    async def status(self) -> dict[str, int]:
        register = MAP["status"]
        assert isinstance(register, Register)
        value = await self.read("status")
        return {p.field.name: value >> p.low & (2**p.field.width - 1) for p in register.placed}

    async def describe(self, op: MvmOperation, *, op_id: int = 0, mode: int = 0) -> None:
        register = MAP["operation"]
        assert isinstance(register, Register)
        layout = OpLayout().const({
            "backward": int(op.direction), "in_bits": op.in_bits, "in_signed": op.in_signed, "out_bits": op.out_bits,
            "binary": op.converter is Converter.BINARY, "relu": op.relu, "early_stop": op.early_stop,
            "wl_select": op.wl_select, "line_select": op.line_select, "mode": mode,
        })
        value = sum(getattr(layout, p.field.name) << p.low for p in register.placed)
        await self.write("operation", value)
        await self.write("step", op.step_code)
        await self.write("op_id_low", op_id & 0xFFFFFFFF)
        await self.write("op_id_high", op_id >> 32)

    async def give(self, codes: Sequence[int]) -> None:
        for word in range(len(codes) // 4):
            value = sum((int(code) & 255) << 8 * k for k, code in enumerate(codes[4 * word : 4 * word + 4]))
            await self.write("input", value, word=word)

    async def wait(self, flag: str) -> None:
        for _ in range(2000):
            if (await self.status())[flag]:
                return
        raise AssertionError(f"status.{flag} stays 0")

    async def start(self) -> None:
        await self.write("control", 1)

    async def take(self) -> list[int]:
        """The result, and the window for the next one."""
        await self.wait("done")
        words = [await self.read("output", word=word) for word in range(LINES // 2)]
        await self.write("status", 1 << 2)
        codes = [word >> shift & 0xFFFF for word in words for shift in (0, 16)]
        return [code - 0x10000 if code & 0x8000 else code for code in codes]


def expected(op: MvmOperation, x: np.ndarray, *, wl: int = 0xFFFF, lines: int = 0xFFFF) -> list[int]:
    """Codes by the exact arithmetic of the converter."""
    on = np.array([wl >> k & 1 for k in range(LINES)])
    enabled = np.array([lines >> k & 1 for k in range(LINES)], dtype=bool)
    k = CELLS * on[:, None]
    if op.direction is Direction.FORWARD:
        driven = np.stack([x, -x], axis=1).reshape(-1)
        a = driven @ k
    else:
        a = k @ x
        enabled &= on.astype(bool)
    step = decrements(op.direction, op.step_code, k)
    codes, _ = convert(op, 2 * a + 1, step, step, enabled)
    return [int(code) for code in codes]


def decrements(direction: Direction, step_code: int, cells: np.ndarray) -> np.ndarray:
    """Charge of a decrement of each line: a share of the sum of its cells."""
    load = cells.sum(axis=0 if direction is Direction.FORWARD else 1)
    return 2 * np.maximum(1, np.rint(step_code * load / 2**14)).astype(np.int64)


def vector(op: MvmOperation, seed: int) -> np.ndarray:
    low, high = op.input_range
    size = LINES // 2 if op.direction is Direction.FORWARD else LINES
    return np.random.default_rng(seed).integers(low, high + 1, size)


async def begin(dut) -> Host:
    host = Host(dut)
    await host.reset()
    return host


FORWARD = TnsaOperation(direction=Direction.FORWARD, in_bits=4, out_bits=8, step_code=730)
BACKWARD = TnsaOperation(
    direction=Direction.BACKWARD, in_bits=4, out_bits=6, step_code=2780, converter=Converter.BINARY
)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_identity(dut) -> None:
    host = await begin(dut)
    assert await host.read("id") == 0x1_6D68
    assert await host.read("geometry") == LINES
    assert await host.read("description") == int(os.environ["MHO_HASH"], 16)
    assert await host.status() == {"ready": 1, "busy": 0, "done": 0, "error": 0, "overrun": 0}


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_products_both_ways(dut) -> None:
    host = await begin(dut)
    for seed, op in enumerate([FORWARD, BACKWARD, FORWARD, BACKWARD]):
        x = vector(op, seed)
        await host.describe(op, op_id=seed)
        await host.give(x)
        await host.start()
        codes = await host.take()
        assert len(set(codes)) > 4
        assert codes == expected(op, x)
    assert await host.read("mvms") == 4
    total = await host.read("cycles_total_low")
    assert 0 < await host.read("cycles_analog_low") <= total
    assert await host.read("cycles_analog_high") == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_masks(dut) -> None:
    host = await begin(dut)
    wl, lines = 0x3F5A, 0x0FF3
    await host.write("masks", wl, word=3)
    await host.write("masks", lines, word=8 + 5)
    for direction in Direction:
        op = TnsaOperation(direction=direction, step_code=1024, wl_select=3, line_select=5)
        x = vector(op, 9)
        await host.describe(op)
        await host.give(x)
        await host.start()
        assert await host.take() == expected(op, x, wl=wl, lines=lines)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_next_vector_is_written_while_one_runs(dut) -> None:
    host = await begin(dut)
    slow = TnsaOperation(direction=Direction.FORWARD, in_bits=4, out_bits=8, step_code=1, early_stop=False)
    x = [vector(slow, seed) for seed in range(3)]
    await host.describe(slow)
    await host.give(x[0])
    await host.start()
    await host.wait("ready")
    assert (await host.status())["done"] == 0
    await host.give(x[1])
    await host.start()
    await host.wait("ready")
    await host.give(x[2])
    await host.start()
    for number in range(3):
        assert await host.take() == expected(slow, x[number])
    assert (await host.status())["busy"] == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_interrupt(dut) -> None:
    host = await begin(dut)
    await host.write("interrupt_enable", 1)
    await host.describe(FORWARD)
    await host.give(vector(FORWARD, 1))
    await host.start()
    assert dut.irq.value == 0
    await RisingEdge(dut.irq)
    assert (await host.status())["done"] == 1
    await host.write("status", 1 << 2)
    await ReadOnly()
    assert dut.irq.value == 0


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_illegal_operation_is_dropped(dut) -> None:
    host = await begin(dut)
    await host.write("interrupt_enable", 2)
    await host.describe(FORWARD, mode=1)
    await host.give(vector(FORWARD, 1))
    await host.start()
    status = await host.status()
    assert (status["error"], status["busy"], status["ready"]) == (1, 0, 1)
    assert dut.irq.value == 1
    await host.write("status", 1 << 3)
    assert (await host.status())["error"] == 0
    x = vector(FORWARD, 2)
    await host.describe(FORWARD)
    await host.give(x)
    await host.start()
    assert await host.take() == expected(FORWARD, x)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_start_too_early_is_told(dut) -> None:
    host = await begin(dut)
    slow = TnsaOperation(direction=Direction.FORWARD, step_code=1, early_stop=False)
    x = vector(slow, 4)
    await host.describe(slow)
    await host.give(x)
    for _ in range(5):
        await host.start()
    assert (await host.status())["overrun"] == 1
    assert await host.take() == expected(slow, x)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_addresses_and_parts_of_words(dut) -> None:
    host = await begin(dut)
    for address in (0x00C, 0x044, 0x3FC, MAP["input"].address + LINES, 0xFFC):
        value, error = await host.bus.read(address)
        assert (value, error) == (0, True)
        assert await host.bus.write(address, 1)
    # A part of a word: registers and the input window take it, masks do not.
    await host.write("step", 0x1234)
    assert not await host.bus.write(MAP["step"].address, 0xFF00, strobe=2)
    assert await host.read("step") == 0xFF34
    assert await host.bus.write(MAP["masks"].address, 0, strobe=3)
    # What is read only stays, what is write only reads as 0.
    await host.write("geometry", 0)
    assert await host.read("geometry") == LINES
    assert await host.read("input") == 0
    x = vector(FORWARD, 6)
    await host.describe(FORWARD)
    await host.give([0] * 8)
    for k, code in enumerate(x):
        assert not await host.bus.write(MAP["input"].address + k // 4 * 4, (int(code) & 255) << 8 * (k % 4), 1 << k % 4)
    await host.start()
    assert await host.take() == expected(FORWARD, x)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def test_soft_reset(dut) -> None:
    host = await begin(dut)
    await host.write("masks", 0, word=0)
    await host.describe(FORWARD)
    await host.give(vector(FORWARD, 1))
    await host.start()
    await host.write("control", 2)
    status = await host.status()
    assert (status["busy"], status["done"]) == (0, 0)
    # Masks are as after reset, the operation is kept.
    x = vector(FORWARD, 8)
    await host.give(x)
    await host.wait("ready")
    await host.start()
    assert await host.take() == expected(FORWARD, x)
    assert await host.read("mvms") == 1
