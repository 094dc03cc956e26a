"""The evidence of a board, by one call: from its netlist at its serial pins."""

import pytest

from mho.fpga.evidence.verify import verify
from mho.hw.config import load_chip
from mho.macro_models.errors import InputError


@pytest.mark.cosim("yosys", "verilator", "g++", "make")
@pytest.mark.long
def test_the_netlist_of_a_board_gives_the_codes_of_the_numpy_models() -> None:
    lines: list[str] = []
    evidence = verify("colorlight-i5", place=False, note=lines.append)
    assert (evidence.netlist.operations, evidence.netlist.codes) == (4, 4 * 16)
    assert (evidence.pulses, evidence.bitstream, evidence.build) == (None, None, None)
    assert lines[-1] == "simulating the netlist at its serial pins ..."


@pytest.mark.cosim("yosys", "verilator", "g++", "make")
@pytest.mark.long
def test_the_netlist_of_a_board_with_tiles_runs_a_network_as_the_numpy_models() -> None:
    chip = load_chip("tnsa16-2x2", {"core.g_bits": 4, "mesh.payload_bits": 32, "tile.lanes": 2, "tile.buffer_kib": 2})
    evidence = verify("ulx3s-85f", chip, place=False)
    assert evidence.netlist.codes == 2 * chip.lines // 4


def test_what_does_not_fit_is_refused_before_anything_is_made() -> None:
    with pytest.raises(InputError, match=r"^neurram-core is too large for hx8k-breakout: its cells need "):
        verify("hx8k-breakout", load_chip("neurram-core"))
    with pytest.raises(InputError, match=r"^there is no board 'colourlight-i5', did you mean colorlight-i5\?$"):
        verify("colourlight-i5")
