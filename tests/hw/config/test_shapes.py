"""What a key shapes is said at the key: the Verilog of a part changes with its keys and with no other."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hw.board import BoardConfig
from hw.config import Chip, ChipError, chip_class, kind_names, load_chip
from hw.config.chip import sections_of
from hw.config.keys import KeySpec, keys_of
from hw.emulator import PinEmulatorConfig, PinLevelMacro
from hw.tile.config import TileConfig
from hw.tile.tile import Tile
from rtl_gen.parts import part_texts
from sim.build.verilate import verilog_text

PARTS = ("core", "noc", "tile", "emulator")
CORE = load_chip("tnsa16-core", {"energy.source": "a test", "area.source": "a test"})


def rtl(chip: Chip, part: str) -> Any:
    """The Verilog of a part; that of the network and of a tile are of a chip of several cores, and of a tile it
    is what is around core and node."""
    if part in ("noc", "tile"):
        chip = replace(chip, mesh=replace(chip.mesh, columns=3)) if chip.mesh.columns == 1 else chip
    else:
        chip = replace(chip, mesh=replace(chip.mesh, columns=1, rows=1))
    if part == "tile":
        return verilog_text(Tile(TileConfig.from_chip(chip)), "tile")
    if part == "emulator":
        cfg = BoardConfig(chip=chip, level="pin", lanes=16).emulator
        assert isinstance(cfg, PinEmulatorConfig)
        return verilog_text(PinLevelMacro(cfg), "emulator")
    prefix = chip.verilog.prefix
    texts = part_texts(part, chip, Path("nowhere"), "none", f"{prefix}{part}", prefix)
    return {path: text for path, text in texts.items() if path.startswith("rtl/")}


@cache
def rtl_as_it_is(part: str) -> Any:
    """The Verilog of a part of the chip that nothing was changed of."""
    return rtl(CORE, part)


def others(spec: KeySpec, value: Any) -> list[Any]:
    """Values that a key may have instead, those that differ most first."""
    if isinstance(value, bool):
        return [not value]
    if spec.choices:
        return [choice for choice in spec.choices if choice != value]
    if isinstance(value, tuple):
        return [(item,) for item in spec.pattern.split("|")]
    if isinstance(value, str):
        return [text for text in ("other", "other_") if text != value]
    if isinstance(value, (int, float)):
        low, high = spec.low or 0, spec.high or 0
        near = [2 * value, value + 1, value / 2, value * 1.1, value - 1, value + 10]
        return [type(value)(v) for v in near if low <= v <= high and type(value)(v) != value]
    return []


def changed(chip: Chip, section: str, name: str, spec: KeySpec) -> Chip | None:
    """The chip with another legal value of a key; None if there is none."""
    place = getattr(chip, section) if section else chip
    for value in others(spec, getattr(place, name)):
        try:
            new = replace(place, **{name: value})
            return replace(chip, **{section: new}) if section else new
        except ChipError:
            continue
    return None


def all_keys(chip: type[Chip]) -> list[tuple[str, str, KeySpec]]:
    keys = [("", name, spec) for name, spec in keys_of(chip).items()]
    for section, cls in sections_of(chip).items():
        keys += [(section, name, spec) for name, spec in keys_of(cls).items() if section != "macro"]
    return keys


KEYS = all_keys(type(CORE))


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_no_other_key_changes_the_verilog_of_a_part(part: str) -> None:
    chip = CORE
    for section, name, spec in KEYS:
        if part not in spec.shapes:
            new = changed(chip, section, name, spec)
            chip = chip if new is None else new
    assert rtl(chip, part) == rtl_as_it_is(part)
    assert chip.hardware(part) == CORE.hardware(part)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "section", "name"),
    [
        # Tiles take seconds each: most of them for a release.
        pytest.param(part, section, name, marks=[pytest.mark.long] * (part == "tile" and name != "lanes"))
        # Whether there are tiles at all is not seen in one of them.
        for section, name, spec in KEYS for part in spec.shapes if name not in ("kind", "at", "programs")
    ],
)
def test_every_key_of_a_part_changes_its_verilog(part: str, section: str, name: str) -> None:
    spec = next(spec for at, key, spec in KEYS if (at, key) == (section, name))
    chip = changed(CORE, section, name, spec)
    assert chip is not None
    assert rtl(chip, part) != rtl_as_it_is(part)
    assert chip.hardware(part) != CORE.hardware(part)


def test_every_key_of_every_kind_shapes_parts_that_there_are() -> None:
    for kind in kind_names():
        for _, _, spec in all_keys(chip_class(kind)):
            assert set(spec.shapes) <= {*PARTS, "adapter"}


def test_only_the_kind_and_a_table_have_no_other_value() -> None:
    names = [name for section, name, spec in KEYS if changed(CORE, section, name, spec) is None]
    assert names == ["at", "kind", "mode"]
