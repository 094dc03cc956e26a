"""What tools and programs take a register map by: IP-XACT, and a driver in C against a simulated core."""

import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from mho.hw.config import load_chip
from mho.hw.host.registers import Access, Register, RegisterMap
from mho.hw.kinds import core_blocks
from mho.hw.kinds.tnsa.registers import tnsa_map
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.registers.map import node_map
from mho.rtl_gen import generate
from mho.rtl_gen.ip_xact import NAMESPACE, ip_xact
from mho.rtl_gen.registers import c_driver, c_header

HERE = Path(__file__).parent
ORDER = {
    # IEEE 1685-2014: elements of a kind stand in this order.
    "component": ["vendor", "library", "name", "version", "memoryMaps", "description"],
    "memoryMap": ["name", "description", "addressBlock", "addressUnitBits"],
    "addressBlock": ["name", "description", "baseAddress", "range", "width", "usage", "access", "register"],
    "register": ["name", "description", "addressOffset", "size", "field"],
    "field": ["name", "description", "bitOffset", "resets", "bitWidth", "volatile", "access", "modifiedWriteValue"],
}


def _name(node: Xml.Element) -> str:
    return node.tag.removeprefix(f"{{{NAMESPACE}}}")


def _text(node: Xml.Element, path: str) -> str:
    element = node.find("/".join(f"{{{NAMESPACE}}}{part}" for part in path.split("/")))
    assert element is not None
    return element.text or ""


def _number(text: str) -> int:
    return int(text.removeprefix("'h"), 16) if text.startswith("'h") else int(text)


@pytest.mark.parametrize("map", [tnsa_map(256, manual=True), tnsa_map(16, parameters=None), node_map(MeshConfig())])
def test_ip_xact_says_the_same(map: RegisterMap) -> None:
    root = Xml.fromstring(ip_xact(map, "mho_core_wb"))
    for node in root.iter():
        if (order := ORDER.get(_name(node))) is not None:
            places = [order.index(_name(child)) for child in node]
            assert places == sorted(places), _name(node)
    assert _text(root, "name") == "mho_core_wb"
    elements, ends = {}, 0
    for block in root.iter(f"{{{NAMESPACE}}}addressBlock"):
        base, size = _number(_text(block, "baseAddress")), _number(_text(block, "range"))
        assert base >= ends
        ends = base + size
        registers = list(block.iter(f"{{{NAMESPACE}}}register"))
        for node in registers:
            elements[_text(node, "name")] = base + _number(_text(node, "addressOffset")), node
        if not registers:
            elements[_text(block, "name")] = base, block
            assert _text(block, "usage") == "memory"
    assert list(elements) == [entry.name for entry in map.entries]
    for entry in map.entries:
        address, node = elements[entry.name]
        assert address == entry.address
        if not isinstance(entry, Register):
            assert _number(_text(node, "range")) == 4 * entry.words
            continue
        fields = list(node.iter(f"{{{NAMESPACE}}}field"))
        for placed, field in zip(entry.placed, fields, strict=True):
            place = _text(field, "name"), _number(_text(field, "bitOffset")), _number(_text(field, "bitWidth"))
            assert place == (placed.field.name, placed.low, placed.field.width)
            writes = _text(field, "access") != "read-only"
            assert writes == (placed.field.access is not Access.R)
            if placed.field.access is Access.RW:
                assert _number(_text(field, "resets/reset/value")) == placed.field.reset


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
