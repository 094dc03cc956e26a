from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.config import load_chip
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.core.masks import MaskFile
from mho.hw.emulator import (
    EmulatorConfig,
    LineTable,
    TableCache,
    VectorEmulator,
    cell_loads,
    check_core,
    line_table,
    noise_loads,
    table_loads,
)
from mho.hw.emulator.layout import NOISE
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.macro_models import CAUSES, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction, Masks, MvmOperation
from mho.macro_models.integer.shift_register import ShiftRegister
from mho.macro_models.tnsa.model import TnsaModel
from mho.sim.core.bench.stimulus import make_stimulus
from tests.hw.amaranth_bench import collect, get, put, random_inputs, random_operation, simulate
from tests.hw.emulator.emulator_bench import Script, build, replay
from tests.hw.emulator.emulator_reference import EmulatorReference

FROZEN = frozenset(CAUSES) - {"read-noise", "wire"}


def programmed(
    lines: int, g_bits: int, device: str = "rram-neurram", causes: frozenset[str] = FROZEN, **overrides: Any
) -> tuple[TnsaCoreConfig, TnsaModel]:
    corelet = {16: 4, 64: 8, 256: 16}[lines]
    chip = load_chip("neurram-core", overrides={"core.corelet": corelet, "core.g_bits": g_bits, **overrides})
    targets = np.random.default_rng(lines).uniform(1.0, 40.0, (lines, lines))
    model = TnsaModel(
        chip.macro_config(), targets, device=load_device(device), seed=3, core=1, time_s=86400.0, causes=causes
    )
    # As on a board, durations are constants: nothing drives what would trim them.
    return replace(TnsaCoreConfig.from_chip(chip), trim=False), model


def small(lines: int = 16, **fields: Any) -> EmulatorConfig:
    return EmulatorConfig(core=TnsaCoreConfig(lines=lines), **fields)


def random_masks(rng: np.random.Generator, lines: int) -> Masks:
    wl, line = (rng.random((8, lines)) < 0.8 for _ in range(2))
    return Masks(wl, line, rng.random(lines) < 0.1, rng.random(lines) < 0.1)


def random_table(rng: np.random.Generator, cells: np.ndarray) -> LineTable:
    lines = len(cells)
    top = max(int(cells.sum() / lines) // 10, 2)
    return LineTable(
        rng.integers(-top // 2, top // 2 + 1, lines), rng.integers(1, top, lines), rng.integers(1, top, lines)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lanes", "g_bits", "noise", "search_width"),
    [pytest.param(8, 8, True, 2, marks=pytest.mark.slow), (16, 4, False, 1), (16, 2, False, 1), (4, 8, True, 1)],
)
def test_codes_match_the_reference(lanes: int, g_bits: int, noise: bool, search_width: int) -> None:
    cfg = small(lanes=lanes, g_bits=g_bits, noise=noise, search_width=search_width)
    rng = np.random.default_rng(lanes)
    cells = rng.integers(0, 2**g_bits, (16, 16))
    dut, reference, file = VectorEmulator(cfg), EmulatorReference(cfg, cells), MaskFile(cfg.core)
    register = ShiftRegister.of(4.0, g_bits=g_bits, seed=5, core=1) if noise else None

    async def bench(ctx: Any) -> None:
        for word in cell_loads(cfg, cells):
            await put(ctx, dut.load, word.payload())
        for index, value in enumerate((register.key, register.step) if register else ()):
            await put(ctx, dut.load, {"region": NOISE, "index": index, "data": value})
        for number in range(2**32 - 15, 2**32 + 15):
            op, masks, table = random_operation(rng), random_masks(rng, 16), random_table(rng, cells)
            for mask, value in enumerate(masks.rows):
                for addr, word in file.words(mask, value):
                    await put(ctx, dut.mask, {"addr": addr, "data": word})
            for word in table_loads(cfg, 0, op, table):
                await put(ctx, dut.load, word.payload())
            x = random_inputs(op, 16, rng)
            await put(ctx, dut.op, pack(op, number))
            for word in pack_inputs(x[0]):
                await put(ctx, dut.i, word)
            words = [await get(ctx, dut.o) for _ in range(cfg.core.output_words)]
            expected, _ = reference.compute(op, masks, x, table, register, number)
            np.testing.assert_array_equal(np.array(words, dtype="<u4").view("<i2"), expected[0], err_msg=str(op))
        assert not ctx.get(dut.status.error)

    simulate(dut, bench, deadline=200_000)


def test_an_operation_without_a_table_gives_zeros_and_an_error() -> None:
    cfg = small()
    dut, op = VectorEmulator(cfg), MvmOperation()

    async def bench(ctx: Any) -> None:
        await put(ctx, dut.op, pack(op))
        for word in pack_inputs(np.full(8, 5)):
            await put(ctx, dut.i, word)
        assert [await get(ctx, dut.o) for _ in range(cfg.core.output_words)] == [0] * 8
        assert ctx.get(dut.status.error)

    simulate(dut, bench, deadline=1000)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), g_bits=st.integers(4, 12))
