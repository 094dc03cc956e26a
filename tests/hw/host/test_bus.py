"""Cores behind a bus, against the bus models of cocotbext-wishbone and cocotbext-axi."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from cocotb_tools.runner import get_results, get_runner

from mho.hw.config import load_chip
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.rtl_gen import emit_core
from mho.rtl_gen.kinds.tnsa import write_macro_model

BENCHES = {"bench_core": 9, "bench_manual": 3, "bench_write": 4, "bench_trim": 4, "bench_ring": 1}
"""Tests of each."""
SHORT = ("bench_core", "bench_ring")
"""What reaches every register; the rest lies behind the registers and is the same at every bus."""


def _run(wrap: str, simulator: str, folder: Path, benches: Sequence[str] = tuple(BENCHES)) -> None:
    chip = load_chip("tnsa16-core", {"core.manual": True, "verilog.test": True, "programming.pulses": True})
    sources = emit_core(chip, folder / "rtl", wrap)
    model = folder / "tnsa_macro.v"
    model.write_text(write_macro_model("tnsa_macro", chip.lines, chip.programming.verify_bits))
    runner = get_runner(simulator)
    top = f"mho_{sources[0].stem}"
    flags = ["-g2005"] if simulator == "icarus" else ["-Wno-fatal"]
    runner.build(
        sources=[*sources, model], hdl_toplevel=top, build_dir=folder,
        build_args=flags, timescale=("1ns", "1ps"),
    )
    write = WriteVerifyConfig.from_chip(chip)
    parameters = {name: int(value) for name, value in asdict(WriteVerifyParameters.from_chip(chip)).items()}
    environment = {
        "COCOTB_REWRITE_ASSERTION_FILES": "*bench_*.py",
        "MHO_WRAP": wrap, "MHO_HASH": chip.sha256[:8], "MHO_PARAMETERS": json.dumps(parameters),
        "MHO_WRITE": json.dumps({"setup_cycles": write.setup_cycles, "verify_cycles": write.verify_cycles,
                                 "pulses": write.pulses}),
    }
    results = runner.test(
        hdl_toplevel=top, test_module=",".join(f"tests.hw.host.{name}" for name in benches), build_dir=folder,
        test_dir=folder, extra_env=environment, results_xml=folder / "results.xml",
    )
    total, failed = get_results(results)
    assert total == sum(BENCHES[name] for name in benches)
    assert failed == 0


@pytest.mark.cosim("iverilog", "cocotb")
@pytest.mark.slow
@pytest.mark.parametrize(("wrap", "benches"), [
    ("wishbone", SHORT), ("axil", SHORT),
    *(pytest.param(wrap, tuple(BENCHES), marks=pytest.mark.long) for wrap in ("wishbone", "axil")),
])
def test_core_behind_bus_from_unknown(wrap: str, benches: Sequence[str], tmp_path: Path) -> None:
    _run(wrap, "icarus", tmp_path, benches)


@pytest.mark.cosim
@pytest.mark.long
def test_core_behind_wishbone_verilated(tmp_path: Path) -> None:
    _run("wishbone", "verilator", tmp_path)
