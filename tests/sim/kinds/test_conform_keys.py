"""What a key shapes is said at the key: the Verilog of a part changes with its keys and with no other, of each kind."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.protocols import Validator

from mho.hw.board.config import BoardConfig
from mho.hw.config import Chip, ChipError, chip_class, chip_from_dict, kind_names, load_chip, preset_names
from mho.hw.config.chip import sections_of
from mho.hw.config.keys import KeySpec, keys_of
from mho.hw.emulator.kinds import emulator_of
from mho.hw.tile.config import TileConfig
from mho.hw.tile.rtl.controller import TileController
from mho.macro_models.errors import InputError
from mho.rtl_gen.parts import part_texts
from mho.sim.build.verilate import verilog_modules, verilog_text
from tests.hw.config.chip_page import json_schema

PARTS = ("core", "noc", "tile", "emulator")
SOURCES = {"energy.source": "a test", "area.source": "a test"}


@cache
def validator() -> Validator:
    return jsonschema.Draft202012Validator(json_schema())


@cache
def smallest(kind: str) -> Chip:
    """The core of a kind with the fewest lines."""
    chips = [load_chip(name, SOURCES) for name in preset_names()]
    return min((chip for chip in chips if chip.core.kind == kind and not chip.tiled), key=lambda chip: chip.lines)


@cache
def bases(kind: str) -> tuple[Chip, ...]:
    """That core as it is, with all that a switch of the hardware brings or takes away, and with half of all sizes."""
    turned = halved = smallest(kind)
    for section, name, spec in all_keys(type(turned)):
        if isinstance(spec.default, bool) and "core" in spec.shapes:
            turned = changed(turned, section, name, spec) or turned
        if isinstance(spec.default, float) and "core" in spec.shapes and section != "clock":
            try:
                part = getattr(halved, section)
                halved = replace(halved, **{section: replace(part, **{name: getattr(part, name) / 2})})
            except ChipError:
                continue
    return smallest(kind), turned, halved, *enabling(smallest(kind))


def enabling(chip: Chip) -> Iterator[Chip]:
    """The chip with another choice of one key, for each key that has another value only then; and with that value."""
    keys = all_keys(type(chip))
    choices = [new for key in keys if key[2].choices and (new := changed(chip, *key)) is not None]
    # A key may also be legal, and act with another choice alone.
    yield from [new for new in choices if new.core != chip.core]
    every = [new for key in keys if key[2].choices for new in changes(chip, *key)]
    for key in keys:
        if changed(chip, *key) is None:
            pairs = ((new, other) for new in every if (other := changed(new, *key)) is not None)
            yield from next(pairs, ())


def rtl(chip: Chip, part: str) -> Any:
    """The Verilog of a part; that of the network and of a tile are of a chip of several cores, and of a tile it
    is what is around core and node."""
    if part in ("noc", "tile"):
        chip = replace(chip, mesh=replace(chip.mesh, columns=3)) if chip.mesh.columns == 1 else chip
    else:
        chip = replace(chip, mesh=replace(chip.mesh, columns=1, rows=1))
    if part == "tile":
        modules = verilog_modules(TileController(TileConfig.from_chip(chip)), "tile", chip.memory.one_port)
        return "\n".join(modules.values())
    if part == "emulator":
        kind = emulator_of(chip)
        if not kind.programs:
            raise InputError("its emulator is another for another core")
        return verilog_text(kind.macro_type(BoardConfig(chip=chip, programs=True, lanes=16).emulator), "emulator")
    prefix = chip.verilog.prefix
    texts = part_texts(part, chip, Path("nowhere"), "none", f"{prefix}{part}", prefix)
    return {path: text for path, text in texts.items() if path.startswith("rtl/")}


@cache
def rtl_as_it_is(chip: Chip, part: str) -> Any:
    """The Verilog of a part of a chip that nothing was changed of; None if there are no such parts of its kind."""
    try:
        return rtl(chip, part)
    except InputError:
        return None


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
        near = [4 * value, 2 * value, value + 1, value / 2, value * 1.1, value - 1, value + 10, value + 24, value + 0.5]
        return [type(value)(v) for v in near if low <= v <= high and type(value)(v) != value]
    return []


def changed(chip: Chip, section: str, name: str, spec: KeySpec) -> Chip | None:
    """The chip with another legal value of a key; None if there is none."""
    return next(changes(chip, section, name, spec), None)


def changes(chip: Chip, section: str, name: str, spec: KeySpec) -> Iterator[Chip]:
    """The chip with each other legal value of a key that is tried."""
    place = getattr(chip, section) if section else chip
    for value in others(spec, getattr(place, name)):
        try:
            new = replace(place, **{name: value})
            yield replace(chip, **{section: new}) if section else new
        except ChipError:
            continue


def all_keys(chip: type[Chip]) -> list[tuple[str, str, KeySpec]]:
    keys = [("", name, spec) for name, spec in keys_of(chip).items()]
    for section, cls in sections_of(chip).items():
        keys += [(section, name, spec) for name, spec in keys_of(cls).items() if section != "macro"]
    return keys


def shaping() -> Iterator[Any]:
    """(kind, part, section, name) of each key of each kind that shapes a part; once where kinds share key and part."""
    visited = set()
    for kind in kind_names():
        for section, name, spec in all_keys(chip_class(kind)):
            for part in spec.shapes:
                shared = part, section, name, 0 if part == "noc" else kind
                # Whether there are tiles at all is not seen in one of them.
                alone = name in ("kind", "at", "programs") or len(spec.choices or "no") == 1
                if part not in PARTS or shared in visited or alone:
                    continue
                visited.add(shared)
                # Tiles take seconds each: most of them for a release.
                marks = [pytest.mark.long] * (part == "tile" and name != "lanes")
                yield pytest.param(kind, part, section, name, marks=marks)


@pytest.mark.slow
@pytest.mark.parametrize("kind", kind_names())
@pytest.mark.parametrize("part", PARTS)
def test_no_other_key_changes_the_verilog_of_a_part(kind: str, part: str) -> None:
    for base in bases(kind):
        if (text := rtl_as_it_is(base, part)) is None:
            continue
        chip = base
        for section, name, spec in all_keys(type(base)):
            if part not in spec.shapes:
                new = changed(chip, section, name, spec)
                chip = chip if new is None else new
        assert rtl(chip, part) == text
        assert chip.hardware(part) == base.hardware(part)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "part", "section", "name"), list(shaping()))
def test_every_key_of_a_part_changes_its_verilog(kind: str, part: str, section: str, name: str) -> None:
    spec = next(spec for at, key, spec in all_keys(chip_class(kind)) if (at, key) == (section, name))
    for base in bases(kind):
        text = rtl_as_it_is(base, part)
        if text is None:
            return
        for chip in changes(base, section, name, spec) if spec.choices else [changed(base, section, name, spec)]:
            if chip is None:
                continue
            assert chip.hardware(part) != base.hardware(part)
            if rtl(chip, part) != text:
                return
    pytest.fail("no Verilog was another")


def test_every_key_of_every_kind_shapes_parts_that_there_are() -> None:
    for kind in kind_names():
        for _, _, spec in all_keys(chip_class(kind)):
            assert set(spec.shapes) <= {*PARTS, "adapter"}


def test_only_the_kind_tables_and_what_needs_them_have_no_other_value() -> None:
    for kind in kind_names():
        fixed = [
            {key[1] for key in all_keys(type(chip)) if changed(chip, *key) is None} for chip in bases(kind)
        ]
        names = set.intersection(*fixed)
        assert names <= {"at", "kind", "mode", "files", "pins", "ties", "fifos"}


def accepted(kind: str, section: str, name: str, value: Any, by: Validator) -> tuple[bool, bool]:
    """Whether the schema and the loader take a file of a kind with one more key."""
    content: dict[str, Any] = {"schema": 1, "core": {"kind": kind}}
    (content.setdefault(section, {}) if section else content)[name] = value
    try:
        chip_from_dict(content)
        loaded = True
    except InputError:
        loaded = False
    return by.is_valid(json.loads(json.dumps(content))), loaded


def test_the_schema_takes_the_keys_of_the_kind_of_a_file_alone() -> None:
    schema = validator()
    owned = {kind: {key[:2]: key[2] for key in all_keys(chip_class(kind))} for kind in kind_names()}
    foreign = 0
    for kind, keys in owned.items():
        default = chip_class(kind)()
        for section, name in {key for kind_keys in owned.values() for key in kind_keys}:
            if (spec := keys.get((section, name))) is None:
                theirs = next(kind_keys[section, name] for kind_keys in owned.values() if (section, name) in kind_keys)
                assert accepted(kind, section, name, theirs.default, schema) == (False, False), (kind, section, name)
                foreign += 1
            elif name != "kind":
                value = getattr(getattr(default, section) if section else default, name)
                assert accepted(kind, section, name, value, schema) == (True, True), (kind, section, name)
                wrong = [] if spec.low is None else [spec.low - 1]
                for value in (*wrong, *(["none of these"] if spec.choices else [])):
                    assert accepted(kind, section, name, value, schema) == (False, False), (kind, section, name)
    assert foreign > 20


@pytest.mark.parametrize("kind", kind_names())
def test_a_file_that_extends_a_preset_has_the_keys_of_its_kind(kind: str) -> None:
    schema = validator()
    preset = next(name for name in preset_names() if load_chip(name).core.kind == kind)
    for key_kind in kind_names():
        for section, name, spec in all_keys(chip_class(key_kind)):
            shared = any((section, name) == key[:2] for key in all_keys(chip_class(kind)))
            if section in sections_of(chip_class(kind)) and not shared and isinstance(spec.default, (int, float)):
                assert not schema.is_valid({"schema": 1, "extends": preset, section: {name: spec.default}})
    assert schema.is_valid({"schema": 1, "extends": preset})
