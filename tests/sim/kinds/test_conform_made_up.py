"""A kind that is an addition of files conforms as those do that are shipped: cycles, keys, schema."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mho.hw.config import Chip, chip_class
from mho.macro_models.integer.operation import Direction
from mho.rtl_gen.generate import generate
from tests.hw.kinds.plain_kind import described, plain_kind
from tests.sim.core import test_generated_macro as generated
from tests.sim.kinds import test_conform_cycles as cycles
from tests.sim.kinds import test_conform_driver as driver
from tests.sim.kinds import test_conform_keys as keys

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def chip(tmp_path: Path) -> Iterator[Chip]:
    with plain_kind(tmp_path):
        yield described(24, 40, bits=12)


@pytest.mark.cosim("gcc")
def test_the_driver_speaks_as_the_streams_do(chip: Chip, tmp_path: Path) -> None:
    driver.spoken(chip, Direction.FORWARD, tmp_path)


@pytest.mark.cosim
def test_a_compiled_network_has_the_same_bits_on_the_ideal_macro(chip: Chip, tmp_path: Path) -> None:
    net, x = generated.network(generated.as_users(chip, tmp_path))
    generated.same_bits(net, x, tmp_path)


@pytest.mark.cosim("verilator", "iverilog", "cocotb")
@pytest.mark.parametrize(("simulator", "options"), [
    ("icarus", {"wrap": "wishbone"}), ("verilator", {"wrap": "none"}),
    pytest.param("verilator", {"part": "chip", "wrap": "none"}, marks=[pytest.mark.slow, pytest.mark.long]),
])
def test_the_first_test_of_what_is_generated_passes(tmp_path: Path, simulator: str, options: dict[str, str]) -> None:
    mesh = {"columns": 2} if "part" in options else {}
    generate(described(40, 16, mesh=mesh, bits=7), tmp_path / "out", **options)
    environment = os.environ | {"SIM": simulator}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "out" / "tb")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.cosim
def test_cycles_are_one_number(chip: Chip) -> None:
    cycles.check_worst(chip)
    cycles.check_cycles(chip)


def test_keys_shape_what_they_say(chip: Chip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "smallest", lambda kind: chip)
    keys.bases.cache_clear()
    try:
        shaped = 0
        keys.test_no_other_key_changes_the_verilog_of_a_part("plain", "core")
        for section, name, spec in keys.all_keys(chip_class("plain")):
            if "core" in spec.shapes and section in ("core", "sar") and name != "kind":
                keys.test_every_key_of_a_part_changes_its_verilog("plain", "core", section, name)
                shaped += 1
        assert shaped == 6
    finally:
        keys.bases.cache_clear()


def test_the_schema_has_its_keys(chip: Chip) -> None:
    import jsonschema

    from tests.hw.config.chip_page import json_schema

    schema: Any = jsonschema.Draft202012Validator(json_schema())
    assert keys.accepted("plain", "sar", "bits", 5, schema) == (True, True)
    assert keys.accepted("plain", "sar", "bits", 13, schema) == (False, False)
    assert keys.accepted("tnsa", "sar", "bits", 5, schema) == (False, False)
