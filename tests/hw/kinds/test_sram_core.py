"""Digital cores of bits: their model is plain integers, their Verilog is their model, networks are those quantised."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import CompileOptions
from mho.compiler.network import Network
from mho.compiler.passes import compile_model, compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.programs import tile_code
from mho.hw.config import Chip, load_chip
from mho.hw.kinds import energy, timing
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks
from mho.macro_models.kinds import family
from mho.rtl_gen.generate import generate
from mho.sim.core.bench.verify import verify_core
from mho.sim.core.cosim import CosimBackend
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.backend import TileCosimBackend
from tests.compiler.importer.onnx_models import build, node
from tests.sim.outputs import float_outputs

X = np.random.default_rng(1).uniform(-1, 1, size=(48, 12)).astype("f4")
RNG = np.random.default_rng(1)
WEIGHTS = {"a": (RNG.normal(size=(24, 12)) / 3.5).astype("f4"), "b": (RNG.normal(size=(10, 24)) / 5).astype("f4")}
NODES = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r b", "y", transB=1)]
MODEL = build(NODES, WEIGHTS, shape=("batch", 12), output=("batch", "k"))


def chip_of(bits: int, rows: int = 24, outputs: int = 16, **keys: object) -> Chip:
    values = {name.replace("__", "."): value for name, value in keys.items()}
    core = {"core.weight_bits": bits, "core.rows": rows, "core.columns": bits * outputs}
    return load_chip("sram-64", core | values)


def held(cells: NDArray[Any], bits: int) -> list[list[int]]:
    """Weights that bits are, one number at a time."""
    result = []
    for row in cells.tolist():
        words = [row[k : k + bits] for k in range(0, len(row), bits)]
        codes = [sum(bit << k for k, bit in enumerate(word)) for word in words]
        result.append([2 * code - 1 if bits == 1 else code - (code >> bits - 1 << bits) for code in codes])
    return result


@pytest.mark.parametrize("bits", range(1, 9))
def test_products_are_those_of_plain_integers(bits: int) -> None:
    chip, rng = chip_of(bits), np.random.default_rng(bits)
    config = chip.macro_config()
    cells = rng.integers(0, 2, config.cell_map.shape).astype(float)
    model = family("sram").model(config, cells, device=load_device("ideal"), seed=0, core=0)
    weights = held(cells.astype(int), bits)
    for step_code, signed in ((1, True), (2, False), (37, True), (512, False), (65535, False)):
        op = replace(chip.operation(in_bits=8, in_signed=signed), step_code=step_code, relu=signed)
        x, masks = rng.integers(*op.input_range, size=(3, 24), endpoint=True), Masks.reset(*config.cell_map.shape)
        masks.wl[0, 5] = masks.lines[0, bits] = False
        products, step = model.mvm(op, masks, x, 0).codes.tolist(), 2 ** (len(f"{step_code:b}") - 1)
        for vector, codes in zip(x.tolist(), products, strict=True):
            vector[5] = 0
            for column, code in enumerate(codes):
                total = sum(code * row[column] for code, row in zip(vector, weights, strict=True))
                nearest = min(max((4 * total + step) // (2 * step), -32767), 32767)
                assert code == (0 if column == 1 or (signed and nearest < 0) else nearest)


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_weights_become_the_nearest_numbers_and_back(bits: int) -> None:
    cell_map = chip_of(bits).macro_config().cell_map
    numbers = np.array([-1.0, 1.0]) if bits == 1 else np.arange(1 - 2 ** (bits - 1), 2 ** (bits - 1), dtype=float)
    cells = cell_map.split(numbers, 0.0, 1.0)
    assert np.array_equal(np.unique(cells), [0.0, 1.0])
    assert np.array_equal(cell_map.join(cells), numbers)
    assert np.array_equal(cell_map.join(cell_map.split(numbers + 0.4, 0.0, 1.0)), numbers)
    assert cell_map.top(0.0, 1.0) == numbers[-1]


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_bits_that_are_stuck_leave_the_nearest_number(bits: int) -> None:
    cell_map, rng = chip_of(bits).macro_config().cell_map, np.random.default_rng(0)
    fixed = np.where(rng.random((bits, 200)) < 0.4, rng.integers(0, 2, (bits, 200)), np.nan)
    targets = rng.uniform(-1, 1, 200) * cell_map.top(0.0, 1.0)
    words = np.stack([np.arange(2**bits) >> k & 1 for k in range(bits)]).astype(float)
    numbers, (smallest, largest) = cell_map.join(words), cell_map.reach(fixed, 0.0, 1.0)
    cells = cell_map.split_around(targets, fixed, 0.0, 1.0)
    for k, word in enumerate(cells.T):
        fits = np.all(np.isnan(fixed[:, k, None]) | (fixed[:, k, None] == words), axis=0)
        assert np.all(np.isnan(fixed[:, k]) | (fixed[:, k] == word))
        assert (smallest[k], largest[k]) == (numbers[fits].min(), numbers[fits].max())
        error = abs(cell_map.join(word[:, None])[0] - targets[k])
        assert error == pytest.approx(np.abs(numbers[fits] - targets[k]).min())


@pytest.mark.parametrize(("key", "value", "sentence"), [
    ("core.weight_bits", 7, "core.weight_bits must be a divisor of core.columns = 256, not 7"),
    ("core.columns", 36, "core.columns must be in steps of 8, not 36"),
    ("core.columns", 16, "sum.lanes must be a divisor of the 4 columns .*, and fewer than these, not 4"),
    ("cells.g_max_uS", 2.0, "unknown key cells.g_max_uS"),
    ("core.g_bits", 8, "unknown key core.g_bits"),
    ("device", "rram-neurram", "cells.g_min_uS to cells.g_max_uS must be 1 to 40 uS as in device"),
])
def test_what_it_cannot_be_is_refused(key: str, value: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        compile_model(MODEL, load_chip("sram-64", {key: value}), calibrate=X)


def test_durations_and_energy_follow_the_description() -> None:
    chip = load_chip("sram-64")
    op, costs = chip.operation(in_bits=5, in_signed=True), energy(chip)
    assert timing(chip).worst_cycles(op) == 4 * 2 + 1
    assert costs is not None
    sums_pJ = costs.operation(op, Masks.reset(64, 256), np.zeros((1, 1), np.int64))["sums"]
    assert sums_pJ == pytest.approx(4 * 64 * 256 * 0.01705)


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize(("bits", "rows", "outputs", "simulator"), [
    (4, 64, 64, "verilator"), (1, 256, 24, "verilator"), (8, 256, 32, "verilator"), (3, 24, 48, "verilator"),
    pytest.param(4, 24, 12, "icarus", marks=pytest.mark.cosim("iverilog", "vvp", "cocotb")),
])
def test_its_verilog_is_its_model(bits: int, rows: int, outputs: int, simulator: str) -> None:
    report = verify_core(chip_of(bits, rows, outputs), operations=16, devices=["ideal"], simulator=simulator)
    assert report.operations == 16
    assert report.counts["codes"]["within the range"] > 100


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("bits", [1, 4])
def test_what_is_generated_passes_its_test(bits: int, tmp_path: Path) -> None:
    generate(chip_of(bits), tmp_path / "out")
    command = [sys.executable, "-m", "pytest", "-q", "tb"]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def compiled(chip: Chip, **options: Any) -> Network:
    return compile_model(MODEL, chip, calibrate=X, options=CompileOptions(seeds=1, **options))


def error(network: Network) -> float:
    outputs, exact = execute(network, FunctionalBackend(), X).outputs, float_outputs(network, X)
    return float(np.sqrt(((outputs - exact) ** 2).mean()) / exact.std())


@pytest.mark.slow
def test_networks_are_as_good_as_their_bits() -> None:
    coarse, fine = error(compiled(chip_of(4, 64, 32), in_bits=8)), error(compiled(chip_of(8, 64, 32), in_bits=8))
    sliced = error(compiled(chip_of(4, 64, 64), in_bits=8, slices=2))
    assert fine < 0.01
    assert 0.02 < coarse < 0.12
    assert sliced < coarse / 2.0


@pytest.mark.slow
@pytest.mark.cosim
def test_a_core_in_verilog_gives_the_bits_of_the_model() -> None:
    network, backend = compiled(chip_of(4, 64, 64)), CosimBackend()
    try:
        result = execute(network, backend, X[:4])
    finally:
        backend.close()
    assert {code & code - 1 for layer in network.layers for mvm in layer.mvms for code in (mvm.op.step_code,)} == {0}
    assert np.array_equal(result.outputs, execute(network, FunctionalBackend(), X[:4]).outputs)


@pytest.mark.long
@pytest.mark.cosim
def test_tiles_in_verilog_give_the_bits_of_the_model() -> None:
    network = compile_tiles(MODEL, load_chip("sram-2x2"), calibrate=X, options=CompileOptions(seeds=1))
    network = replace(network, tiles=tile_code(tile_programs(network)))
    backend = TileCosimBackend()
    try:
        result = execute(network, backend, X[:3])
    finally:
        backend.close()
    assert np.array_equal(result.outputs, execute(network, FunctionalBackend(), X[:3]).outputs)
