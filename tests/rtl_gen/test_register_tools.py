"""A driver in C of a register map, against a simulated core."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.hw.kinds import core_blocks
from mho.rtl_gen import generate
from mho.rtl_gen.registers import c_driver, c_header

HERE = Path(__file__).parent


@pytest.mark.cosim("gcc")
@pytest.mark.parametrize(("programs", "manual"), [(True, True), (False, True), (True, False), (False, False)])
def test_driver_is_plain_c(programs: bool, manual: bool, tmp_path: Path) -> None:
    keys = {"programming.engine": programs, "core.manual": manual, "programming.pulses": manual}
    chip = load_chip("tnsa16-core", keys)
    (tmp_path / "My_core.h").write_text(c_header(core_blocks(chip).registers, "My_core"))
    (tmp_path / "driver.h").write_text(text := c_driver(chip, "My_core"))
    assert "@" not in text
    assert ("put_target" in text, "put_pulses" in text) == (programs, programs and manual)
    assert ("manual_begin" in text, "manual_pulse" in text) == (manual, manual and programs)
    (tmp_path / "main.c").write_text('#include "driver.h"\n#include "driver.h"\nint main(void) { return 0; }\n')
    gcc = shutil.which("gcc") or "gcc"
    options = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fsyntax-only"]
    subprocess.run([gcc, *options, "main.c"], cwd=tmp_path, check=True)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++")
def test_driver_runs_a_simulated_core(tmp_path: Path) -> None:
    """Products both ways, masks, an operation that is refused, programming and its pin, the pins by hand."""
    generate(load_chip("tnsa16-core", {"core.manual": True}), tmp_path)
    (tmp_path / "main.cpp").write_text((HERE / "driver_main.cpp.txt").read_text())
    command = ["verilator", "--cc", "--exe", "--build", "-MAKEFLAGS", "VM_PARALLEL_BUILDS=0", "-O0",
               "-CFLAGS", f"-O0 -I{tmp_path}/regs", "-Wno-fatal",
               "--quiet", "--top-module", "mho_core_wb", "-F", "mho_core_wb.f", "tb/tnsa_macro.v", "main.cpp"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    run = subprocess.run(["obj_dir/Vmho_core_wb"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stdout == "0 wrong\n"
