from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw.config import load_chip, pulse_config
from hw.core import CoreConfig, MaskFile, pack, pack_inputs
from hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters, program
from hw.macro.emulator import (
    EmulatedCells,
    LoadWord,
    PinEmulatorConfig,
    PinLevelCore,
    PulseTable,
    TableCache,
    cell_code,
    cell_loads,
    pulse_loads,
    verify_code,
)
from hw.testing import get, put, simulate
from macro_models import load_device
from macro_models.errors import InputError
from macro_models.exact.masks import Masks
from macro_models.exact.operation import Converter, MvmOperation
from macro_models.pulses import PulseArray
from sim.trials import make_trial
from tests.hw.macro.emulator_bench import Script, build, replay
from tests.hw.macro.pin_bench import build_program, run_program
from tests.hw.macro.test_emulator import programmed


def pulse_table(cfg: PinEmulatorConfig, parameters: WriteVerifyParameters, seed: int = 7) -> PulseTable:
    device, scales = load_device("rram-neurram"), pulse_config(load_chip("neurram-core"))
    cycles = (parameters.set_cycles, parameters.reset_cycles, parameters.form_cycles)
    return PulseTable.of(cfg, device.pulse, scales=scales, pulse_s=device.programming.pulse_s, cycles=cycles, seed=seed)


def small(**fields: Any) -> PinEmulatorConfig:
    return PinEmulatorConfig(core=CoreConfig(lines=16), **{"verify_bits": None, **fields})


