"""Tiles of other sizes at named places."""

from collections.abc import Callable

import pytest

from mho.hw.config import chip_from_dict, load_chip
from mho.hw.config.describe import describe
from mho.macro_models.errors import InputError

HEAD = 'schema = 1\nextends = "tnsa64-2x2"\n'


def test_places_name_tiles_and_stars_all_of_a_row_or_column(chip_file: Callable[[str], str]) -> None:
    text = '[tile]\nlanes = 2\n[tile.at]\n"1,0" = { buffer_kib = 32 }\n"*,1" = { lanes = 8 }\n'
    chip = load_chip(chip_file(HEAD + text))
    tiles = {(x, y): chip.tile.of(x, y) for x in (0, 1) for y in (0, 1)}
    assert {place: (tile.lanes, tile.buffer_kib, tile.at) for place, tile in tiles.items()} == {
        (0, 0): (2, 16, {}), (1, 0): (2, 32, {}), (0, 1): (8, 16, {}), (1, 1): (8, 16, {})}
    assert chip_from_dict(chip.to_dict()) == chip
    assert hash(chip_from_dict(chip.to_dict())) == hash(chip)
    assert {row.key: row.value for row in describe(chip)}["tile.at.1,0"] == "{ buffer_kib = 32 }"


def test_a_chip_of_tiles_that_are_alike_is_what_it_was() -> None:
    plain = load_chip("tnsa64-2x2")
    assert "at" not in plain.to_dict()["tile"]
    assert load_chip("tnsa64-2x2", ["tile.at.0,0.lanes=4"]).sha256 != plain.sha256


def test_tables_of_a_chip_that_is_extended_are_merged(chip_file: Callable[[str], str]) -> None:
    chip = load_chip(chip_file(HEAD + '[tile.at."0,0"]\nlanes = 2\n'), ["tile.at.0,0.parameters=64"])
    assert chip.tile.at == {"0,0": {"lanes": 2, "parameters": 64}}


@pytest.mark.parametrize(("text", "sentence"), [
    ('"1" = { lanes = 2 }', r':4: tile.at.1 must be a column and a row, such as "2,0", or a \* for all of them, not'),
    ('"1,0" = 2', r":4: tile.at.1,0 must be a table such as \{ buffer_kib = 64 \}, not 2"),
    ('"1,0" = { lane = 2 }', r":4: unknown key tile.at.1,0.lane; did you mean lanes\?"),
    ('"1,0" = { programs = true }', r":4: unknown key tile.at.1,0.programs; a tile has lanes, buffer_kib, "),
    ('"1,0" = { buffer_kib = 65 }', r":4: tile.at.1,0.buffer_kib must be an integer 1 to 64, not 65"),
    ('"2,0" = { lanes = 2 }', r':4: tile.at.2,0 must name tiles of the mesh, 0,0 to 1,1, not "2,0"'),
    ('"1,0" = { lanes = 2 }\n"*,0" = { lanes = 8 }',
     r':5: tile.at.\*,0 must name tiles that no other entry names, not 1,0, which "1,0" does'),
])
def test_what_names_no_tile_or_size_is_refused_in_its_line(
    chip_file: Callable[[str], str], text: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        load_chip(chip_file(f"{HEAD}[tile.at]\n{text}\n"))


def test_an_override_is_named_and_one_core_has_no_tiles() -> None:
    with pytest.raises(InputError, match=r"tile.at.5,0.lanes=8: tile.at.5,0 must name tiles of the mesh"):
        load_chip("tnsa64-2x2", ["tile.at.5,0.lanes=8"])
    with pytest.raises(InputError, match=r"must name tiles of the mesh, none, since the chip has one core, not"):
        load_chip("tnsa64-core", ["tile.at.0,0.lanes=8"])


def test_one_tile_is_named_by_its_place() -> None:
    assert load_chip("tnsa64-tile", ["tile.at.0,0.lanes=8"]).tile.of(0, 0).lanes == 8
    with pytest.raises(InputError, match=r'tile.at.1,0 must name tiles of the mesh, 0,0 alone, not "1,0"$'):
        load_chip("tnsa64-tile", ["tile.at.1,0.lanes=8"])