def test_the_reference_gives_the_codes_of_a_programmed_core(seed: int, g_bits: int) -> None:
    core, model = programmed(16, g_bits)
    cfg = EmulatorConfig(core=core, g_bits=g_bits)
    stimulus = make_stimulus([model], seed, 0)
    table = line_table(cfg, model, stimulus.op, stimulus.masks)
    codes, steps = EmulatorReference(cfg, model.cells).compute(stimulus.op, stimulus.masks, stimulus.x, table)
    expected = model.mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
    np.testing.assert_array_equal(codes, expected.codes)
    np.testing.assert_array_equal(steps, expected.steps)


def run_trials(cfg: EmulatorConfig, model: TnsaModel, folder: Path, operations: int, *, stall: int = 0) -> None:
    """Random operations of random masks, two vectors each, one behind the other."""
    check_core(cfg, model)
    script, expected, analog, conversions = Script(cfg), [], 0, 0
    script.load([*cell_loads(cfg, model.cells), *noise_loads(cfg, model)])
    cache = TableCache(cfg, model)
    for number in range(operations):
        stimulus = make_stimulus([model], 5, number, vectors=2)
        script.masks(stimulus.masks)
        if loads := cache.loads(stimulus.op, stimulus.masks):
            script.idle()  # tables of operations under way must stay
            script.load(loads)
        for x, op_id in zip(stimulus.x, stimulus.op_id, strict=True):
            script.operation(stimulus.op, x, int(op_id), pause=stimulus.gap % 3)
        result = model.mvm(stimulus.op, stimulus.masks, stimulus.x, stimulus.op_id)
        expected += list(result.codes)
        analog += int(cfg.core.analog_cycles(stimulus.op, result.steps).sum())
        conversions += 2 * stimulus.op.segments
    run = replay(build(cfg, folder), script, stall=stall)
    np.testing.assert_array_equal(run.codes, expected)
    assert (run.error, run.mvms, run.cycles_analog, run.cycles_hold) == (0, conversions, analog, 0)


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "lanes", "g_bits", "operations", "stall", "memory", "noise", "search_width"),
    [
        (16, 8, 12, 510, 0, "block", True, 1),
        pytest.param(64, 32, 4, 120, 2, "block", False, 4, marks=pytest.mark.long),
        pytest.param(256, 8, 8, 16, 0, "spram", True, 1, marks=pytest.mark.long),
    ],
)
def test_the_generated_verilog_gives_the_codes_and_cycles_of_a_programmed_core(
    lines: int, lanes: int, g_bits: int, operations: int, stall: int, memory: str, noise: bool,
    search_width: int, tmp_path: Path,
) -> None:
    device = ("lfsr", FROZEN | {"read-noise"}) if noise else ("rram-neurram", FROZEN)
    core, model = programmed(lines, g_bits, *device)
    cfg = EmulatorConfig(
        core=core, g_bits=g_bits, lanes=lanes, slots=4, memory=memory, noise=noise, search_width=search_width
    )
    run_trials(cfg, model, tmp_path, operations, stall=stall)


@pytest.mark.slow
@pytest.mark.parametrize(("lanes", "noise", "search_width"), [(8, False, 1), (8, True, 4), (16, False, 2)])
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("in_bits", [4, 8])
def test_operations_follow_each_other_without_a_gap(
    lanes: int, noise: bool, search_width: int, direction: Direction, in_bits: int
) -> None:
    cfg = small(lanes=lanes, noise=noise, search_width=search_width)
    op = MvmOperation(direction=direction, in_bits=in_bits)
    dut, done, sent, out = VectorEmulator(cfg), [], [], []
    words = pack_inputs(np.zeros(8 if direction is Direction.FORWARD else 16, dtype=np.int64))

    async def observe(ctx: Any) -> None:
        cycle = 0
        async for _, _, finished, valid, ready in ctx.tick().sample(dut.status.done, dut.i.valid, dut.i.ready):
            done.extend([cycle] * finished)
            sent.extend([cycle] * (valid and ready))
            cycle += 1
            if len(done) == 6:
                break

    async def send(ctx: Any) -> None:
        for number in range(6):
            await put(ctx, dut.op, pack(op, number))
            for word in words:
                await put(ctx, dut.i, word)

    simulate(dut, observe, send, collect(dut.o, 6 * cfg.core.output_words, out), deadline=5000)
    # An operation starts in the cycle after its last word of codes, or when its noise is drawn.
    assert done[0] - sent[len(words) - 1] - 1 == cfg.latency(op) + cfg.draw_cycles(op)
    assert np.diff(done).tolist() == [cfg.cycles(op)] * 5


