"""A user's own macro behind the pins of a core whose columns share converters."""

from pathlib import Path

import pytest

from mho.hw.config import load_chip
from mho.macro_models.errors import InputError
from mho.sim.core.bench.verify import verify_core

PINS = {
    "clk": "CK", "row_pos": "XP", "row_neg": "!XN_B", "wl_en": "WL", "sample": "SMP", "plane": "PL",
    "capture": "!CAP_B", "step_code": "STEP[17:2]", "group": "GRP", "codes": "Q",
    "write_mode": "PROG", "write_wl": "W_ROW", "write_bl": 0, "write_sl": "W_COL", "set_pulse": "SET_P",
    "reset_pulse": "!RST_B", "form_pulse": "FORM_P", "amplitude": "AMP", "verify": "VFY", "write_pass": "PASS",
    "verify_code": "CODE", "verify_valid": "RDY",
}
PORTS = """\
module MY_ARRAY (
  input CK, input [31:0] XP, input [31:0] XN_B, input [31:0] WL, input SMP, input [2:0] PL, input CAP_B,
  input [17:0] STEP, input [1:0] GRP, output [31:0] Q, input PROG, input [31:0] W_ROW, input [31:0] W_COL, input SET_P,
  input RST_B, input FORM_P, input [7:0] AMP, input VFY, input [3:0] PASS, output [9:0] CODE, output RDY
);
endmodule
"""


def described(folder: Path, pins: dict[str, object]) -> Path:
    lines = [f'{name} = "{pin}"' if isinstance(pin, str) else f"{name} = {pin}" for name, pin in pins.items()]
    (folder / "my_array.v").write_text(PORTS)
    path = folder / "own.toml"
    path.write_text("\n".join([
        'schema = 1\nextends = "array-32"\nname = "own-array"\n[macro]\nmodule = "MY_ARRAY"\nfiles = ["my_array.v"]',
        "[macro.pins]", *lines, '[macro.ties]\n"STEP[1:0]" = 0\n',
    ]))
    return path


@pytest.mark.slow
@pytest.mark.cosim
def test_products_and_pulses_go_through_the_adapter(tmp_path: Path) -> None:
    report = verify_core(load_chip(described(tmp_path, PINS)), operations=6)
    assert "adapter of its own macro" in report.macro
    assert report.operations == 6


@pytest.mark.cosim
def test_a_pin_that_is_missing_is_named(tmp_path: Path) -> None:
    chip = load_chip(described(tmp_path, {name: pin for name, pin in PINS.items() if name != "plane"}))
    with pytest.raises(InputError, match="plane"):
        verify_core(chip, operations=1)
