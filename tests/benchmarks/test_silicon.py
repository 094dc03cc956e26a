"""The table of areas in standard cells, where the open library that it is made with is at hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.generate import count

ROOT = Path(__file__).parents[2]

LIBRARY = ROOT.parent / "shared/data/ihp-sg13g2/sg13g2_stdcell_slow_1p08V_125C.lib.gz"
LEAST_um2 = 47.0
"""Area of the smallest flip-flop of that library (sg13g2_dfrbpq_1: 48.99)."""


@pytest.mark.slow
@pytest.mark.cosim("yosys")
@pytest.mark.skipif(not LIBRARY.exists(), reason=f"{LIBRARY} is not there")
def test_areas_of_a_small_core(tmp_path: Path) -> None:
    """Every flip-flop is there, with its area; blocks sum to the whole; memories and the macro are left out."""
    command = [
        sys.executable, "benchmarks/silicon.py", "tnsa16-core", "--liberty", str(LIBRARY), "--wrap", "none",
        "--set", "programming.engine=false", "--no-timing",
        "--json", str(tmp_path / "out.json"),
    ]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = json.loads((tmp_path / "out.json").read_text())
    modules = module_texts(load_chip("tnsa16-core", {"programming.engine": False}), "none")
    statistics = count(modules, next(iter(modules)))
    # Yosys leaves out flip-flops that are constant or alike, and encodes states anew.
    assert found["flip_flops"] == pytest.approx(statistics.flip_flops, rel=0.03)
    assert sum(found["memory_bits"].values()) == statistics.memory_bits
    blocks = {block["module"]: block for block in found["blocks"]}
    assert not any(name.startswith("mem_") for name in blocks)
    assert blocks["line_counters"]["flip_flops"] > 16 * 9
    assert all(block["area"] >= LEAST_um2 * block["flip_flops"] for block in blocks.values())
    assert found["area_mm2"] == pytest.approx(sum(block["area"] for block in blocks.values()) / 1e6)
    assert f"{found['flip_flops']:,}" in printed
