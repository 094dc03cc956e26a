"""A kind on the shared blocks is an addition of files: those in ``plain``, put where files of kinds are looked for."""

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.hw.board.config import BoardConfig
from mho.hw.chip.tops import build_tile, build_top
from mho.hw.config import Chip, chip_from_dict
from mho.hw.core.layout import pack, pack_inputs
from mho.hw.kinds import core_blocks, timing
from mho.hw.tile.config import TileConfig
from mho.macro_models import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.sim.board.backend import FpgaSimBackend
from mho.sim.build.verilate import verilog_text
from mho.sim.core.bench.verify import verify_core
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from tests.hw.amaranth_bench import bits_of, collect, feed, put, simulate
from tests.hw.kinds.plain_kind import described, plain_kind
from tests.sim.core.test_generated_macro import network


@pytest.fixture(autouse=True)
def added(tmp_path: Path) -> Iterator[None]:
    with plain_kind(tmp_path):
        yield


class Result(NamedTuple):
    codes: NDArray[np.int16]
    steps: NDArray[np.int64]


class PlainArray:
    """A macro of integer cells: as a model, and as a process that sees nothing but the pins."""

    def __init__(self, cfg: Any, rng: np.random.Generator) -> None:
        self.cfg, self.cells = cfg, rng.integers(-9, 10, (cfg.lines, cfg.columns))

    def converted(self, charge: NDArray[np.int64], step_code: int) -> NDArray[np.int64]:
        top = 2 ** (self.cfg.converter.bits - 1)
        return np.clip(charge // step_code, -top, top - 1)

    def mvm(self, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: object) -> Result:
        raw = 2 * self.converted((x * masks.driven(op)) @ self.cells, op.step_code) + 1
        limit = 2**op.out_bits - 1
        codes = np.clip(raw, -limit, limit)
        codes = np.where(masks.enabled(op) & ~(op.relu & (raw < 0)), codes, 0)
        return Result(codes.astype(np.int16), np.zeros((len(x), 1), dtype=np.int64))

    def process(self, pins: Any, hold: Iterator[int]) -> Callable[[Any], Coroutine[Any, Any, None]]:
        cfg = self.cfg

        async def process(ctx: Any) -> None:
            charge, codes, ends = np.zeros(cfg.columns, np.int64), np.zeros(cfg.columns, np.int64), 0
            result = codes
            frozen, plane, started = 0, 0, True
            ticks = ctx.tick().sample(
                pins.sample, pins.convert, pins.capture, pins.row_pos, pins.row_neg, pins.plane, pins.step_code,
                pins.group, pins.wl_en,
            )
            async for sampled in ticks:
                sample, convert, capture, pos, neg, weight, step_code, group, word_lines = sampled[2:]
                # A plane is taken at the end of its phase, when it has been on the rows for all but one of its cycles.
                if ends and not frozen:
                    ends -= 1
                    if not ends:
                        assert not pos & neg
                        assert (pos | neg) & ~word_lines == 0
                        levels = bits_of(pos, cfg.lines).astype(np.int64) - bits_of(neg, cfg.lines)
                        charge += (levels << plane) @ self.cells
                if sample:
                    if started:
                        charge[:], started = 0, False
                    ends, plane = cfg.sample_cycles - 1, weight
                if convert:
                    result, started = self.converted(charge, step_code), True
                if capture:
                    codes = result
                lanes = codes[group * cfg.lanes : (group + 1) * cfg.lanes].tolist()
                bits = cfg.converter.bits
                ctx.set(pins.codes, sum((code & (1 << bits) - 1) << bits * k for k, code in enumerate(lanes)))
                frozen = next(hold)
                ctx.set(pins.hold, frozen)

        return process


def products(chip: Chip, count: int, seed: int, *, ranged: bool) -> None:
    """Random products and masks of the core and of its reference: words, and counters."""
    rng = np.random.default_rng(seed)
    blocks: Any = core_blocks(chip, tiled=ranged)
    cfg, dut = blocks.cfg, blocks.digital()
    array = PlainArray(cfg, rng)
    reference = blocks.reference(array)
    masks = [(k, int(rng.integers(2**32))) for k in range(cfg.setting_words) if rng.integers(3)]
    for address, word in masks:
        reference.masks.write(address, word)
    descriptors, inputs, expected, ranges = [], list[int](), list[int](), []
    for number in range(count):
        signed = bool(rng.integers(2))
        op = chip.operation(in_bits=int(rng.integers(1, 9)), in_signed=signed)
        op = replace(op, out_bits=int(rng.integers(1, cfg.converter.bits + 1)), step_code=int(2 ** rng.uniform(0, 9)),
                     relu=bool(rng.integers(2)), wl_select=int(rng.integers(8)), line_select=int(rng.integers(8)))
        low, high = op.input_range
        x = pack_inputs(rng.integers(low, high + 1, cfg.inputs()))
        descriptors.append(pack(op, number))
        inputs += x
        first, last = sorted(rng.integers(0, cfg.output_words, 2).tolist()) if ranged else (0, cfg.output_words - 1)
        ranges.append(first | last << (cfg.output_words - 1).bit_length())
        expected += reference.run(descriptors[-1], x)[first : last + 1]
    words: list[int] = []

    async def drive(ctx: Any) -> None:
        for address, word in masks:
            await put(ctx, dut.mask, address | word << cfg.address_bits)
        for descriptor, word_range in zip(descriptors, ranges, strict=True):
            if ranged:
                ctx.set(dut.words.as_value(), word_range)
            await put(ctx, dut.op, descriptor)
        await ctx.tick().until(~dut.status.busy)
        assert ctx.get(dut.status.mvms) == count
        assert ctx.get(dut.status.cycles_analog) == reference.cycles_analog
        waited = ctx.get(dut.status.cycles_total) - ctx.get(dut.status.cycles_hold) - reference.cycles
        assert waited >= 0
        assert not ctx.get(dut.status.error)

    stall = lambda: int(rng.integers(3)) if seed % 2 else 0  # noqa: E731
    hold = (int(rng.random() < 0.1) for _ in iter(int, 1))
    simulate(
        dut, drive, feed(dut.i, inputs), collect(dut.o, len(expected), words, stall),
        processes=[array.process(dut.macro, hold)], deadline=100_000,
    )
    assert words == expected
    assert len(set(words)) > 5


@pytest.mark.parametrize(("rows", "columns", "ranged"), [(24, 40, False), (40, 16, True)])
def test_rows_and_columns_apart(rows: int, columns: int, ranged: bool) -> None:
    products(described(rows, columns, bits=6), 12, rows, ranged=ranged)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "columns", "lanes", "bits"), [(16, 128, 8, 8), (128, 24, 2, 3), (96, 64, 4, 1), (32, 32, 4, 12)]
)
def test_sizes_and_converters(rows: int, columns: int, lanes: int, bits: int) -> None:
    for seed, ranged in enumerate((False, True)):
        products(described(rows, columns, bits=bits, lanes=lanes), 8, seed, ranged=ranged)


