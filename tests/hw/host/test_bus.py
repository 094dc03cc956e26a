"""Cores behind a bus, against the bus models of cocotbext-wishbone and cocotbext-axi."""

from pathlib import Path

import pytest
from cocotb_tools.runner import get_results, get_runner

from hw.config import load_chip
from rtl_gen import emit_core
from rtl_gen.macro_model import write_macro_model


def _run(wrap: str, simulator: str, folder: Path) -> None:
    chip = load_chip("tnsa16-core")
    sources = emit_core(chip, folder / "rtl", wrap)
    model = folder / "tnsa_macro.v"
    model.write_text(write_macro_model("tnsa_macro", chip.lines))
    runner = get_runner(simulator)
    top = f"mho_{sources[0].stem}"
    flags = ["-g2005"] if simulator == "icarus" else ["-Wno-fatal"]
    runner.build(
        sources=[*sources, model], hdl_toplevel=top, build_dir=folder,
        build_args=flags, timescale=("1ns", "1ps"),
    )  # fmt: skip
    results = runner.test(
        hdl_toplevel=top, test_module="tests.hw.host.bench_core", build_dir=folder, test_dir=folder,
        extra_env={"MHO_WRAP": wrap, "MHO_HASH": chip.sha256[:8]}, results_xml=folder / "results.xml",
    )  # fmt: skip
    total, failed = get_results(results)
    assert total == 9
    assert failed == 0


@pytest.mark.cosim("iverilog", "cocotb")
@pytest.mark.slow
@pytest.mark.parametrize("wrap", ["wishbone", "axil"])
def test_core_behind_bus_from_unknown(wrap: str, tmp_path: Path) -> None:
    _run(wrap, "icarus", tmp_path)


@pytest.mark.cosim
@pytest.mark.slow
def test_core_behind_wishbone_verilated(tmp_path: Path) -> None:
    _run("wishbone", "verilator", tmp_path)
