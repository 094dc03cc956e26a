from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mho.hw.core.layout import OpLayout, pack, pack_inputs
from mho.hw.core.masks import BL_SKIP, LINE_MASK, SL_SKIP
from mho.hw.core.shape import OVERHEAD_CYCLES
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from tests.hw.amaranth_bench import collect, feed, put, random_inputs, random_operation, simulate
from tests.hw.exact_array import ExactArray
from tests.hw.kinds.tnsa.timeline import TimedReference, timeline

QUICK = {"reset_cycles": 1, "plane_cycles": 1, "sample_cycles": 1, "compare_cycles": 2, "decrement_cycles": 1}


def no_pause() -> int:
    return 0


def bits(rng: np.random.Generator, probability: float) -> Iterator[int]:
    while True:
        yield int(rng.random() < probability)


@dataclass
class Run:
    """What a core gave, and when."""

    words: list[int] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    accepted: list[int] = field(default_factory=list)
    """Cycles of the transfers of descriptors."""
    done: list[int] = field(default_factory=list)
    """Cycles of ``status.done``."""


def run_core(
    cfg: TnsaCoreConfig, array: ExactArray, descriptors: list[int], words: list[int], count: int,
    *, pause: Callable[[], int] = no_pause, stall: Callable[[], int] = no_pause, hold: Iterator[int] | None = None,
) -> Run:
    """Run operations until ``count`` words have come out and the core is idle."""
    dut, result = TnsaCore(cfg), Run()

    async def observe(ctx: Any) -> None:
        cycle, idle = 0, 0
        status = dut.status
        async for _, _, valid, ready, done, busy in ctx.tick().sample(
            dut.op.valid, dut.op.ready, status.done, status.busy
        ):
            result.accepted += [cycle] * (valid and ready)
            result.done += [cycle] * done
            cycle += 1
            idle = 0 if busy or valid else idle + 1
            if len(result.words) == count and idle > 4:
                break
        names = ("busy", "error", "mvms", "cycles_total", "cycles_analog", "cycles_hold")
        result.status = {name: ctx.get(getattr(status, name)) for name in names}

    simulate(
        dut, observe, collect(dut.o, count, result.words, stall), feed(dut.op, descriptors, pause),
        feed(dut.i, words, pause), processes=[array.process(dut.macro, hold)], deadline=400_000,
    )
    return result


def prepare(
    cfg: TnsaCoreConfig, count: int, seed: int, **fixed: Any
) -> tuple[ExactArray, TimedReference, list[int], list[int], list[int]]:
    """Random operations: the macro, the reference after them, descriptors, input words, expected output words."""
    rng = np.random.default_rng(seed)
    array = ExactArray.random(cfg.lines, rng)
    reference = TimedReference(cfg, array)
    descriptors, words, expected = [], [], []
    for number in range(count):
        op = random_operation(rng, **fixed)
        x = pack_inputs(random_inputs(op, cfg.lines, rng)[0])
        descriptors.append(pack(op, number))
        words += x
        expected += reference.run(descriptors[-1], x)
    return array, reference, descriptors, words, expected


def check_status(run: Run, reference: TimedReference, *, hold: bool = False, waits: bool = False) -> None:
    status = run.status
    assert status["busy"] == 0
    assert status["error"] == reference.error
    assert status["mvms"] == reference.mvms
    assert status["cycles_analog"] == reference.cycles_analog
    assert (status["cycles_hold"] > 0) == hold
    beyond = status["cycles_total"] - status["cycles_hold"] - reference.cycles
    assert beyond >= 0
    if not waits:
        assert beyond == sum(span.cycles for span in reference.timeline()) - reference.cycles
    assert len(run.done) == len(reference.ops)