def test_durations_say_what_a_product_takes() -> None:
    chip = described(16, 16, bits=4, t_sample_ns=30.0, t_bit_ns=20.0)
    op = chip.operation(in_bits=5, in_signed=True)
    assert timing(chip).worst_cycles(op) == 4 * 3 + 4 * 2 + 1


def test_what_it_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match=r"core\.lines must be 16 to 256 in steps of 8, not 20"):
        described(20, 40)


def test_its_tops_are_verilog_behind_a_bus() -> None:
    chip = described(24, 40)
    blocks = core_blocks(chip)
    assert [window.words for window in blocks.registers.windows] == [36, 6, 20]
    assert "module" in verilog_text(build_top(chip, "wishbone"), "top")


@pytest.mark.slow
def test_a_tile_has_its_words() -> None:
    content = {"schema": 1, "core": {"kind": "plain", "rows": 24, "columns": 40}, "mesh": {"columns": 2}}
    chip = chip_from_dict(content)
    (tile, *_) = TileConfig.of_tiles(chip).values()
    assert (tile.input_words, tile.forward_words, tile.output_words) == (6, 6, 20)
    assert "module" in verilog_text(build_tile(chip), "tile")


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize(("rows", "columns", "simulator"), [
    (24, 40, "verilator"), (64, 32, "verilator"),
    pytest.param(24, 40, "icarus", marks=pytest.mark.cosim("iverilog", "vvp", "cocotb")),
])
def test_its_verilog_is_its_model(rows: int, columns: int, simulator: str) -> None:
    report = verify_core(described(rows, columns, bits=8), operations=24, devices=["ideal"], simulator=simulator)
    assert report.operations == 24
    assert report.counts["codes"]["within the range"] > 100


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize(("rows", "columns", "bits"), [(24, 40, 8), (64, 16, 1)])
def test_a_network_has_the_same_bits_on_a_board(rows: int, columns: int, bits: int) -> None:
    net, x = network(described(rows, columns, bits=bits))
    ideal, board = load_device("ideal"), FpgaSimBackend(lanes=8)
    expected = execute(net, FunctionalBackend(), x, device=ideal, seed=0)
    result = execute(net, board, x, device=ideal, seed=0)
    board.close()
    assert len(np.unique(expected.outputs)) >= 10
    assert np.array_equal(result.outputs, expected.outputs)


def test_what_an_emulator_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match=r"there is no serial core of kind plain$"):
        _ = BoardConfig(chip=described(24, 40), serial=True)
