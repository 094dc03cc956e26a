"""An exported network in somebody else's firmware, built by CMake: on this machine, bare, and as a module of Zephyr."""

import subprocess
from pathlib import Path

import pytest

from mho.api.net import Net
from tests.sim.export.test_export_c import layer

PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(app C)
set(CMAKE_C_FLAGS "-Wall -Wextra -Werror ${FLAGS}")
add_subdirectory(${MODULE} networks)
add_executable(app main.c)
target_link_libraries(app PRIVATE mho_networks)
"""
ZEPHYR = """\
# What Zephyr's own CMake offers to a module.
function(zephyr_library_named name)
  add_library(${name} STATIC)
  set(zephyr_library ${name} PARENT_SCOPE)
endfunction()
macro(zephyr_library_sources)
  target_sources(${zephyr_library} PRIVATE ${ARGV})
endmacro()
function(zephyr_include_directories)
  include_directories(${ARGV})
  target_include_directories(mho_networks PUBLIC ${ARGV})
endfunction()
"""
MAIN = """\
#include "first.h"
#include "second.h"
static uint32_t nothing(void *context, uint32_t address) { (void)context; (void)address; return 0; }
static void ignore(void *context, uint32_t address, uint32_t word) { (void)context; (void)address; (void)word; }
int main(void) {
  const mho_tiles_bus_t bus = {nothing, ignore, NULL, NULL};
  return first.inputs == FIRST_INPUTS && second.inputs == 8 && mho_tiles_load(&bus, &second) == MHO_TILES_EID ? 0 : 1;
}
"""


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two networks in a folder."""
    folder = tmp_path_factory.mktemp("firmware")
    net = Net(layer()[0])
    for name in ("first", "second"):
        _, files = net.export(folder / "module", name=name)
        assert {"CMakeLists.txt", "zephyr/module.yml"} < set(files)
    (folder / "main.c").write_text(MAIN)
    return folder


def built(firmware: Path, name: str, project: str, *options: str) -> Path:
    source = firmware / name
    source.mkdir()
    (source / "CMakeLists.txt").write_text(project)
    (source / "main.c").write_text(MAIN)
    module = f"-DMODULE={firmware / 'module'}"
    for command in (["cmake", "-S", source, "-B", source / "build", module, *options],
                    ["cmake", "--build", source / "build"]):
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
    return source / "build" / "app"


@pytest.mark.slow
@pytest.mark.cosim("cmake", "gcc")
@pytest.mark.parametrize("system", ["", ZEPHYR])
def test_firmware_with_the_module_of_a_network_finds_that_there_is_no_chip(firmware: Path, system: str) -> None:
    app = built(firmware, "zephyr" if system else "host", PROJECT.replace("set(CMAKE", f"{system}set(CMAKE"))
    assert subprocess.run([app]).returncode == 0


@pytest.mark.slow
@pytest.mark.cosim("cmake", "riscv64-unknown-elf-gcc")
def test_the_module_is_built_bare(firmware: Path) -> None:
    app = built(
        firmware, "bare", PROJECT, "-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_C_COMPILER=riscv64-unknown-elf-gcc",
        "-DFLAGS=-march=rv32im_zicsr -mabi=ilp32 --specs=picolibc.specs",
        "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY")
    assert app.read_bytes()[:5] == b"\x7fELF\x01"
