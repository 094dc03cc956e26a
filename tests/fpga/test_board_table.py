"""The table of boards: what was built now, and what is left of earlier builds."""

from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import pytest

from mho.fpga.build.build import BuildReport
from tests.fpga import board_table

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "boards.md"

REPORT = BuildReport(
    board="hx8k-breakout", device="", status="", chip="hx8k-breakout", chip_sha256="", cores=1, lines=64, g_bits=4,
    lanes=32, slots=2, memory="block", noise=False, programs=False, serial=True, clock_hz=24_000_000, baud=3_000_000,
    flow="native", tools={}, used={"lut": 7000},
    available={"lut": 7680}, fmax_hz=30_000_000, critical="", seed=1, bitstream="", bitstream_bytes=0,
    bitstream_sha256="",
)


def test_one_board_is_measured_and_the_others_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "boards.md"
    copyfile(PAGE, page)
    before = board_table.rows_of(page)
    monkeypatch.setattr(board_table, "build", lambda *_, **__: replace(REPORT))
    arguments = ["--board", "hx8k-breakout", "--tools", "native", "--page", str(page), "--folder", str(tmp_path)]
    assert board_table.main(arguments) == 0
    lines = [line.removesuffix(" |").split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    measured = [line for line in lines if line[:2] == ["| hx8k-breakout", "hx8k-breakout"]]
    assert len(measured) == 1
    assert measured[0][10:13] == ["30.0 MHz", "24 MHz", "25.0%"]
    assert board_table.rows_of(page).keys() == before.keys()
    assert all(row[0].endswith(" *") for key, row in board_table.rows_of(page).items())
    marked = [line for line in lines if line[0].endswith(" *")]
    assert len(marked) == len(before) - 1


def test_every_row_of_the_page_has_a_margin_that_is_that_of_its_clock() -> None:
    rows = board_table.rows_of(PAGE)
    assert len(rows) >= 7
    for row in rows.values():
        fmax, clock = (float(row[k].removesuffix(" MHz")) for k in (10, 11))
        assert abs(float(row[12].removesuffix("%")) / 100 - (fmax / clock - 1)) < 0.005
        assert fmax >= clock