@pytest.mark.slow
@pytest.mark.parametrize("lines", [16, 64])
@pytest.mark.parametrize("durations", [QUICK, {}], ids=["quick", "neurram"])
def test_codes_and_cycles_match_the_reference(lines: int, durations: dict[str, int]) -> None:
    cfg = TnsaCoreConfig(lines=lines, **durations)
    fixed = {} if durations else {"out_bits": 5}
    array, reference, descriptors, words, expected = prepare(cfg, 640 // lines, seed=lines, **fixed)
    run = run_core(cfg, array, descriptors, words, len(expected))
    assert run.words == expected
    check_status(run, reference)
    spans = reference.timeline()
    assert [cycle - run.accepted[0] for cycle in run.done] == [span.finished + 1 for span in spans]
    assert [cycle - run.accepted[0] for cycle in run.accepted[1:]] == [span.released + 1 for span in spans[:-1]]


@pytest.mark.slow
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("in_signed", [False, True])
def test_every_width(direction: Direction, in_signed: bool) -> None:
    cfg = TnsaCoreConfig(lines=16, **QUICK)
    rng = np.random.default_rng(3)
    array = ExactArray.random(16, rng)
    reference = TimedReference(cfg, array)
    descriptors, words, expected = [], [], []
    for in_bits in range(1, 9):
        for out_bits in range(1, 9):
            op = random_operation(
                rng, direction=direction, in_signed=in_signed, in_bits=in_bits, out_bits=out_bits, early_stop=True
            )
            x = pack_inputs(random_inputs(op, 16, rng)[0])
            descriptors.append(pack(op))
            words += x
            expected += reference.run(descriptors[-1], x)
    run = run_core(cfg, array, descriptors, words, len(expected))
    assert run.words == expected
    check_status(run, reference)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_gaps_stalls_and_holds_change_no_code(seed: int) -> None:
    cfg = TnsaCoreConfig(lines=16, **QUICK)
    array, reference, descriptors, words, expected = prepare(cfg, 30, seed=100 + seed, out_bits=5)
    rng = np.random.default_rng(seed)

    def pause() -> int:
        return int(rng.integers(8) * rng.integers(2))

    run = run_core(
        cfg, array, descriptors, words, len(expected), pause=pause, stall=pause, hold=bits(rng, 0.3)
    )
    assert run.words == expected
    check_status(run, reference, hold=True, waits=True)


def test_a_slow_reader_loses_nothing() -> None:
    cfg = TnsaCoreConfig(lines=16, **QUICK)
    array, reference, descriptors, words, expected = prepare(cfg, 8, seed=5, in_bits=1, out_bits=1)
    run = run_core(cfg, array, descriptors, words, len(expected), stall=lambda: 9)
    assert run.words == expected
    check_status(run, reference, waits=True)
    # Each operation after the second waits for the reader.
    assert run.status["cycles_total"] > 3 * reference.cycles


@pytest.mark.slow
def test_masks_apply_from_the_descriptor_on() -> None:
    cfg = TnsaCoreConfig(lines=16, **QUICK)
    rng = np.random.default_rng(9)
    array = ExactArray.random(16, rng)
    reference = TimedReference(cfg, array)
    dut, words = TnsaCore(cfg), []
    expected: list[int] = []
    numbers = [*range(18), BL_SKIP, SL_SKIP, LINE_MASK]
    rounds = [
        [(int(mask), rng.random(16) < (0.2 if mask >= BL_SKIP else 0.8)) for mask in rng.choice(numbers, 4)]
        for _ in range(40)
    ]
    ops = [random_operation(rng, out_bits=5) for _ in rounds]
    inputs = [pack_inputs(random_inputs(op, 16, rng)[0]) for op in ops]

    async def drive(ctx: Any) -> None:
        for op, x, writes in zip(ops, inputs, rounds, strict=True):
            for mask, value in writes:
                for addr, word in reference.masks.words(mask, value):
                    reference.masks.write(addr, word)
                    await put(ctx, dut.mask, {"addr": addr, "data": word})
            expected.extend(reference.run(pack(op), x))
            # The masks of the next operation are written while this one waits or runs.
            await put(ctx, dut.op, pack(op))

    simulate(
        dut, drive, feed(dut.i, [word for x in inputs for word in x]), collect(dut.o, len(rounds) * 8, words),
        processes=[array.process(dut.macro)],
    )
    assert words == expected


@pytest.mark.slow
def test_illegal_descriptors_are_dropped_and_reported() -> None:
    cfg = TnsaCoreConfig(lines=16, **QUICK)
    array, reference, descriptors, words, expected = prepare(cfg, 6, seed=11)
    good = pack(TnsaOperation())
    layout = OpLayout()
    illegal = [
        good | 5 << layout["mode"].offset,
        good & ~(0xFFFF << layout["step_code"].offset),
        good & ~(0xF << layout["out_bits"].offset),
        pack(TnsaOperation(in_bits=8)) | 1 << layout["relu"].offset,
    ]
    assert run_core(cfg, array, descriptors, words, len(expected)).status["error"] == 0
    mixed = [item for pair in zip(descriptors, [*illegal, illegal[0], illegal[1]], strict=True) for item in pair]
    assert all(reference.run(item, []) == [] for item in illegal)
    run = run_core(cfg, array, mixed, words, len(expected))
    assert run.words == expected
    check_status(run, reference, waits=True)


@pytest.mark.slow
def test_back_to_back_operations_keep_the_macro_busy() -> None:
    # The definition: cycles of operations at the pins by all cycles between the ends of operations.
    cfg = TnsaCoreConfig(lines=256)
    rng = np.random.default_rng(0)
    array = ExactArray.random(256, rng)
    reference = TimedReference(cfg, array)
    descriptors, words, expected = [], [], []
    for direction in (Direction.FORWARD, Direction.BACKWARD, Direction.FORWARD, Direction.BACKWARD):
        op = TnsaOperation(direction=direction, in_bits=4, out_bits=6, early_stop=False)
        x = pack_inputs(random_inputs(op, 256, rng)[0])
        descriptors.append(pack(op))
        words += x
        expected += reference.run(descriptors[-1], x)
    run = run_core(cfg, array, descriptors, words, len(expected))
    assert run.words == expected
    assert np.diff(run.done).tolist() == [212 + OVERHEAD_CYCLES] * 3
    assert 212 / (212 + OVERHEAD_CYCLES) >= 0.95
    assert run.status["cycles_analog"] / run.status["cycles_total"] >= 0.95


@pytest.mark.slow
def test_pins_come_from_flip_flops() -> None:
    dut = TnsaCore(TnsaCoreConfig(lines=16, **QUICK))
    rng = np.random.default_rng(1)
    outputs = [name for name in dut.macro.signature.members if name not in ("cmp", "hold")]

    async def bench(ctx: Any) -> None:
        moved = set()
        before = [0] * len(outputs)
        ctx.set(dut.o.ready, 1)
        for cycle in range(4000):
            ctx.set(dut.op.valid, 1)
            ctx.set(dut.op.p, OpLayout().from_bits(pack(random_operation(rng), int(rng.integers(2**62)))))
            ctx.set(dut.i.valid, 1)
            ctx.set(dut.i.p, int(rng.integers(2**32)))
            settled = [ctx.get(getattr(dut.macro, name)) for name in outputs]
            ctx.set(dut.macro.cmp, int(rng.integers(2**16)))
            ctx.set(dut.macro.hold, int(rng.integers(2)))
            ctx.set(dut.mask.valid, int(rng.integers(2)))
            assert [ctx.get(getattr(dut.macro, name)) for name in outputs] == settled, cycle
            moved |= {name for name, old, new in zip(outputs, before, settled, strict=True) if old != new}
            before = settled
            await ctx.tick()
        assert moved == set(outputs)

    simulate(dut, bench)


def test_timeline_of_one_operation() -> None:
    cfg = TnsaCoreConfig(lines=16, **QUICK)
    # Two words of codes, but six reads of masks and their latency: the start is in cycle 6.
    (span,) = timeline(cfg, [TnsaOperation(in_bits=2, out_bits=1)], [[0]])
    assert (span.taken, span.finished, span.cycles) == (6, 12, 5 + OVERHEAD_CYCLES)
