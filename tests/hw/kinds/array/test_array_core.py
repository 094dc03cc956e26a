"""Cores whose columns share converters: their Verilog gives the bits of their model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mho.hw.config import Chip, load_chip
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.kinds import energy, timing
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks
from mho.rtl_gen.generate import generate
from mho.sim.core.bench.verify import verify_core
from tests.hw.kinds.array.configurations import random_chip


def test_durations_follow_the_description() -> None:
    chip = load_chip("array-32")
    op = chip.operation(in_bits=5, in_signed=True)
    # Four planes, each settles for two cycles and is converted for eight columns of a bit a cycle.
    assert timing(chip).worst_cycles(op) == 4 * (2 + 8 * 8) + 1
    pulses = load_chip("array-32", {"read.accumulate": "analog", "input.drive": "pulse", "adc.kind": "ramp"})
    assert timing(pulses).worst_cycles(op) == 15 * 2 + 8 * 256 + 1
    groups = load_chip("array-32", {"input.row_groups": 4, "input.bits": 2, "adc.kind": "count"})
    assert timing(groups).worst_cycles(op) == 2 * 4 * (2 + 8 * 129) + 1


@pytest.mark.parametrize(("key", "value", "sentence"), [
    ("core.columns", 36, "core.columns must be in steps of 8, not 36"),
    ("core.rows", 0, "core.rows must be an integer 8 to 1024, not 0"),
    ("adc.columns", 32, "adc.columns must be a divisor of the 16 columns .* that core.columns = 32 has, not 32"),
    ("input.drive", "pulse", r"input.drive must be .* unless input.bits = 1 and read.accumulate = .analog., not"),
    ("core.rows", 264, "programming.engine must be false where core.rows is beyond 256, .* not true at 264"),
    ("core.lines", 16, "unknown key core.lines; a core of this kind has core.rows and core.columns"),
])
def test_what_it_cannot_be_is_refused(key: str, value: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_chip("array-32", {key: value})


def test_rows_that_tiles_do_not_name_are_refused() -> None:
    with pytest.raises(InputError, match=r"tile.programs must be false where core.rows is beyond 256, .* true at 784"):
        load_chip("liu-2020", {"tile.programs": True})


def test_columns_that_would_be_one_group_are_refused() -> None:
    load_chip("array-32", {"core.columns": 16})
    with pytest.raises(InputError, match=r"adc.lanes must be .* the 8 columns .*, and fewer than these, not 8"):
        load_chip("array-32", {"core.columns": 16, "adc.lanes": 8})


def checked(chip: Chip, operations: int, simulator: str = "verilator") -> None:
    report = verify_core(chip, operations=operations, devices=["ideal", "rram-neurram"], simulator=simulator)
    assert report.operations == operations
    assert sum(report.counts["codes"].values()) > report.counts["codes"]["0"]


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("keys", [
    {}, {"core.rows": 8, "core.columns": 8, "adc.columns": 4, "adc.lanes": 2}, {"core.rows": 24, "core.columns": 48},
    {"core.rows": 264, "programming.engine": False, "read.chop": False},
])
def test_its_verilog_is_its_model(keys: dict[str, object]) -> None:
    checked(load_chip("array-32", keys), 16)


@pytest.mark.slow
@pytest.mark.cosim("iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("accumulate", ["digital", "analog"])
def test_its_verilog_is_its_model_in_icarus(accumulate: str) -> None:
    checked(load_chip("array-32", {"read.accumulate": accumulate}), 4, "icarus")


@pytest.mark.long
@pytest.mark.cosim("verilator", "iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("weights", ["pairs", "offset", "arrays"])
@pytest.mark.parametrize(("rows", "columns"), [(8, 256), (256, 8), (24, 8), (40, 136)])
def test_long_and_narrow_arrays(rows: int, columns: int, weights: str) -> None:
    outputs = columns if weights == "offset" else columns // 2
    few = {"adc.columns": 4, "adc.lanes": 2} if outputs % 8 else {}
    chip = load_chip("array-32", few | {"core.rows": rows, "core.columns": columns, "core.weights": weights})
    checked(chip, 12)
    checked(chip, 4, "icarus")


@pytest.mark.long
@pytest.mark.cosim
@pytest.mark.parametrize("seed", range(200))
def test_any_description(seed: int) -> None:
    checked(random_chip(seed, 48), 6)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "iverilog", "vvp", "cocotb")
@pytest.mark.parametrize("chip", [3, 14, {"core.rows": 24, "core.columns": 48}])
def test_what_is_generated_passes_its_test(chip: int | dict[str, object], tmp_path: Path) -> None:
    # The preset programs its cells, in the test too.
    generate(random_chip(chip) if isinstance(chip, int) else load_chip("array-32", chip), tmp_path / "out")
    command = [sys.executable, "-m", "pytest", "-q", "tb"]
    done = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.parametrize("keys", [
    {}, {"input.bits": 2, "input.row_groups": 2}, {"read.accumulate": "analog", "input.drive": "pulse"},
])
def test_cells_take_what_ohms_law_says(keys: dict[str, object]) -> None:
    chip = ArrayChip.of(load_chip("array-32", keys))
    costs, op = energy(chip), chip.operation(in_bits=6, in_signed=False)
    assert costs is not None
    rng, masks = np.random.default_rng(0), Masks.reset(32)
    x, g_uS = rng.integers(0, 64, 32), rng.uniform(1, 40, (32, 32))
    parts = costs.inputs(op, masks, 1, costs.weight(x), g_uS.sum(axis=1))
    cells, levels = parts["cells"], 2**chip.input.bits - 1
    # The supply gives the current of the mean digit; 0.9 V are 4.5 times the read voltage.
    assert parts["drivers"] == pytest.approx(cells * (4.5 * 3 * levels / (2 * levels + 1) - 1))
    bits, expected = chip.input.bits, 0.0
    pulse = chip.input.drive == "pulse"
    for digit in range(0, 6, bits):
        volts = 0.2 * (x >> digit & 2**bits - 1) / (2**bits - 1)
        # Two cycles to settle, or to integrate, of 10 ns; then columns are held.
        cycles = 2 * 2**digit if pulse else 2
        expected += float((volts**2 * g_uS.sum(axis=1)).sum()) * cycles * 10.0 / 1000.0
    assert cells == pytest.approx(expected)
    longer = energy(load_chip("array-32", keys | {"energy.conduct": "step"}))
    assert longer is not None
    step = longer.inputs(op, masks, 1, costs.weight(x), g_uS.sum(axis=1))["cells"] / cells
    assert step == pytest.approx(1 if pulse else (2 + 8 * 8) / 2)
    mean = costs.operation(op, masks, np.zeros((1, 1), np.int64))
    conversions = 1 if pulse else 6 // bits * chip.input.row_groups
    assert mean["conversion"] == pytest.approx(2.6 * 16 * conversions)
    uniform = sum(costs.weight(np.arange(64))) / 64 * 32 * 32 * chip.mean_g_uS
    assert mean["cells"] == pytest.approx(costs.inputs(op, masks, 1, np.array([1]), np.array([1.0]))["cells"] * uniform)
