"""The documents of a register map, read by other tools."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from systemrdl import RDLCompiler
from systemrdl.node import FieldNode, MemNode, RegNode

from mho.hw.host.registers import Access, Field, Register, RegisterMap, Window
from mho.hw.kinds.tnsa.registers import tnsa_map
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.registers.map import node_map
from mho.rtl_gen.registers import c_header, markdown, overview, system_rdl
from tests.rtl_gen.register_tables import PAGES, path_of, written

MAP = tnsa_map(256, "ab" * 32)
NODE = node_map(MeshConfig())


@pytest.mark.parametrize("map", [MAP, NODE], ids=["core", "node"])
def test_rdl_says_the_same(map: RegisterMap, tmp_path: Path) -> None:
    path = tmp_path / "map.rdl"
    path.write_text(system_rdl(map, "mho_core_wb"))
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    top = compiler.elaborate().top
    assert top.inst_name == "mho_core_wb"
    children = {child.inst_name: child for child in top.children(unroll=True)}
    assert list(children) == [entry.name for entry in map.entries]
    for entry in map.entries:
        node = children[entry.name]
        assert node.absolute_address == entry.address
        if isinstance(entry, Window):
            assert isinstance(node, MemNode)
            assert node.get_property("mementries") == entry.words
            continue
        assert isinstance(node, RegNode)
        fields = [field for field in node.children() if isinstance(field, FieldNode)]
        assert [(f.inst_name, f.low, f.high) for f in fields] == [(p.field.name, p.low, p.high) for p in entry.placed]
        for compiled, placed in zip(fields, entry.placed, strict=True):
            assert compiled.is_sw_writable == (placed.field.access is not Access.R)
            assert compiled.is_sw_readable == (placed.field.access is not Access.W)
            assert compiled.get_property("desc") == placed.field.doc
            if placed.field.constant or placed.field.access is Access.RW:
                assert compiled.get_property("reset") == placed.field.reset


@pytest.mark.cosim("gcc")
def test_c_header_has_the_addresses(tmp_path: Path) -> None:
    (tmp_path / "core.h").write_text(c_header(MAP, "mho_core"))
    prints = [f'printf("%u %s\\n", MHO_CORE_{e.name.upper()}, "{e.name}");' for e in MAP.entries]
    program = '#include <stdio.h>\n#include "core.h"\nint main(void) { ' + " ".join(prints)
    program += ' printf("%u mask\\n", MHO_CORE_STATUS_DONE_MASK >> MHO_CORE_STATUS_DONE_SHIFT); return 0; }\n'
    (tmp_path / "main.c").write_text(program)
    gcc = shutil.which("gcc") or "gcc"
    subprocess.run([gcc, "-Wall", "-Wextra", "-Werror", "-std=c99", "main.c", "-o", "main"], cwd=tmp_path, check=True)
    run = subprocess.run([str(tmp_path / "main")], check=True, capture_output=True, text=True)
    assert run.stdout.splitlines() == [*(f"{e.address} {e.name}" for e in MAP.entries), "1 mask"]


@pytest.mark.parametrize("page", PAGES)
def test_page_is_up_to_date(page: str) -> None:
    assert path_of(page).read_text(encoding="utf-8") == written(page), "tests.rtl_gen.register_tables writes it"


def test_a_page_of_a_generated_folder_says_what_each_field_does() -> None:
    text = markdown(MAP)
    assert text.startswith(overview(MAP))
    for register in MAP.registers:
        for field in register.fields:
            assert field.doc in text, (register.name, field.name)


def test_addresses_are_the_same_for_every_size() -> None:
    assert [e.address for e in tnsa_map(16).entries] == [e.address for e in MAP.entries]


def _field() -> Field:
    return Field(name="a", doc="A.")


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Field(name="A", doc=""), "Field name must be lower case with digits and underscores, not 'A'"),
        (lambda: Field(name="a", width=33, doc=""), "Field a must have between 1 and 32 bits, not 33"),
        (lambda: Field(name="a", width=2, reset=4, doc=""), "Reset of field a must fit in 2 bits, not 4"),
        (
            lambda: Field(name="a", access=Access.RW, constant=True, doc=""),
            "Field a must be read only to be constant, not RW",
        ),
        (
            lambda: Register(name="r", address=0, fields=(Field(name="a", width=32, doc=""), _field()), doc=""),
            "Register r must have at most 32 bits",
        ),
        (
            lambda: Window(name="w", address=0, words=4, access=Access.RW1C, doc=""),
            "Window w must be R, W or RW, not RW1C",
        ),
        (
            lambda: RegisterMap(name="m", doc="", address_width=4, entries=(
                Window(name="w", address=0, words=4, access=Access.R, doc=""),
                Register(name="r", address=12, fields=(_field(),), doc=""),
            )),
            "r must be at a multiple of 4 from 0x10 on, not 0xc",
        ),
        (
            lambda: RegisterMap(name="m", doc="", address_width=4, entries=(
                Register(name="r", address=0, fields=(_field(),), doc=""),
                Register(name="r", address=4, fields=(_field(),), doc=""),
            )),
            "Names must differ, and r is there twice",
        ),
        (
            lambda: RegisterMap(name="m", doc="", address_width=4, entries=(
                Window(name="w", address=0, words=5, access=Access.R, doc=""),
            )),
            "The map must fit in 0x10 bytes, not 0x14",
        ),
    ],
)
def test_bad_map_is_refused(build, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build()
