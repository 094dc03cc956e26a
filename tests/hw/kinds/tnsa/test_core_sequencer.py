from itertools import islice
from typing import Any

import numpy as np
import pytest

from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.shape import OVERHEAD_CYCLES
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.core import TnsaCore
from mho.hw.kinds.tnsa.inputs import line_levels
from mho.hw.kinds.tnsa.sequencer import pin_operations
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import Converter, TnsaOperation
from tests.hw.amaranth_bench import feed, random_inputs, random_operation, simulate, value_of
from tests.hw.exact_array import ExactArray
from tests.hw.kinds.tnsa.timeline import TimedReference

STROBES = ("precharge", "sample", "compare", "decrement")
LINES = ("bl_pos", "bl_neg", "sl_pos", "sl_neg")
ARGUMENTS = ("backward", "wl_en", "plane", "latch", "dec_scale", "step_code", "op_id")
QUICK = TnsaCoreConfig(lines=16, reset_cycles=1, plane_cycles=1, sample_cycles=1, compare_cycles=2, decrement_cycles=1)
UNEVEN = TnsaCoreConfig(lines=16, reset_cycles=4, plane_cycles=3, sample_cycles=5, compare_cycles=6, decrement_cycles=7)

Trace = list[dict[str, int]]


def record(cfg: TnsaCoreConfig, array: ExactArray, ops: list[TnsaOperation], inputs: list, **pins: Any) -> Trace:
    """Values of the pins in each cycle, from the first precharge to the end of the last result."""
    dut = TnsaCore(cfg)
    trace: Trace = []
    names = (*STROBES, *LINES, *ARGUMENTS)

    async def watch(ctx: Any) -> None:
        left = len(ops)
        ports = [getattr(dut.macro, name) for name in names]
        async for _, _, done, *values in ctx.tick().sample(dut.status.done, *ports):
            if trace or values[0]:
                trace.append(dict(zip(names, values, strict=True)))
            left -= done
            if not left:
                return

    async def drain(ctx: Any) -> None:
        ctx.set(dut.o.ready, 1)

    descriptors = [pack(op, (2**64 - 3 + k) % 2**64) for k, op in enumerate(ops)]
    words = [word for x in inputs for word in pack_inputs(x)]
    process = array.process(dut.macro, **pins)
    simulate(dut, watch, drain, feed(dut.op, descriptors), feed(dut.i, words), processes=[process])
    return trace


def expected_trace(cfg: TnsaCoreConfig, reference: TimedReference, ops: list[TnsaOperation], inputs: list) -> Trace:
    """The same from the reference, only of cycles with a strobe or a new plane, numbered by ``cycle``."""
    result: Trace = []
    spans = reference.timeline()
    masks = reference.masks.as_masks()
    for k, (op, x, steps) in enumerate(zip(ops, inputs, reference.steps, strict=True)):
        levels = iter(line_levels(op, masks, x))
        side = ("sl", "bl")[op.direction is Direction.FORWARD]
        lines = dict.fromkeys(LINES, 0)
        for item in pin_operations(cfg, op, steps.tolist()):
            if item.name == "plane":
                level = next(levels)
                lines |= {f"{side}_pos": value_of(level > 0), f"{side}_neg": value_of(level < 0)}
            elif item.name == "compare":
                lines = dict.fromkeys(LINES, 0)
            result.append({
                "cycle": spans[k].taken - spans[0].taken + item.cycle,
                **{name: int(name == item.name) for name in STROBES}, **lines,
                "backward": int(op.direction), "wl_en": value_of(masks.word_lines(op)), "step_code": op.step_code,
                "op_id": (2**64 - 3 + k + item.segment) % 2**64, "plane": item.plane, "latch": int(item.latch),
                "dec_scale": item.dec_scale,
            })
    return result


def compare_traces(trace: Trace, expected: Trace) -> None:
    at = {item["cycle"]: item for item in expected}
    assert len(at) == len(expected)
    previous: dict[str, int] = dict.fromkeys(LINES, 0)
    for cycle, pins in enumerate(trace):
        item = at.pop(cycle, None)
        if item is None:
            assert not any(pins[name] for name in STROBES), f"strobe in cycle {cycle}"
            assert [pins[name] for name in LINES] == [previous[name] for name in LINES]
            continue
        matters = set(item) - {"cycle"}
        matters -= set() if pins["sample"] or not any(pins[s] for s in STROBES) else {"plane"}
        matters -= set() if pins["compare"] else {"latch"}
        matters -= set() if pins["decrement"] else {"dec_scale"}
        assert {name: pins[name] for name in matters} == {name: item[name] for name in matters}, f"cycle {cycle}"
        previous = pins
    assert not at


@pytest.mark.slow
@pytest.mark.parametrize("converter", Converter)
@pytest.mark.parametrize("cfg", [QUICK, UNEVEN, TnsaCoreConfig(lines=16)], ids=["quick", "uneven", "neurram"])
def test_order_and_cycles_at_the_pins(cfg: TnsaCoreConfig, converter: Converter) -> None:
    rng = np.random.default_rng(int(converter))
    array = ExactArray.random(cfg.lines, rng)
    ops = [random_operation(rng, converter=converter, out_bits=int(rng.integers(1, 7))) for _ in range(12)]
    inputs = [random_inputs(op, cfg.lines, rng)[0] for op in ops]
    reference = TimedReference(cfg, array)
    for op, x in zip(ops, inputs, strict=True):
        reference.run(pack(op), pack_inputs(x))
    compare_traces(record(cfg, array, ops, inputs), expected_trace(cfg, reference, ops, inputs))


def test_hold_stretches_an_operation_and_nothing_else() -> None:
    rng = np.random.default_rng(7)
    array = ExactArray.random(16, rng)
    ops = [random_operation(rng, out_bits=4) for _ in range(6)]
    inputs = [random_inputs(op, 16, rng)[0] for op in ops]
    free = record(QUICK, array, ops, inputs)
    stretched = record(QUICK, array, ops, inputs, hold=(int(bit) for bit in iter(lambda: rng.random() < 0.4, None)))
    assert len(stretched) > 1.3 * len(free)

    def strobes(trace: Trace) -> Trace:
        return [pins for pins in trace if any(pins[name] for name in STROBES)]

    assert strobes(stretched) == strobes(free)


def test_example_of_a_conversion() -> None:
    op = TnsaOperation(in_bits=3, out_bits=3, converter=Converter.BINARY)
    names = [item.name for item in pin_operations(QUICK, op, [2])]
    assert names == (
        ["precharge", "plane", "sample", "sample", "plane", "sample", "compare"] + 2 * ["decrement", "compare"]
    )
    scales = [item.dec_scale for item in pin_operations(QUICK, op, [2]) if item.name == "decrement"]
    assert scales == [1, 0]


def test_two_segments_follow_each_other_after_the_overhead() -> None:
    op = TnsaOperation(in_bits=8, out_bits=1)
    starts = [item.cycle for item in pin_operations(QUICK, op, [0, 0]) if item.name == "precharge"]
    # Three planes of the MSB segment: 1 + 3 + 7 samples + 2.
    assert starts == [0, 13 + OVERHEAD_CYCLES]
    assert list(islice((item.plane for item in pin_operations(QUICK, op, [0, 0]) if item.segment), 2)) == [0, 3]
