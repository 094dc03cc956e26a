"""Write-verify: hardware and reference, pulse for pulse, on cells of the device and on cells of any behaviour."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Value
from numpy.typing import NDArray

from mho.hw.core.write_verify.config import ParameterLayout, WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.engine import WriteVerify
from mho.hw.core.write_verify.reference import WriteVerifyResult, cycles, map_words, program
from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import Device, load_device
from mho.macro_models.integer.pulse import Polarity
from tests.hw.amaranth_bench import get, put, simulate
from tests.hw.core.write_verify.write_verify_bench import Run, macro_process, run_hardware
from tests.hw.memory_process import MemoryProcess

QUICK = WriteVerifyConfig(lines=16, setup_cycles=1, verify_cycles=2)
SCALES = PulseConfig(lines=16, cycle_s=1e-6, wait_s=1.0)
SHORT = WriteVerifyParameters(set_cycles=1, reset_cycles=1, form_cycles=3, wait_cycles=5)


class AnyCells:
    """Cells that move by pseudo-random steps, which depend on the cell, the number of its pulse and the pulse."""

    def __init__(self, number: int, bits: int, seed: int) -> None:
        self.top, self.seed = 2**bits - 1, seed
        self.code: NDArray[np.int64] = np.random.default_rng(seed).integers(0, self.top + 1, number)
        self.pulses = np.zeros(number, dtype=np.int64)

    def _mixed(self, *parts: Any) -> NDArray[np.int64]:
        value = np.uint64(self.seed)
        for part in parts:
            value = (value ^ np.asarray(part, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            value ^= value >> np.uint64(29)
        return (value >> np.uint64(32)).astype(np.int64)

    def verify(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.code[cells]

    def pulse(self, cells: Any, polarity: Any, amplitude: Any, cycles: Any) -> None:
        self.pulses[cells] += 1
        step = self._mixed(cells, self.pulses[cells], polarity, amplitude, cycles) % (self.top // 4)
        move = np.where(polarity == Polarity.RESET, -step, step) * (cells % 7 != 3)
        self.code[cells] = np.clip(self.code[cells] + move, 0, self.top)

    def relax(self, write_pass: int) -> None:
        change = self._mixed(np.arange(len(self.code)), write_pass) % 41 - 20
        self.code = np.clip(self.code + change, 0, self.top)


def check(cfg: WriteVerifyConfig, p: WriteVerifyParameters, hardware: Run, expected: WriteVerifyResult) -> None:
    np.testing.assert_array_equal(hardware.pulses, expected.pulses)
    np.testing.assert_array_equal(hardware.codes, expected.codes)
    np.testing.assert_array_equal(hardware.faults, expected.faults)
    np.testing.assert_array_equal(hardware.counts, expected.counts)
    assert hardware.map_words == map_words(cfg, expected.faults[-1])
    kinds = np.bincount(expected.pulses["polarity"], minlength=3)
    assert hardware.status | {"cycles_total": 0, "cycles_hold": 0} == {
        "error": 0, "write_pass": p.passes - 1, "sets": kinds[0], "resets": kinds[1], "forms": kinds[2],
        "reads": expected.reads.sum(), "pulsed": (expected.counts[-1] > 0).sum(), "faults": expected.faults[-1].sum(),
        "cycles_total": 0, "cycles_hold": 0,
    }


def any_parameters(rng: np.random.Generator, **fixed: Any) -> WriteVerifyParameters:
    """Parameters whose limits are reached."""
    fields: dict[str, Any] = {
        "tolerance": int(rng.integers(0, 60)), "confirmations": int(rng.integers(4)), "form": bool(rng.random() < 0.25),
        "passes": int(rng.integers(1, 4)), "wait_cycles": int(rng.integers(0, 4)),
        "max_reversals": int(rng.integers(0, 8)), "max_at_ceiling": int(rng.integers(0, 4)),
        "max_pulses": int(rng.integers(0, 12)),
    }
    for kind in ("set", "reset", "form"):
        start, room = int(rng.integers(0, 256)), int(rng.integers(0, 30))
        fields |= {
            f"{kind}_start": start, f"{kind}_ceiling": min(255, start + room), f"{kind}_step": int(rng.integers(0, 12)),
            f"{kind}_cycles": int(rng.integers(1, 6)),
        }
    return WriteVerifyParameters(**(fields | fixed))


def any_targets(rng: np.random.Generator, cfg: WriteVerifyConfig) -> NDArray[np.int64]:
    return rng.integers(0, 2**cfg.verify_bits, cfg.shape)


UNEVEN = WriteVerifyConfig(lines=16, setup_cycles=4, verify_cycles=7)


@pytest.mark.parametrize("cfg", [QUICK, pytest.param(UNEVEN, marks=pytest.mark.long)], ids=["quick", "uneven"])
@pytest.mark.slow
def test_an_array_of_the_device_pulse_for_pulse(cfg: WriteVerifyConfig) -> None:
    device = load_device("rram-neurram")
    p = replace(SHORT, passes=2, reset_cycles=2) if cfg is QUICK else replace(SHORT, passes=1, set_cycles=3)
    targets = SCALES.codes(np.random.default_rng(0).uniform(1.0, 40.0, (16, 16)))
    mine, dut_cells = (PulseArray(SCALES, device=device, seed=3) for _ in range(2))
    expected = program(cfg, p, targets, mine)
    hardware = run_hardware(cfg, p, targets, dut_cells)
    check(cfg, p, hardware, expected)
    assert hardware.status["cycles_total"] == cycles(cfg, p, expected.reads.sum(), expected.pulses)
    np.testing.assert_array_equal(mine.g_uS, dut_cells.g_uS)
    assert len(expected.pulses) > 1500


@pytest.mark.slow
def test_a_fault_map_with_one_port_is_read_while_cells_are_entered() -> None:
    rng = np.random.default_rng(8)
    p = any_parameters(rng, passes=2)
    targets, skip = any_targets(rng, QUICK), rng.random(QUICK.shape) < 0.9
    expected = program(QUICK, p, targets, AnyCells(QUICK.cells, QUICK.verify_bits, 8), skip)
    hardware = run_hardware(
        QUICK, p, targets, AnyCells(QUICK.cells, QUICK.verify_bits, 8), skip, process=MemoryProcess(one_port=True)
    )
    check(QUICK, p, hardware, expected)
    # What was read at the start keeps a word from being cleared for a cycle.
    late = hardware.status["cycles_total"] - cycles(QUICK, p, expected.reads.sum(), expected.pulses)
    assert 0 <= late <= 2


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "shape"), [
    (0, (16, 16)), (1, (16, 40)),
    *(pytest.param(k, shape, marks=pytest.mark.long) for k, shape in enumerate([(24, 16), (16, 32), (24, 24)], 2)),
])
def test_any_registers_and_cells(seed: int, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    cfg = replace(
        QUICK, lines=shape[0], columns=shape[1], verify_bits=int(rng.integers(8, 13)),
        setup_cycles=int(rng.integers(1, 4)), verify_cycles=int(rng.integers(2, 5)),
    )
    p, targets, skip = any_parameters(rng), any_targets(rng, cfg), rng.random(shape) < 0.2
    expected = program(cfg, p, targets, AnyCells(cfg.cells, cfg.verify_bits, seed), skip)
    hardware = run_hardware(cfg, p, targets, AnyCells(cfg.cells, cfg.verify_bits, seed), skip)
    check(cfg, p, hardware, expected)
    assert hardware.status["cycles_total"] == cycles(cfg, p, expected.reads.sum(), expected.pulses)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["streams", "hold", "latency"])
def test_waiting_changes_the_time_and_nothing_else(what: str) -> None:
    rng = np.random.default_rng(11)
    p = any_parameters(rng, passes=2, wait_cycles=3, form=False, max_pulses=2, tolerance=250)
    targets = any_targets(rng, QUICK)
    pauses = {
        "streams": {"gap": lambda: int(rng.integers(60)), "stall": lambda: int(rng.integers(60))},
        "hold": {"hold": (int(rng.random() < 0.4) for _ in iter(int, 1))},
        "latency": {"latency": (int(rng.integers(1, 6)) for _ in iter(int, 1))},
    }
    expected = program(QUICK, p, targets, AnyCells(256, 10, 5))
    hardware = run_hardware(QUICK, p, targets, AnyCells(256, 10, 5), **pauses[what])
    check(QUICK, p, hardware, expected)
    assert hardware.status["cycles_total"] > 1.05 * cycles(QUICK, p, expected.reads.sum(), expected.pulses)
    assert (hardware.status["cycles_hold"] > 0) == (what == "hold")
    if what == "hold":
        free = hardware.status["cycles_total"] - hardware.status["cycles_hold"]
        assert free == cycles(QUICK, p, expected.reads.sum(), expected.pulses)


@pytest.mark.slow
def test_rows_of_an_array_of_64_lines_then_stop() -> None:
    cfg = replace(QUICK, lines=64)
    scales, device = replace(SCALES, lines=64), load_device("rram-neurram")
    targets = scales.codes(np.random.default_rng(1).uniform(1.0, 40.0, (64, 64)))
    expected = program(cfg, replace(SHORT, passes=1), targets, PulseArray(scales, device=device, seed=9, core=2))
    cells = PulseArray(scales, device=device, seed=9, core=2)
    hardware = run_hardware(cfg, SHORT, targets, cells, rows=2)
    np.testing.assert_array_equal(hardware.pulses, expected.pulses[expected.pulses["row"] < 2])
    np.testing.assert_array_equal(hardware.codes[0], expected.codes[0, :2])
    reached = expected.faults[-1].copy()
    reached[2:] = False
    assert hardware.map_words == map_words(cfg, reached)
    assert hardware.status["write_pass"] == 0


@pytest.mark.slow
def test_dead_cells_end_in_the_fault_map() -> None:
    device = load_device("rram-neurram")
    bad: Device = replace(device, stuck=replace(device.stuck, fraction=0.05, values_uS=(0.0, 45.0)))
    p = replace(SHORT, passes=1, max_at_ceiling=3)
    cells = PulseArray(SCALES, device=bad, seed=4)
    targets = SCALES.codes(np.random.default_rng(4).uniform(5.0, 40.0, (16, 16)))
    hardware = run_hardware(QUICK, p, targets, cells)
    np.testing.assert_array_equal(hardware.faults[0], cells.stuck.reshape(16, 16))
    assert cells.stuck.sum() > 5
    assert hardware.map_words == map_words(QUICK, cells.stuck.reshape(16, 16))


@pytest.mark.slow
def test_fresh_cells_are_formed_and_then_programmed() -> None:
    cells = PulseArray(SCALES, device=load_device("rram-neurram"), seed=6, fresh=True)
    form = replace(SHORT, form=True, passes=1, max_at_ceiling=5)
    threshold = np.full((16, 16), SCALES.codes(1.25))
    formed = run_hardware(QUICK, form, threshold, cells)
    assert formed.status["forms"] == len(formed.pulses) >= 256
    np.testing.assert_array_equal(formed.faults[0].ravel(), ~cells.formed)
    targets = SCALES.codes(np.random.default_rng(6).uniform(5.0, 40.0, (16, 16)))
    written = program(QUICK, replace(SHORT, passes=1), targets, cells, skip=formed.faults[0])
    assert not written.faults.any()


class Scripted:
    """Cell 0 gives these codes; every other cell gives its target."""

    def __init__(self, codes: list[int], target: int) -> None:
        self._codes: Iterator[int] = iter(codes)
        self._target = target

    def verify(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array([next(self._codes) if cell == 0 else self._target for cell in cells])

    def pulse(self, cells: Any, polarity: Any, amplitude: Any, cycles: Any) -> None:
        pass

    def relax(self, write_pass: int) -> None:
        pass


def _examples() -> dict[str, tuple[dict[str, int], list[int], list[tuple[str, int]], bool]]:
    """Registers, codes that cell 0 gives, its pulses, and whether it is given up. The target is 500, the band 10."""
    return {
        "ramp and restart": (
            {}, [100, 200, 300, 520, 530, 515, 480, 495, 490],
            [("SET", 60), ("SET", 65), ("SET", 70), ("RESET", 75), ("RESET", 80), ("RESET", 85), ("SET", 60)], False,
        ),
        "not confirmed": ({}, [505, 511, 505, 505], [("RESET", 75)], False),
        "ceiling": ({"set_ceiling": 68, "max_at_ceiling": 2}, [0] * 5,
                    [("SET", 60), ("SET", 65), ("SET", 68), ("SET", 68)], True),
        "reversals": ({"max_reversals": 1}, [0, 999, 0], [("SET", 60), ("RESET", 75)], True),
        "pulses": ({"max_pulses": 2}, [0, 0, 0], [("SET", 60), ("SET", 65)], True),
        "only read": ({"max_pulses": 0}, [511], [], True),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", _examples())
def test_examples_by_hand(name: str) -> None:
    registers, codes, pulses, given_up = _examples()[name]
    p = replace(SHORT, passes=1, tolerance=10, confirmations=1, **registers)
    targets = np.full((16, 16), 500)
    expected = program(QUICK, p, targets, Scripted(codes, 500))
    assert [(Polarity(pulse["polarity"]).name, pulse["amplitude"]) for pulse in expected.pulses] == pulses
    assert expected.faults.sum() == expected.faults[0, 0, 0] == given_up
    check(QUICK, p, run_hardware(QUICK, p, targets, Scripted(codes, 500)), expected)


def test_a_start_with_illegal_registers_is_refused() -> None:
    dut = WriteVerify(QUICK)

    async def bench(ctx: Any) -> None:
        await start(ctx, dut, replace(SHORT, passes=1).pack(QUICK) & ~_mask("passes"))
        assert (ctx.get(dut.status.error), ctx.get(dut.status.busy)) == (1, 0)
        await start(ctx, dut, SHORT.pack(QUICK))
        assert (ctx.get(dut.status.error), ctx.get(dut.status.busy)) == (0, 1)

    simulate(dut, bench)


def _mask(name: str) -> int:
    field = ParameterLayout(QUICK)[name]
    return (2**field.width - 1) << field.offset


async def start(ctx: Any, dut: WriteVerify, registers: int) -> None:
    ctx.set(Value.cast(dut.p), registers)
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)


def test_a_read_without_an_answer_can_be_stopped() -> None:
    dut = WriteVerify(QUICK)

    async def bench(ctx: Any) -> None:
        await start(ctx, dut, SHORT.pack(QUICK))
        await put(ctx, dut.i, {"code": 5, "skip": 0})
        for _ in range(20):
            await ctx.tick()
        assert ctx.get(dut.status.busy)
        ctx.set(dut.stop, 1)
        result = await get(ctx, dut.o)
        assert (result.fault, result.pulses) == (1, 0)
        await ctx.tick()
        assert not ctx.get(dut.status.busy)
        assert not ctx.get(dut.macro.write_mode)

    simulate(dut, bench)


def test_stop_between_cells_and_the_next_run_starts_afresh() -> None:
    dut = WriteVerify(QUICK)
    p = replace(SHORT, passes=1, max_pulses=0, confirmations=0)

    async def bench(ctx: Any) -> None:
        await start(ctx, dut, p.pack(QUICK))
        for code in (500, 0):
            await put(ctx, dut.i, {"code": code, "skip": 0})
            assert (await get(ctx, dut.o)).fault == (code == 0)
        ctx.set(dut.stop, 1)
        await ctx.tick().until(dut.status.done)
        ctx.set(dut.stop, 0)
        assert await word(ctx, 0) == 0b10
        await start(ctx, dut, p.pack(QUICK))
        for _ in range(256):
            await put(ctx, dut.i, {"code": 500, "skip": 0})
            assert (await get(ctx, dut.o)).fault == 0
        await ctx.tick()
        assert not ctx.get(dut.status.busy)
        assert (ctx.get(dut.status.faults), ctx.get(dut.status.reads)) == (0, 256)
        assert await word(ctx, 0) == 0

    async def word(ctx: Any, addr: int) -> int:
        ctx.set(dut.map_addr, addr)
        await ctx.tick()
        return ctx.get(dut.map_data)

    simulate(dut, bench, processes=[macro_process(dut, Scripted([500] * 300, 500), [])])
