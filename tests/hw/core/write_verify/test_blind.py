"""Blind runs: hardware and reference, pulse for pulse and cycle for cycle."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Value
from numpy.typing import NDArray

from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.hw.core.write_verify.engine import WriteVerify
from mho.hw.core.write_verify.reference import PULSE, RECORD, blind_cycles, give_pulses
from mho.macro_models.cells.pulses import PulseArray, PulseConfig
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from tests.hw.amaranth_bench import feed, simulate
from tests.hw.core.write_verify.write_verify_bench import macro_process

CFG = WriteVerifyConfig(lines=16, setup_cycles=2, verify_cycles=2, pulses=True)
BLIND = WriteVerifyParameters(set_start=70, reset_start=80, set_cycles=3, reset_cycles=2, blind=True)


def any_records(rng: np.random.Generator, cfg: WriteVerifyConfig, number: int) -> NDArray[np.void]:
    records = np.zeros(number, dtype=RECORD)
    for name, low, top in (("row", 0, cfg.shape[0]), ("col", 0, cfg.shape[1]), ("polarity", 0, 2), ("count", 1, 4)):
        records[name] = rng.integers(low, top, number)
    return records


def cells_of(cfg: WriteVerifyConfig) -> PulseArray:
    scales = PulseConfig(lines=cfg.lines, columns=cfg.columns, cycle_s=1e-6, bias=cfg.bias)
    return PulseArray(scales, device=load_device("rram-neurram"), seed=3)


def run(
    cfg: WriteVerifyConfig, records: NDArray[np.void], cells: PulseArray, *, stop_after: int | None = None,
    gap: Any = lambda: 0, **macro: Any,
) -> tuple[NDArray[np.void], dict[str, int]]:
    """What the hardware gave, and its status; ``stop_after`` so many cycles behind the first record."""
    dut = WriteVerify(cfg)
    pulses: list[tuple[int, ...]] = []
    status: dict[str, int] = {}
    words = [{"code": int(r["count"]), "reset": int(r["polarity"]), "col": int(r["col"]), "row": int(r["row"])}
             for r in records]

    async def control(ctx: Any) -> None:
        ctx.set(Value.cast(dut.p), BLIND.pack(cfg))
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        if stop_after is not None:
            await ctx.tick().repeat(stop_after)
            ctx.set(dut.stop, 1)
        while not ctx.get(dut.status.done):
            assert not ctx.get(dut.o.valid)
            await ctx.tick()
        await ctx.tick()
        assert not ctx.get(dut.status.busy)
        for name in ("error", "sets", "resets", "reads", "cycles_total", "cycles_hold"):
            status[name] = ctx.get(getattr(dut.status, name))

    sent = words[:1] if stop_after is not None else [*words, {"skip": 1}]
    process = macro_process(dut, cells, pulses, **macro)
    simulate(dut, control, background=[feed(dut.i, sent, gap)], processes=[process], deadline=20_000)
    return np.array(pulses, dtype=PULSE), status


@pytest.mark.slow
@pytest.mark.parametrize("columns", [16, 24])
def test_any_records_pulse_for_pulse(columns: int) -> None:
    cfg, rng = replace(CFG, columns=columns), np.random.default_rng(columns)
    records = np.sort(any_records(rng, cfg, 30), order=("row", "col"))
    mine, dut_cells = cells_of(cfg), cells_of(cfg)
    expected = give_pulses(cfg, BLIND, records, mine)
    pulses, status = run(cfg, records, dut_cells)
    np.testing.assert_array_equal(pulses, expected)
    np.testing.assert_array_equal(mine.g, dut_cells.g)
    kinds = np.bincount(expected["polarity"], minlength=2)
    assert status == {"error": 0, "sets": kinds[0], "resets": kinds[1], "reads": 0, "cycles_hold": 0,
                      "cycles_total": blind_cycles(cfg, records, expected)}
    assert (mine.g != cells_of(cfg).g).sum() > 10


def test_waiting_changes_the_time_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    records = any_records(rng, CFG, 6)  # in no order, which costs time alone
    expected = give_pulses(CFG, BLIND, records, cells_of(CFG))
    hold = (int(rng.random() < 0.4) for _ in iter(int, 1))
    pulses, status = run(CFG, records, cells_of(CFG), gap=lambda: int(rng.integers(40)), hold=hold)
    np.testing.assert_array_equal(pulses, expected)
    assert status["cycles_total"] > blind_cycles(CFG, records, expected)
    assert status["cycles_hold"] > 0


@pytest.mark.parametrize("cycles", [5, 23, 31, 60])
def test_a_run_that_is_stopped_ends_with_its_pulse(cycles: int) -> None:
    records = np.array([(1, 2, 0, 9), (3, 1, 1, 9)], dtype=RECORD)
    expected = give_pulses(CFG, BLIND, records, cells_of(CFG))
    pulses, status = run(CFG, records, cells_of(CFG), stop_after=cycles)
    np.testing.assert_array_equal(pulses, expected[: len(pulses)])
    assert status["cycles_total"] <= cycles + CFG.setup_cycles + BLIND.set_cycles + 3
    assert status["sets"] + status["resets"] == len(pulses) < len(expected)


def test_cells_that_see_each_other_are_pulsed_in_turn() -> None:
    cfg = replace(CFG, bias="half")
    records = any_records(np.random.default_rng(7), cfg, 20)
    mine, dut_cells = cells_of(cfg), cells_of(cfg)
    for pulse in give_pulses(cfg, BLIND, records, mine):
        names = ("polarity", "amplitude", "cycles")
        cell = int(pulse["row"]) * 16 + int(pulse["col"])
        dut_cells.pulse(*(np.array([int(value)]) for value in (cell, *(pulse[name] for name in names))))
    np.testing.assert_array_equal(mine.g, dut_cells.g)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"^programming\.pulses must be true for a run of pulses alone"):
        BLIND.pack(replace(CFG, pulses=False))
    with pytest.raises(InputError, match=r"^programming\.pulses must be false for 1000 x 512 cells, not true"):
        replace(CFG, lines=1000, columns=512)
    for record in ((16, 0, 0, 1), (0, 16, 0, 1), (0, 0, 2, 1), (0, 0, 0, 0), (0, 0, 0, 1024)):
        with pytest.raises(ValueError, match="Records must be 1 to 1023 SET or RESET pulses each of one of 16 x 16"):
            give_pulses(CFG, BLIND, np.array([record], dtype=RECORD), cells_of(CFG))
