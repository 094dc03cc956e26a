"""The body that is generated from the pins of a kind's contract answers as the kind's own, fast one does."""

import re

import numpy as np
import pytest

from mho.hw.config import Chip, kind_names, load_chip, preset_names
from mho.hw.kinds import core_blocks
from mho.macro_models.registry import module_of
from mho.rtl_gen.emit import boundary, module_texts
from mho.rtl_gen.macro.body import dpi_body, python_body
from mho.rtl_gen.macro.contract import write_pins_contract
from mho.sim.core.bench.verify import verify_core
from mho.sim.kinds import Body, body
from mho.sim.pins import packed

WITHOUT_PROGRAMMING = {"tnsa": {"programming.engine": False}}
"""Cells are programmed behind a kind's own body alone."""


def smallest(kind: str) -> Chip:
    chips = [load_chip(name) for name in preset_names()]
    name = min((c for c in chips if c.core.kind == kind and not c.tiled), key=lambda chip: chip.lines).name
    return load_chip(name, WITHOUT_PROGRAMMING.get(kind, {}))


@pytest.mark.slow
@pytest.mark.cosim
@pytest.mark.parametrize("kind", kind_names())
def test_a_core_is_verified_behind_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = smallest(kind)
    kind_module = module_of("mho.sim.kinds", kind)
    if hasattr(kind_module, "BODY"):  # with its values of ports that nobody drives
        monkeypatch.setattr(kind_module, "BODY", Body(defines=kind_module.BODY.defines))
    assert body(chip).macro is None
    report = verify_core(chip, operations=16, seed=2)
    assert report.operations == 16
    assert report.counts["codes"]["within the range"] > 25


@pytest.mark.parametrize("kind", kind_names())
def test_it_has_the_pins_of_the_contract_and_no_others(kind: str) -> None:
    chip = smallest(kind)
    pins = core_blocks(chip).pins
    for text in (dpi_body(chip, "array"), python_body(chip, "array")):
        ports = text[text.index("module array (") :].split(");")[0]
        assert [line.split()[-1].rstrip(",") for line in ports.splitlines()[1:]] == ["clk", *pins.members]
        assert all(name in text for name in (*pins.constants, *(n for n in pins.strobes if n in pins.members)))


def test_what_is_read_as_a_memory_is_answered_once_a_step() -> None:
    assert packed(np.array([[1, -1], [2, -8]]), 4) == 0x82F1
    chip = load_chip("array-32")
    for text in (dpi_body(chip, "array"), python_body(chip, "array")):
        assert "watched" not in text
        assert re.search(r"assign codes = \S*codes\S*\[group_before \* 32 \+: 32\];", text)
        assert "codes:128;" in text or "reg [127:0] codes;" in text


@pytest.mark.parametrize("kind", kind_names())
def test_a_contract_that_says_no_more_than_the_strobes_binds_them_to_nets_of_the_core(kind: str) -> None:
    chip = smallest(kind)
    pins, modules, adapter = core_blocks(chip).pins, module_texts(chip, "none"), boundary(chip, chip.verilog.prefix)
    core = next(name for name, text in modules.items() if f"  {adapter} " in text and name != adapter)
    text = write_pins_contract(chip, core, modules[core], adapter, "contract_of_pins")
    strobes = [name for name in pins.strobes if name in pins.members]
    assert text.count(": cover (") == len(strobes)
    nets = dict(re.findall(r"\.(\w+)\((\w+)\)", text[text.index("\nbind ") :]))
    assert all(re.search(rf"\b{nets[strobe]}\b", modules[core]) for strobe in strobes)
