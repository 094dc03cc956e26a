"""Writes the generated files of the chip description anew: ``python -m mho.hw.config``, in a clone."""

from pathlib import Path

from mho.hw.config.schema import SCHEMA_FILE, reference_page, schema_text

SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
page = Path(__file__).parents[3] / "docs" / "reference" / "chip.md"
page.parent.mkdir(parents=True, exist_ok=True)
page.write_text(reference_page(), encoding="utf-8")
