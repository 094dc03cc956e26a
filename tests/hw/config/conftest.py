"""What tests of chip files share."""

from pathlib import Path

import pytest


@pytest.fixture
def chip_file(tmp_path, monkeypatch):
    """Writes a chip file into an empty folder, which is the current one, and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "chip.toml") -> str:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    return write
