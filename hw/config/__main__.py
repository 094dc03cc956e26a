"""Writes the JSON Schema anew: ``python -m hw.config``."""

from hw.config.schema import SCHEMA_FILE, schema_text

SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