async def convert(ctx: Any, dut: PinLevelCore, loads: list[LoadWord], op: MvmOperation) -> list[int]:
    """Load a table, multiply a vector of ones with the cells; the words of the output."""
    for word in loads:
        await put(ctx, dut.load, word.payload())
    await put(ctx, dut.op, pack(op))
    for word in pack_inputs(np.ones(dut.cfg.core.lines // 2, dtype=np.int64)):
        await put(ctx, dut.i, word)
    return [await get(ctx, dut.o) for _ in range(dut.cfg.core.output_words)]


@pytest.mark.parametrize(("lanes", "converters"), [(8, 4), (16, 16)])
def test_the_core_gives_the_codes_of_a_programmed_core(lanes: int, converters: int) -> None:
    core, model = programmed(16, 8)
    cfg = small(lanes=lanes, converters=converters)
    dut, cache, file = PinLevelCore(cfg), TableCache(cfg, model), MaskFile(core)
    analog = 0

    async def bench(ctx: Any) -> None:
        nonlocal analog
        for word in cell_loads(cfg, model.cells):
            await put(ctx, dut.load, word.payload())
        for number in range(20):
            trial = make_trial([model], 11, number, vectors=1)
            for mask, value in enumerate(trial.masks.rows):
                for addr, word in file.words(mask, value):
                    await put(ctx, dut.mask, {"addr": addr, "data": word})
            for word in cache.loads(trial.op, trial.masks):
                await put(ctx, dut.load, word.payload())
            await put(ctx, dut.op, pack(trial.op, number))
            for word in pack_inputs(trial.x[0]):
                await put(ctx, dut.i, word)
            words = [await get(ctx, dut.o) for _ in range(core.output_words)]
            expected = model.mvm(trial.op, trial.masks, trial.x, trial.op_id)
            codes = np.array(words, dtype="<u4").view("<i2")
            np.testing.assert_array_equal(codes, expected.codes[0], err_msg=str(trial))
            analog += int(core.analog_cycles(trial.op, expected.steps)[0])
        assert not ctx.get(dut.status.error)
        assert ctx.get(dut.status.cycles_analog) == analog

    simulate(dut, bench, deadline=200_000)


def test_the_macro_holds_the_core_for_as_long_as_it_says() -> None:
    _, model = programmed(16, 8)
    cfg = small(converters=4)
    dut, cache = PinLevelCore(cfg), TableCache(cfg, model)
    op = MvmOperation(converter=Converter.BINARY, out_bits=6)
    holds = []

    async def bench(ctx: Any) -> None:
        await convert(ctx, dut, cache.loads(op, Masks.reset(16)), op)

    async def observe(ctx: Any) -> None:
        length = 0
        async for _, _, hold in ctx.tick().sample(dut.core.macro.hold):
            if length and not hold:
                holds.append(length)
            length = length + 1 if hold else 0

    simulate(dut, bench, background=[observe], deadline=2000)
    assert holds[0] <= cfg.accumulate_hold
    assert holds[1:] == [cfg.decrement_hold] * 5


def test_a_conversion_without_a_table_is_an_error() -> None:
    _, model = programmed(16, 8)
    cfg = small()
    dut, op, masks = PinLevelCore(cfg), MvmOperation(), Masks.reset(16)
    other = Masks(np.arange(16) < 8, masks.lines, masks.bl_skip, masks.sl_skip)
    errors = []

    async def bench(ctx: Any) -> None:
        for loads in (TableCache(cfg, model).loads(op, masks), TableCache(cfg, model).loads(op, other)):
            await convert(ctx, dut, loads, op)
            errors.append(ctx.get(dut.status.error))

    simulate(dut, bench, deadline=10_000)
    assert errors == [0, 1]  # the second table is for other word lines than those that are on


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_the_generated_verilog_gives_the_codes_of_a_programmed_core(tmp_path: Path) -> None:
    core, model = programmed(64, 8)
    cfg = PinEmulatorConfig(core=core, lanes=64, slots=4, verify_bits=None)
    script, expected, analog = Script(cfg), [], 0
    script.load(cell_loads(cfg, model.cells))
    cache = TableCache(cfg, model)
    for number in range(60):
        trial = make_trial([model], 5, number, vectors=2)
        script.idle()  # masks of operations that wait, and tables of operations under way, must stay
        script.masks(trial.masks)
        script.load(cache.loads(trial.op, trial.masks))
        for x in trial.x:
            script.operation(trial.op, x, pause=trial.gap % 3)
        result = model.mvm(trial.op, trial.masks, trial.x, trial.op_id)
        expected += list(result.codes)
        analog += int(core.analog_cycles(trial.op, result.steps).sum())
    run = replay(build(cfg, tmp_path), script)
    np.testing.assert_array_equal(run.codes, expected)
    assert (run.error, run.cycles_analog) == (0, analog)
    assert run.cycles_hold > 0


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
def test_the_core_programs_its_cells_as_the_reference(tmp_path: Path) -> None:
    lines, g_bits, verify_bits = 64, 8, 10
    cfg = PinEmulatorConfig(core=CoreConfig(lines=lines), g_bits=g_bits, lanes=16, verify_bits=verify_bits)
    write = WriteVerifyConfig(lines=lines, verify_bits=verify_bits)
    rng = np.random.default_rng(lines)
    simulator = build_program(cfg, write, tmp_path)
    for parameters in (
        WriteVerifyParameters(passes=2, set_cycles=1, reset_cycles=3, wait_cycles=5),
        WriteVerifyParameters(passes=1, form=True, form_cycles=2),
    ):
        table = pulse_table(cfg, WriteVerifyParameters(), seed=int(rng.integers(2**32)))
        cells = rng.integers(0, 2**g_bits // 16, (lines, lines))
        top = 25 if parameters.form else 2**verify_bits * 4 // 5
        targets = rng.integers(20, top, (lines, lines))
        skip = rng.random((lines, lines)) < 0.1
        reference = EmulatedCells(cfg, cells, table)
        expected = program(write, parameters, targets, reference, skip)
        loads = [*cell_loads(cfg, cells), *pulse_loads(table)]
        run = run_program(simulator, cfg, write, parameters, loads, targets, skip)
        for name, column in (("polarity", 0), ("amplitude", 1), ("cycles", 2)):
            np.testing.assert_array_equal(run.pulses[:, column], expected.pulses[name])
        assert len(expected.pulses) > lines
        np.testing.assert_array_equal(run.codes, expected.codes)
        np.testing.assert_array_equal(run.faults, expected.faults)
        np.testing.assert_array_equal(run.counts, expected.counts)
        np.testing.assert_array_equal(verify_code(cfg, reference.cells)[~skip], run.codes[-1][~skip])


def test_cells_end_in_the_band_after_as_many_pulses_as_those_of_the_device() -> None:
    chip, device = load_chip("ulx3s-85f"), load_device("rram-neurram")
    cfg = PinEmulatorConfig(core=CoreConfig(lines=64), g_bits=8)
    write, parameters = WriteVerifyConfig.from_chip(chip), WriteVerifyParameters.from_chip(chip)
    scales = pulse_config(chip)
    targets = scales.codes(np.random.default_rng(1).uniform(1.0, 40.0, (64, 64)))
    cells = EmulatedCells(cfg, np.full((64, 64), 15), pulse_table(cfg, parameters))
    result = program(write, parameters, targets, cells)
    assert not result.faults[-1].any()
    error = verify_code(cfg, cells.cells) - targets
    assert np.abs(error).max() <= parameters.tolerance
    # The first pass of cells that are not of whole codes, and relax afterwards.
    wanted = program(write, parameters, targets, PulseArray(scales, device=device, seed=1, core=0)).counts[0]
    counts = result.counts[0]
    assert counts.mean() == pytest.approx(wanted.mean(), rel=0.08)
    assert counts.std() == pytest.approx(wanted.std(), rel=0.15)
    correlation = np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1]
    assert abs(correlation) < 0.1


def test_thresholds_have_the_spread_that_is_asked_for() -> None:
    cfg = PinEmulatorConfig(core=CoreConfig(lines=64), g_bits=12, verify_bits=12)
    parts = np.zeros((3, 256), dtype=np.int64)
    parts[:, 100:] = 2**14
    table = PulseTable(parts=parts, ends=np.array([4000, 0, 1000]), cell_spread=5, seed=3)
    every = np.arange(64**2)
    moved = []
    for amplitude in range(60, 140):
        cells = EmulatedCells(cfg, np.full((64, 64), 50), table)
        cells.pulse(every, np.zeros_like(every), np.full_like(every, amplitude), np.ones_like(every))
        moved.append((cells.cells > 50).mean())
    steps = np.diff(moved, prepend=0.0)
    mean = (steps * np.arange(60, 140)).sum()
    assert abs(mean - 100.5) < 0.5
    assert abs(np.sqrt((steps * (np.arange(60, 140) - mean) ** 2).sum()) - 5.0) < 0.3


@pytest.mark.parametrize(("g_bits", "verify_bits"), [(8, 10), (4, 10), (8, 8), (12, 12)])
def test_cells_are_known_from_their_verify_codes(g_bits: int, verify_bits: int) -> None:
    cfg = small(g_bits=g_bits, verify_bits=verify_bits)
    codes = np.arange(2**g_bits)
    seen = verify_code(cfg, codes)
    assert (seen[0], seen[-1]) == (0, 2**verify_bits - 1)
    assert np.abs(seen - codes * (2**verify_bits - 1) / (2**g_bits - 1)).max() < 1.0
    np.testing.assert_array_equal(cell_code(cfg, seen), codes)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"memory": "spram"}, r"^memory must be block at the level of the pins, not 'spram'$"),
        ({"noise": True}, r"^noise must be False at the level of the pins$"),
        ({"converters": 3}, r"^converters must be a power of two between 2 and 16, not 3$"),
        ({"verify_bits": 13}, r"^verify_bits must be between 8 and 12, not 13$"),
    ],
)
def test_illegal_parameters(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**fields)


def test_a_device_that_does_not_answer_to_pulses() -> None:
    with pytest.raises(InputError, match=r"^pulse.set_rate and pulse.reset_rate must be positive to program by pulses"):
        PulseTable.of(
            small(), load_device("ideal").pulse, scales=pulse_config(load_chip("neurram-core")), pulse_s=1e-6,
            cycles=(1, 1, 1),
        )  # fmt: skip
