"""From a description to the configurations of a chip of tiles."""

import pytest

from hw.chip import ChipParts, build_chip, build_tile
from hw.chip.sizes import tile_sizes
from hw.config import load_chip
from hw.tile.config import TileConfig
from macro_models.errors import InputError


def test_keys_reach_the_configurations() -> None:
    chip = load_chip("tnsa64-2x2", {
        "tile.lanes": 8, "tile.buffer_kib": 8, "tile.parameters": 64, "tile.instructions": 128, "mesh.contexts": 1,
        "mesh.payload_bits": 32, "mesh.columns": 3,
    })
    parts = ChipParts.from_chip(chip)
    assert parts.tile == TileConfig(
        lines=64, lanes=8, buffer_kib=8, parameters=64, instructions=128, payload_bits=32, contexts=1, ranged=True
    )
    assert (parts.mesh.columns, parts.mesh.rows, parts.mesh.payload_bits, parts.mesh.contexts) == (3, 2, 32, 1)
    assert parts.core.cfg.lines == 64
    assert parts.core.programs
    assert parts.core.pins.verify_bits == chip.programming.verify_bits  # pyright: ignore[reportAttributeAccessIssue]


def test_tiles_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(InputError, match=r"^tnsa16-2x2: mesh.payload_bits must be 32 or 64 for tiles, not 128$"):
        build_tile(load_chip("tnsa16-2x2", {"mesh.payload_bits": 128}))
    with pytest.raises(InputError, match=r"^tnsa16-core: mesh.columns x mesh.rows must be at least two nodes"):
        build_chip(load_chip("tnsa16-core"))


def test_a_file_cannot_have_tiles_of_several_kinds(tmp_path) -> None:
    file = tmp_path / "chip.toml"
    file.write_text('schema = 1\nextends = "tnsa16-2x2"\n[[tile]]\nlanes = 2\n[[tile]]\nlanes = 4\n')
    with pytest.raises(InputError, match=r"chip.toml:3: tile must be a table, not "):
        load_chip(file)


def test_sizes_of_tiles_in_words() -> None:
    sizes = dict(tile_sizes(load_chip("tnsa64-2x2", {"tile.buffer_kib": 8})))
    assert sizes["tiles"] == "4, all alike: 64 lines, 4 lanes, flits of 64 bits"
    assert sizes["buffer of a tile"] == "8 KiB"
    # 8 + 2 + 0.625 + 4 + 4 + 1
    assert sizes["memory"] == "19.625 KiB a tile, 78.5 KiB in all, without queues"
    assert tile_sizes(load_chip("tnsa64-core")) == []
