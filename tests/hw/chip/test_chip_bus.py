"""A chip behind its buses, against the bus models of cocotbext-wishbone and cocotbext-axi."""

import json
from pathlib import Path

import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from hw.config import PulseChip, load_chip
from rtl_gen import emit_core
from rtl_gen.macro.model import write_macro_model

CHIP = {"mesh.columns": 3, "mesh.payload_bits": 32}


def run(wrap: str, simulator: str, folder: Path, accesses: int) -> None:
    """Random accesses of one master beside programs."""
    chip = PulseChip.of(load_chip("tnsa16-core", CHIP))
    sources = emit_core(chip, folder / "rtl", wrap, part="chip")
    model = folder / "tnsa_macro.v"
    model.write_text(write_macro_model("tnsa_macro", chip.lines, chip.programming.verify_bits))
    runner, top = get_runner(simulator), f"mho_{sources[0].stem}"
    runner.build(
        sources=[*sources, model], hdl_toplevel=top, build_dir=folder, timescale=("1ns", "1ps"),
        build_args=["-g2005"] if simulator == "icarus" else ["-Wno-fatal", "-O3"],
    )
    environment = {"MHO_WRAP": wrap, "MHO_CHIP": json.dumps(CHIP), "MHO_ACCESSES": str(accesses)}
    results = runner.test(
        hdl_toplevel=top, test_module="tests.hw.chip.bench_chip", build_dir=folder, test_dir=folder,
        extra_env=environment, results_xml=str(folder / "results.xml"),
    )
    assert get_results(results) == (1, 0)


@pytest.mark.cosim("iverilog", "cocotb")
@pytest.mark.slow
@pytest.mark.parametrize("wrap", ["wishbone", "axil"])
def test_random_accesses_beside_programs_from_unknown(wrap: str, tmp_path: Path) -> None:
    run(wrap, "icarus", tmp_path, 200)
