"""Writes the generated files of the instruction set anew, with the pictures: ``python -m mho.hw.tile``, in a clone."""

from pathlib import Path

from mho.hw.tile.documents.draw import pictures
from mho.hw.tile.documents.page import c_header, reference_page

Path(__file__).with_name("isa.h").write_text(c_header(), encoding="utf-8")
docs = Path(__file__).parents[3] / "docs"
(docs / "reference" / "isa.md").write_text(reference_page(), encoding="utf-8")
for name, text in pictures().items():
    (docs / name).write_text(text, encoding="utf-8")
