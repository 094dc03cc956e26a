"""Writes the generated files of the instruction set anew: ``python -m tests.hw.tile.documents``, in a clone."""

from pathlib import Path

from tests.hw.tile.documents.draw import pictures
from tests.hw.tile.documents.page import c_header, reference_page

ROOT = Path(__file__).parents[4]
(ROOT / "hw" / "tile" / "isa.h").write_text(c_header(), encoding="utf-8")
(ROOT / "docs" / "reference" / "isa.md").write_text(reference_page(), encoding="utf-8")
for name, text in pictures().items():
    (ROOT / "docs" / name).write_text(text, encoding="utf-8")
