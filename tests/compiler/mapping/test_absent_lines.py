"""Lines that a macro smaller than its core has not: known from the description alone, and left unused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mho.compiler.mapping import place
from mho.hw.config import Chip, load_chip
from mho.macro_models import Masks, family, load_device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.macro_models.pwm.config import PwmConfig

STROBES = """
precharge = "PRE"
sample = "SMP"
compare = "CMP_EN"
latch = "LAT"
decrement = "DEC"
step_code = "STEP"
backward = "DIR"
plane = 0
dec_scale = 0
"""
LINES = """
bl_pos = "{open(160), BP}"
bl_neg = "{open(160), BN}"
sl_pos = "{open(96), SP}"
sl_neg = "{open(96), SN[159:0]}"
wl_en = ["{open(160), WL_A[63:32], WL_A[31:0], WL_B[31:0]}", "{open(64), WL_C}"]
cmp = "{96'd0, !CMP}"
"""


def chip(tmp_path: Path, pins: str, base: str = "neurram-core", more: Mapping[str, Any] | None = None) -> Chip:
    path = tmp_path / "small.toml"
    path.write_text(
        f'schema = 1\nextends = "{base}"\nname = "small"\n[macro]\nmodule = "M"\n[macro.pins]\n{STROBES}{pins}'
    )
    return load_chip(path, more or {})


def test_lines_without_pins_are_known(tmp_path: Path) -> None:
    small = chip(tmp_path, LINES)
    bit, source = small.macro_config().cell_map.absent
    assert np.flatnonzero(~bit).tolist() == list(range(96))
    assert np.flatnonzero(~source).tolist() == list(range(160))
    sizes = dict(small.sizes())
    assert sizes["lines of its macro"] == "96 bit lines, 160 source lines"
    assert sizes["cells"] == "15,360 (15,360 a core)"
    assert sizes["signed weights, forward"] == "48 x 160 a core"


def test_signals_that_a_macro_does_without_say_nothing(tmp_path: Path) -> None:
    pins = 'bl_pos = "BP"\nbl_neg = "BN"\nsl_pos = 0\nsl_neg = 0\nwl_en = 0\ncmp = "{A, B}"\n'
    assert not any(map(np.any, chip(tmp_path, pins).macro_config().cell_map.absent))


@pytest.mark.parametrize(
    ("pins", "key"), [
        (LINES.replace("!CMP", "HIGH, LOW"), "cmp"), (LINES.replace("{open(160), BP}", "{A, open(160), B}"), "bl_pos"),
    ],
)
def test_which_lines_are_there_must_be_said(pins: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"macro\.pins\.{key} must say the bits of its pins, as PIN\[7:0\], where "):
        chip(tmp_path, pins)


def test_a_macro_without_a_pair_of_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must leave two bit lines of a pair and a source line"):
        chip(tmp_path, LINES.replace("!CMP", "CMP").replace("open(160), BP", "open(255), BP"))


@pytest.mark.parametrize(
    ("commands", "lines"), [
        ('sample = ["2 pos[95:0]", "3 neg[95:0]"]\nread = ["6 line"]\nlines = 160\ndata_bits = 256', (96, 160)),
        ('sample = ["2 pos", "3 neg"]\nread = ["6 line"]\nlines = 160\ndata_bits = 256', (160, 160)),
        ('sample = ["2 bl_pos[15:0]", "2 bl_pos[31:16]"]\nread = ["6 line"]\ndata_bits = 16', (32, 256)),
    ],
)
def test_commands_say_which_lines_there_are(commands: str, lines: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    pins = "\n".join(f'{name} = "{name.upper()}"' for name in ("request", "command", "data", "done", "code"))
    path.write_text(
        'schema = 1\nextends = "neurram-core"\nname = "small"\nprogramming.engine = false\n[macro]\nmodule = "M"\n'
        f"[macro.pins]\n{pins}\n[macro.commands]\n{commands}\n"
    )
    config: Any = load_chip(path).macro_config()
    assert tuple(int((~absent).sum()) for absent in config.cell_map.absent) == lines
    assert config.absolute


def test_nothing_is_placed_where_there_are_no_cells(tmp_path: Path) -> None:
    small = chip(tmp_path, LINES)
    cell_map = small.macro_config().cell_map
    for shape in ((48, 160), (49, 160), (48, 161), (100, 400)):
        placement = place([shape], cell_map, copies=1)
        used = sum(int(block.rows.size * block.columns.size) for block in placement.blocks)
        assert used >= shape[0] * shape[1]
        for block in placement.blocks:
            assert block.rows.max() < 48
            assert block.columns.max() < 160
        bit, source = placement.dead_lines(0)
        assert bit[96:].all()
        assert source[160:].all()
        cores = placement.least
        assert cores == placement.bound == -(-shape[0] * shape[1] // (48 * 160))
    assert place([(49, 160)], load_chip("neurram-core").macro_config().cell_map, copies=1).least == 1


@pytest.mark.parametrize("causes", [frozenset[str](), None])
def test_cells_that_are_not_there_hold_nothing(causes: frozenset[str] | None, tmp_path: Path) -> None:
    """Neither as weights nor in the load of a line, whatever programming does."""
    small = chip(tmp_path, LINES)
    config = small.macro_config()
    target = np.full((256, 256), 20.0)
    model = family("tnsa").model(config, target, device=load_device("rram-neurram"), seed=1, core=0, causes=causes)
    assert not model.cells[96:].any()
    assert not model.cells[:, 160:].any()
    assert model.cells[:96, :160].all()
    masks = Masks.reset(256).without(*config.cell_map.absent)
    op = TnsaOperation(direction=Direction.BACKWARD, in_bits=4, out_bits=8, step_code=20)
    codes = model.mvm(op, masks, np.full((1, 256), 7), 0).codes
    assert codes[0, :96].all()
    assert not codes[0, 96:].any()




PULSES = ("device_pos", "device_neg", "start", "window", "step_code", "shift", "op_id", "reference", "reference_pos",
          "reference_neg", "capture", "count_row", "trim_write", "trim_column", "trim_data", "verify",
          "amplitude_write", "amplitude_column", "amplitude_data", "pulse", "count_pos", "count_neg")
ROWS = 'row_pos = "{open(160), RP}"\nrow_neg = "{open(160), RN[95:0]}"\nwl_en = "WL"\n'


@pytest.mark.parametrize("pins", [ROWS, 'row_pos = "RP"\nrow_neg = "RN"\nwl_en = "{open(640), WL[383:0]}"\n'])
def test_rows_of_a_phase_change_macro_without_pins_are_known(pins: str, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    named = "".join(f'{name} = "{name.upper()}"\n' for name in PULSES)
    head = 'schema = 1\nextends = "hermes-core"\nname = "small"\n[macro]\nmodule = "M"\n[macro.pins]\n'
    path.write_text(f"{head}{named}{pins}")
    small = load_chip(path)
    config = small.macro_config()
    assert config.cell_map.there == (96, 256)
    assert dict(small.sizes())["signed weights, forward"] == "96 x 256 a core"
    placed = place([(90, 10)], config.cell_map)
    assert all(block.rows.max() < 96 for block in placed.blocks)
    targets, device = np.full(config.cell_map.shape, 5.0), load_device("ideal")
    model = family("pwm").model(config, targets, device=device, seed=0, core=0)
    assert not model.cells[config.cell_map.absent[0]].any()
    assert isinstance(config, PwmConfig)
    assert PwmConfig.from_dict(config.to_dict()) == config
