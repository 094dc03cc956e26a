"""The documents of the instruction set are those of its definition."""

import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mho.hw.tile.isa import DESCRIPTORS, INSTRUCTIONS, Cause, Op, encode
from tests.hw.tile.documents.draw import pictures
from tests.hw.tile.documents.page import c_header, reference_page

ROOT = Path(__file__).parents[3]


def test_the_page_is_written_anew():
    page = (ROOT / "docs" / "reference" / "isa.md").read_text(encoding="utf-8")
    assert page == reference_page(), "python -m tests.hw.tile.documents writes it"


def test_the_header_is_written_anew():
    header = (ROOT / "hw" / "tile" / "isa.h").read_text(encoding="utf-8")
    assert header == c_header(), "python -m tests.hw.tile.documents writes it"


def test_every_field_and_cause_is_on_the_page():
    page = reference_page()
    names = {f.name for entry in [*INSTRUCTIONS.values(), *DESCRIPTORS.values()] for f in entry.layout.fields}
    assert [name for name in names if f"`{name}`" not in page] == []
    rows = dict(re.findall(r"^\| \d+ \| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    assert all(rows[cause.name.lower()] for cause in Cause if cause)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_program_in_c_packs_the_same_word(tmp_path):
    (tmp_path / "t.c").write_text(
        '#include <stdio.h>\n#include "isa.h"\n'
        "#define PUT(at, v) (((unsigned)(v) & at##_MASK) << at##_LOW)\n"
        'int main(void) { printf("%u", MHO_OP_SEND << MHO_OPCODE_LOW | PUT(MHO_SEND_STREAM, 3) | PUT(MHO_SEND_N, 200)'
        " | PUT(MHO_SEND_FREE, 1)); return 0; }\n")
    build = ["cc", "-Wall", "-Werror", "-I", str(ROOT / "hw" / "tile"), "t.c", "-o", "t"]
    subprocess.run(build, cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "t"], capture_output=True, text=True, check=True).stdout
    assert int(printed) == encode(Op.SEND, stream=3, n=200, free=1)


def test_the_pictures_are_drawn_anew():
    for name, text in pictures().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, "python -m tests.hw.tile.documents draws it"
        ElementTree.fromstring(text)
