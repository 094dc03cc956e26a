"""Random descriptions go through synthesis and placement as they are; some small ones are routed; a block with SRAM."""

import re
from pathlib import Path

import numpy as np
import pytest

from mho.hw.config import Chip, load_chip
from mho.macro_models.errors import InputError
from mho.sim.layout.harden import harden
from tests.hw.kinds.array.configurations import random_chip
from tests.sim.layout.test_harden import needs_tools
from tests.sim.layout.test_harden import pdk as pdk  # a fixture

KEYS = {
    "tnsa16-core": {"adc.bits": (4, 6, 8), "adc.input_bits": (3, 4, 8), "adc.early_stop": ("true", "false")},
    "pwm16-core": {"adc.bits": (4, 6, 8)},
    "sram-64": {"core.rows": (8, 16, 32), "core.columns": (32, 64), "sum.lanes": (2, 4)},
}


def description(seed: int) -> Chip:
    """A small chip, another for each seed: its kind, its widths, its reset, its clock gates, its ring for tests."""
    if seed % 4 == 3:
        return random_chip(seed, most_lines=24)
    rng = np.random.default_rng(seed)
    preset = list(KEYS)[seed % 4]
    keys = KEYS[preset] | {"verilog.reset": ("sync", "async_low"), "verilog.clock_gate": ("none", "module"),
                           "verilog.test": ("false", "true")}
    while True:
        try:
            drawn = {key: values[rng.integers(len(values))] for key, values in keys.items()}
            return load_chip(preset, tuple(f"{key}={value}" for key, value in drawn.items()))
        except InputError:
            continue  # values that exclude each other


@needs_tools
@pytest.mark.long
@pytest.mark.cosim
@pytest.mark.parametrize("seed", range(20))
def test_is_placed(pdk: Path, tmp_path: Path, seed: int) -> None:
    """Setup is not asked for: the clock of a description is as it was drawn."""
    layout = harden(description(seed), pdk, tmp_path, module="core", until="place")
    assert layout.cells > 100
    assert 0.1 < layout.utilisation < 0.9
    assert layout.limits == 0


@needs_tools
@pytest.mark.long
@pytest.mark.cosim
@pytest.mark.parametrize("seed", range(5))
def test_a_part_of_it_is_routed(pdk: Path, tmp_path: Path, seed: int) -> None:
    layout = harden(description(seed), pdk, tmp_path, module="mask_store", until="finish")
    assert (layout.routing, layout.antennas, layout.limits) == (0, 0, 0)
    assert layout.fast_ns >= 0


@needs_tools
@pytest.mark.long
@pytest.mark.cosim
def test_memories_match_their_netlist(pdk: Path, tmp_path: Path) -> None:
    """By the settings that the documentation gives, supplies included."""
    (settings,) = re.findall(r"```toml\n(\[memory\].*?)```", Path("docs/howto/harden.md").read_text(), re.DOTALL)
    (tmp_path / "chip.toml").write_text(f'schema = 1\nextends = "tnsa64-tile"\nname = "sram"\n{settings}')
    for name in re.findall(r"RM_[\w.]+", settings):
        (tmp_path / name).symlink_to(pdk / "lib" / name)
    chip = load_chip(str(tmp_path / "chip.toml"))
    layout = harden(chip, pdk, tmp_path / "layout", part="tile", module="parity_banks_32_128")
    assert (layout.routing, layout.antennas, layout.rules, layout.wrong_ports) == (0, 0, {}, ())
    assert layout.matches
    assert layout.fast_ns >= 0
