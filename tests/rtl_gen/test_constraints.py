"""Constraints, read by OpenSTA on a netlist of the bus behind the ports of a generated top."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.rtl_gen import generate
from mho.rtl_gen.emit import module_texts
from mho.rtl_gen.parts import macro_design
from mho.rtl_gen.tapeout_files import sdc

TOP = "mho_core_wb"
CHIP = load_chip("tnsa16-core", {"verilog.reset": "async_low"})
LIBERTY = Path(__file__).with_name("small.lib")
SYNTHESIS = f"""
read_verilog rtl/*.v stubs/*.v
blackbox mho_core mho_core_host
synth -top {TOP} -flatten
dfflegalize -cell $_DFF_P_ 01 -cell $_DFF_PN0_ 01
dfflibmap -liberty {LIBERTY}
abc -liberty {LIBERTY}
splitnets
setundef -zero
opt_clean -purge
write_verilog -noattr -noexpr -nohex -nodec -defparam netlist.v
"""


def _report(folder: Path, commands: str, **variables: str) -> str:
    """What OpenSTA says after it has read netlist and constraints."""
    (folder / "commands.tcl").write_text(
        f"read_liberty {LIBERTY}\nread_verilog netlist.v\nlink_design {TOP}\nread_sdc {TOP}.sdc\n{commands}\n"
    )
    run = subprocess.run(
        ["sta", "-exit", "-no_splash", "commands.tcl"], cwd=folder, env=os.environ | variables, check=True,
        capture_output=True, text=True,
    )
    printed = run.stdout + run.stderr
    assert "Error" not in printed, printed
    return printed


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("constraints")
    generate(CHIP, folder)
    subprocess.run(["yosys", "-q", "-p", SYNTHESIS], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.slow
@pytest.mark.cosim("yosys", "sta")
def test_every_path_is_constrained(design: Path) -> None:
    printed = _report(design, "report_checks -from [get_ports wb_stb_i] -digits 3")
    assert re.search(r"10\.000 +10\.000 +clock clk \(rise edge\)", printed)
    assert re.search(r"3\.333 +3\.333 [v^] input external delay", printed)
    assert re.search(r"-0\.100 +9\.900 +clock uncertainty", printed)
    hold = _report(design, "report_checks -path_delay min -from [get_ports wb_stb_i] -digits 3")
    assert re.search(r"0\.000 +0\.000 [v^] input external delay", hold)
    assert "(unconstrained)" not in _report(design, "report_checks -unconstrained")


@pytest.mark.cosim("yosys", "sta")
def test_reset_may_fall_at_any_time_and_rises_with_the_clock(design: Path) -> None:
    assert "No paths found" in _report(design, "report_checks -fall_from [get_ports rst_n]")
    assert "recovery check" in _report(design, "report_checks -rise_from [get_ports rst_n]")


@pytest.mark.cosim("sta")
def test_clock_of_the_macro_is_a_clock(design: Path) -> None:
    """Here a port of the bus stands for it: paths from it to the other clock are none."""
    macro = macro_design(
        CHIP, module_texts(CHIP, "wishbone"), TOP, "mho_", what="", cores=("core.",),
    )[0]
    (design / "plain.sdc").write_text((design / f"{TOP}.sdc").read_text())
    try:
        (design / f"{TOP}.sdc").write_text(sdc(replace(macro, clocks=(("wb_cyc_i", 250.0),))))
        written = _report(design, "write_sdc written.sdc\n") + (design / "written.sdc").read_text()
    finally:
        (design / "plain.sdc").replace(design / f"{TOP}.sdc")
    assert re.search(r"create_clock -name wb_cyc_i -period 4\.0+ .*\[get_ports \{wb_cyc_i\}\]", written)
    assert re.search(r"set_clock_groups (?s:.*)-asynchronous", written)
    assert not re.search(r"set_input_delay .*get_ports \{wb_cyc_i\}", written)
    assert re.search(r"set_clock_uncertainty 0\.1\d* wb_cyc_i", written)


@pytest.mark.cosim("yosys", "sta")
def test_surroundings_are_variables(design: Path) -> None:
    """LibreLane's variables are taken: a driving cell instead of a transition, shares, loads."""
    settings = {"SYNTH_DRIVING_CELL": "BUF/X", "IO_DELAY_CONSTRAINT": "20", "OUTPUT_CAP_LOAD": "70"}
    written = _report(design, "write_sdc written.sdc\n", **settings) + (design / "written.sdc").read_text()
    assert re.search(r"set_driving_cell -lib_cell BUF -pin \{?X\}?", written)
    for way in ("input", "output"):
        delays = re.findall(rf"set_{way}_delay ([\d.]+) (.*)", written)
        assert {(float(delay), limit) for delay, rest in delays for limit in re.findall(r"-(max|min)", rest)} == {
            (2.0, "max"), (0.0, "min"),
        }
    assert re.search(r"set_load -pin_load 0\.070*", written)
    assert re.search(r"set_max_fanout 16", written)
    assert re.search(r"set_max_transition 1\.0", written)
    assert "set_input_transition" not in written


@pytest.mark.cosim("yosys", "sta")
def test_the_clock_outside_may_be_as_late_as_a_register_s(design: Path) -> None:
    pin = "[get_full_name [lindex [all_registers -clock_pins] 0]]"
    _report(design, f"set io_reference {pin}\nread_sdc {TOP}.sdc\nwrite_sdc written.sdc\nputs {pin}\n")
    assert re.search(r"set_input_delay 3\.33.*-reference_pin", (design / "written.sdc").read_text())
