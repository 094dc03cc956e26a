"""A chip of tiles behind the host link: random accesses over the serial line beside programs."""

import pytest

from fpga.link.chip import verify_line
from hw.config import load_chip


@pytest.mark.long
@pytest.mark.cosim("verilator", "g++", "make")
def test_random_accesses_over_the_line_beside_programs() -> None:
    report = verify_line(load_chip("tnsa16-core", {"mesh.columns": 3}), accesses=120)
    assert (report.accesses, report.host) == (120, "serial line")
    assert report.images > 2
    assert report.errors > 5
