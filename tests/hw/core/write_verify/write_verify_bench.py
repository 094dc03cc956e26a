"""Cells behind the programming pins, in Amaranth's simulator."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from amaranth.hdl import Value
from numpy.typing import NDArray

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.engine import WriteVerify
from mho.hw.core.write_verify.reference import PULSE, WriteMacro
from tests.hw.amaranth_bench import Bench, collect, feed, simulate
from tests.hw.memory_process import MemoryProcess

PULSE_PINS = ("set_pulse", "reset_pulse", "form_pulse")


class Run(NamedTuple):
    """What the hardware did: pulses, results (passes, rows, columns), counters, words of the fault map."""

    pulses: NDArray[np.void]
    codes: NDArray[np.int64]
    faults: NDArray[np.bool_]
    counts: NDArray[np.int64]
    status: dict[str, int]
    map_words: list[int]


def macro_process(
    dut: WriteVerify, cells: WriteMacro, pulses: list[tuple[int, ...]], hold: Iterator[int] | None = None,
    latency: Iterator[int] | None = None,
) -> Bench:
    """Process at the pins: applies every pulse at its end, answers every read, and checks what the pins promise.

    ``hold`` gives that pin for each cycle; ``latency`` the cycles from a verify strobe to the valid code, 1 by default.
    """
    pins, columns = dut.macro, dut.cfg.shape[1]
    names = ("write_mode", "write_wl", "write_bl", "write_sl", *PULSE_PINS, "amplitude", "verify", "write_pass")

    async def run(ctx: Any) -> None:
        stalled, number, stable, width, waiting, answer = 0, 0, 0, 0, 0, 0
        before: dict[str, int] = dict.fromkeys(names, 0)
        async for _, reset, *values in ctx.tick().sample(*(getattr(pins, name) for name in names)):
            pin: dict[str, int] = dict(zip(names, values, strict=True))
            if reset:
                continue
            if pin["write_mode"]:
                assert pin["write_wl"] == pin["write_bl"]
                assert pin["write_wl"].bit_count() == pin["write_sl"].bit_count() == 1
            else:
                assert not pin["write_wl"] | pin["write_bl"] | pin["write_sl"]
            if pin["write_mode"] and pin["write_pass"] != number:
                number = pin["write_pass"]
                cells.relax(number)
            same = all(pin[name] == before[name] for name in ("write_wl", "write_sl", "amplitude"))
            stable = stable + 1 if same else 1
            on = [name for name in PULSE_PINS if pin[name]]
            assert len(on) <= 1
            assert not (on and pin["verify"])
            row, col = pin["write_wl"].bit_length() - 1, pin["write_sl"].bit_length() - 1
            cell = np.array([row * columns + col])
            if on:
                assert same
                assert stable > dut.cfg.setup_cycles
                width += not stalled
            was = [name for name in PULSE_PINS if before[name]]
            if was and on != was:
                polarity = PULSE_PINS.index(was[0])
                pulses.append((number, row, col, polarity, before["amplitude"], width))
                cells.pulse(cell, np.array([polarity]), np.array([before["amplitude"]]), np.array([width]))
                width = 0
            if pin["verify"]:
                answer = int(cells.verify(cell)[0])
                waiting = next(latency) if latency is not None else 1
                ctx.set(pins.verify_valid, 0)
                ctx.set(pins.verify_code, 0)
            if waiting:
                waiting -= 1
                if not waiting:
                    ctx.set(pins.verify_code, answer)
                    ctx.set(pins.verify_valid, 1)
            before = pin
            stalled = next(hold) if hold is not None else 0
            ctx.set(dut.hold, stalled)

    return run


def run_hardware(
    cfg: WriteVerifyConfig, parameters: WriteVerifyParameters, targets: NDArray[np.integer], cells: WriteMacro,
    skip: NDArray[np.bool_] | None = None, *, rows: int | None = None, gap: Any = lambda: 0, stall: Any = lambda: 0,
    deadline: int = 3_000_000, process: MemoryProcess | None = None, **macro: Any,
) -> Run:
    """Program ``cells``, only the first ``rows`` if given (the engine is stopped then), in memories of a process."""
    dut = WriteVerify(cfg)
    shape = cfg.shape
    skipped = np.zeros(shape, dtype=np.bool_) if skip is None else skip
    one_pass = [{"code": int(t), "skip": int(s)} for t, s in zip(targets.flat, skipped.flat, strict=True)]
    total = cfg.cells * parameters.passes if rows is None else rows * shape[1]
    pulses: list[tuple[int, ...]] = []
    results: list[Any] = []
    words: list[int] = []
    status: dict[str, int] = {}

    async def control(ctx: Any) -> None:
        ctx.set(Value.cast(dut.p), parameters.pack(cfg))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        while len(results) < total - 1:
            await ctx.tick()
        if rows is not None:
            ctx.set(dut.stop, 1)
        while not ctx.get(dut.status.done):
            await ctx.tick()
        await ctx.tick()
        assert not ctx.get(dut.status.busy)
        for name in ("error", "write_pass", "sets", "resets", "forms", "reads", "pulsed", "faults", "cycles_total",
                     "cycles_hold"):
            status[name] = ctx.get(getattr(dut.status, name))
        for addr in range(cfg.map_words):
            ctx.set(dut.map_addr, addr)
            await ctx.tick()
            words.append(ctx.get(dut.map_data))

    pins = macro_process(dut, cells, pulses, **macro)
    simulate(
        dut, control, collect(dut.o, total, results, stall), feed(dut.i, (one_pass * parameters.passes)[:total], gap),
        processes=[pins], deadline=deadline, platform=process,
    )
    fields = np.array([(r.code, r.fault, r.pulses) for r in results], dtype=np.int64)
    fields = fields.reshape(-1, (cfg.lines if rows is None else rows), shape[1], 3)
    return Run(
        np.array(pulses, dtype=PULSE), fields[..., 0], fields[..., 1] == 1, fields[..., 2], status, words
    )
