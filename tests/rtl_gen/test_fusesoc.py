"""Targets of the generated FuseSoC core, run by FuseSoC."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.rtl_gen import generate


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fusesoc")
    generate(load_chip("tnsa16-core"), folder / "core")
    return folder


def _run(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COCOTB"))} | {"PATH": path}
    command = ["fusesoc", "--cores-root", "core", "run", f"--target={target}", "::mho_core_wb:0"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.cosim("fusesoc", "verilator")
def test_lint(core: Path) -> None:
    run = _run(core, "lint")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "%Warning" not in run.stdout + run.stderr


@pytest.mark.cosim("fusesoc", "iverilog", "cocotb", "make")
@pytest.mark.slow
def test_sim_runs_the_bench_and_fails_with_it(core: Path) -> None:
    run = _run(core, "sim")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "PASS=3" in run.stdout
    model = core / "core/tb/tnsa_macro.v"
    model.write_text(model.read_text().replace("% 13", "% 12"))
    assert _run(core, "sim").returncode != 0


@pytest.mark.cosim("fusesoc", "yosys")
@pytest.mark.slow
def test_synth_gives_a_netlist(core: Path) -> None:
    run = _run(core, "synth")
    assert run.returncode == 0, run.stdout + run.stderr
    (netlist,) = core.glob("build/mho_core_wb_0/synth/mho_core_wb_0.v")
    assert "module mho_core_wb(" in netlist.read_text()
