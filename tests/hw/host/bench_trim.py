"""A core that is trimmed through its registers behind a bus. Runs inside the simulator (see test_bus.py)."""

import cocotb
from cocotb.triggers import RisingEdge

from mho.hw.config import load_chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.host.core.write_map import WORD_FLAG
from mho.hw.kinds.tnsa.bring_up.trim import trimmed
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models.integer.operation import Direction, MvmOperation
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.host.bench_core import FORWARD, Host, begin, expected, macro, vector
from tests.hw.host.bench_write import parameters

CORE = TnsaCoreConfig.from_chip(load_chip("tnsa16-core"))
SLOW = TnsaOperation(direction=Direction.FORWARD, in_bits=3, out_bits=4, step_code=1, early_stop=False)
TIMES = {"precharge": "reset_cycles", "plane": "plane_cycles", "sample": "sample_cycles", "compare": "compare_cycles",
         "decrement": "decrement_cycles"}


async def trim(host: Host, **times: int) -> TnsaCoreConfig:
    """Write durations by the names of the registers; the core as it then is."""
    for name, value in times.items():
        await host.write(f"{name}_time", value)
    return trimmed(CORE, {TIMES[name]: value for name, value in times.items()})


async def analog(host: Host, op: MvmOperation, seed: int) -> int:
    """Analog cycles of one operation, whose result is as it has to be."""
    before = await host.read("cycles_analog_low")
    x = vector(op, seed)
    await host.describe(op)
    await host.give(x)
    await host.start()
    assert await host.take() == expected(op, x)
    return await host.read("cycles_analog_low") - before


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def test_durations_are_those_that_were_written(dut) -> None:
    host = await begin(dut)
    steps = [SLOW.max_steps]
    assert await analog(host, SLOW, 1) == CORE.analog_cycles(SLOW, steps)
    settings = [
        {"precharge": 30, "plane": 1, "sample": 1, "compare": 3, "decrement": 5},
        {"precharge": 1, "plane": 7, "sample": 63, "compare": 7, "decrement": 1},
        # Out of range, so saturated.
        {"precharge": 0, "plane": 8, "sample": 64, "compare": 1, "decrement": 0xFFFFFFFF},
    ]
    for values in settings:
        core = await trim(host, **values)
        durations = {name: await host.read(f"{name}_time") for name in TIMES}
        assert durations == {name: getattr(core, TIMES[name]) for name in TIMES}
        assert await analog(host, SLOW, 2) == core.analog_cycles(SLOW, steps)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def test_what_is_written_while_an_operation_runs_counts_from_the_next(dut) -> None:
    host = await begin(dut)
    x = [vector(SLOW, seed) for seed in range(2)]
    await host.describe(SLOW)
    await host.give(x[0])
    await host.start()
    await host.wait("ready")
    assert (await host.status())["done"] == 0
    core = await trim(host, sample=40)
    assert (await host.status())["busy"] == 1
    await host.give(x[1])
    await host.start()
    for codes in x:
        assert await host.take() == expected(SLOW, codes)
    steps = [SLOW.max_steps]
    both = CORE.analog_cycles(SLOW, steps) + core.analog_cycles(SLOW, steps)
    assert await host.read("cycles_analog_low") == both != 2 * CORE.analog_cycles(SLOW, steps)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def test_limits_and_lock(dut) -> None:
    host = await begin(dut)
    await host.write("operation_limits", FORWARD.in_bits | (FORWARD.out_bits - 1) << 4)
    await host.describe(FORWARD)
    await host.give(vector(FORWARD, 1))
    await host.start()
    assert (await host.status())["error"] == 1
    await host.write("operation_limits", FORWARD.in_bits | FORWARD.out_bits << 4)
    await host.write("status", 1 << 3)
    assert await analog(host, FORWARD, 3) > 0
    await host.write("trim_lock", 1)
    locked = [f"{name}_time" for name in (*TIMES, "setup", "verify")]
    locked += ["operation_limits", "set_ramp", "set_width", "write_limits"]
    before = [await host.read(name) for name in locked]
    for name in (*locked, "trim_lock"):
        await host.write(name, 0x030303)
    # The soft reset of the core unlocks nothing.
    await host.write("control", 2)
    await host.write("precharge_time", 3)
    assert [await host.read(name) for name in locked] == before
    await host.write("write_run", 5)
    assert await host.read("write_run") == 5


async def gaps(dut, measured: list[int]) -> None:
    """Cycles from each verify read to the pulse that follows it, at the pins."""
    pins, since = macro(dut), 0
    while True:
        await RisingEdge(dut.clk)
        since = 1 if pins.verify.value == 1 else since + 1 if since else 0
        if since and (pins.set_pulse.value == 1 or pins.reset_pulse.value == 1):
            measured.append(since - 1)
            since = 0


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def test_write_verify_follows_its_durations(dut) -> None:
    host = await begin(dut)
    await parameters(host, WriteVerifyParameters(
        tolerance=9, confirmations=0, passes=1, wait_cycles=0, set_start=40, reset_start=40, set_cycles=2,
        reset_cycles=1,
    ))
    for setup, verify in ((3, 2), (60, 120)):
        await host.write("setup_time", setup)
        await host.write("verify_time", verify)
        measured: list[int] = []
        watch = cocotb.start_soon(gaps(dut, measured))
        await host.write("write_control", 1)
        # Written while the run is on: in force from the next one on.
        await host.write("setup_time", 63 - setup)
        await host.write("verify_time", 127 - verify)
        for _ in range(2):
            await host.write("targets", 300 if verify == 2 else 5)
        await host.write("write_control", 2)
        await host.write("targets", 1 << WORD_FLAG)
        while await host.read("write_status") & 1:
            pass
        watch.cancel()
        assert len(measured) > 2
        assert set(measured) == {verify + 1 + setup}