def test_a_table_is_loaded_once_while_its_word_lines_stay() -> None:
    core, model = programmed(16, 8)
    cfg = EmulatorConfig(core=core)
    cache, masks = TableCache(cfg, model), Masks.reset(16)
    ops = [MvmOperation(step_code=code) for code in (10, 20, 30)]
    assert [len(cache.loads(ops[k], masks)) for k in (0, 1, 0, 2, 0, 1)] == [50, 50, 0, 50, 0, 50]
    other = Masks(np.arange(16) < 8, masks.lines, masks.bl_skip, masks.sl_skip)
    loads = cache.loads(ops[1], other)
    assert len(loads) == 50
    assert loads[0].index == 1  # the slot of the same tag, so that no two slots answer
    assert cache.loads(ops[1], other) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"g_bits": 17}, r"^g_bits must be between 2 and 16, not 17$"),
        ({"lanes": 24}, r"^lanes must be a power of two between 4 and 64, not 24$"),
        ({"lanes": 8, "g_bits": 2}, r"^lanes must be a power of two between 16 and 64, not 8$"),
        ({"slots": 1}, r"^slots must be a power of two between 2 and 16, not 1$"),
        ({"memory": "flash"}, r"^memory must be one of block, spram, not 'flash'$"),
        ({"memory": "spram", "g_bits": 5}, r"^memory spram needs words of a multiple of 16 bits and at most 16384 of "),
    ],
)
def test_illegal_parameters(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(64, **fields)


@pytest.mark.parametrize(
    ("causes", "overrides", "message"),
    [
        (
            FROZEN | {"read-noise"},
            {},
            r"^the emulator has no read noise of cells: leave that cause out \(without read-noise\), or ",
        ),
        (
            FROZEN | {"wire"},
            {"wires.r_row_ohm": 1.0},
            r"^the emulator has perfect wires: leave that cause out \(without wire\)$",
        ),
        (
            FROZEN,
            {"neuron.amplifier_gain": 100.0},
            r"^the emulator has ideal amplifiers: leave that cause out \(without adc\), or ",
        ),
    ],
)
def test_a_core_that_cannot_be_emulated(causes: frozenset[str], overrides: dict[str, Any], message: str) -> None:
    core, model = programmed(16, 8, causes=causes, **overrides)
    with pytest.raises(InputError, match=message):
        check_core(EmulatorConfig(core=core), model)


def test_the_noise_of_a_shift_register_needs_one_in_the_emulator() -> None:
    core, model = programmed(16, 8, "lfsr", FROZEN | {"read-noise"})
    check_core(EmulatorConfig(core=core, noise=True), model)
    with pytest.raises(InputError, match=r"^the emulator was built without a shift register for read noise: leave "):
        check_core(EmulatorConfig(core=core), model)
    with pytest.raises(InputError, match=r"^cells must have 10 bits where there is read noise, not 8$"):
        check_core(EmulatorConfig(core=core, g_bits=10, noise=True), model)


def test_a_core_of_wider_cells() -> None:
    core, model = programmed(16, 12)
    with pytest.raises(InputError, match=r"^the emulator holds 16 lines of 8 bits a cell, not 16 lines of 12 bits "):
        check_core(EmulatorConfig(core=core), model)


def test_cells_and_offsets_that_do_not_fit() -> None:
    cfg, one = small(), np.ones(16, dtype=np.int64)
    with pytest.raises(InputError, match=r"^cells must be 16 x 16 codes of 8 bits, not \(16, 16\)"):
        cell_loads(cfg, np.full((16, 16), 256))
    with pytest.raises(InputError, match=r"^offsets of the converters must be within 4080 codes, not 4081$"):
        LineTable.of(cfg, (2 * 4081 + 1) * one, one, one)
