"""From a description to the configurations of a chip of tiles."""

import pytest

from mho.hw.chip.map import ChipParts
from mho.hw.chip.rating import tile_sizes
from mho.hw.chip.tops import build_chip, build_tile
from mho.hw.config import load_chip
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.node import Node
from mho.hw.tile.config import TileConfig, tile_number
from mho.macro_models.errors import InputError


def test_keys_reach_the_configurations() -> None:
    chip = load_chip("tnsa64-2x2", {
        "tile.lanes": 8, "tile.buffer_kib": 8, "tile.parameters": 64, "tile.instructions": 128, "mesh.contexts": 1,
        "mesh.payload_bits": 32, "mesh.columns": 3,
    })
    parts = ChipParts.from_chip(chip)
    assert parts.tiles == (TileConfig(
        lines=64, lanes=8, buffer_kib=8, parameters=64, instructions=128, payload_bits=32, contexts=1, ranged=True
    ),) * 6
    assert len(parts.kinds) == 1
    assert (parts.mesh.columns, parts.mesh.rows, parts.mesh.payload_bits, parts.mesh.contexts) == (3, 2, 32, 1)
    assert parts.core.cfg.lines == 64
    assert parts.core.programs
    assert parts.core.pins.verify_bits == chip.programming.verify_bits  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("changes", [{}, {"mesh.contexts": 2, "mesh.fifo_depth": 8}])
def test_one_tile_has_no_network_whatever_the_description_says_of_it(changes: dict[str, int]) -> None:
    chip = load_chip("tnsa64-tile", changes)
    parts = ChipParts.from_chip(chip)
    assert (chip.tiled, chip.contexts, parts.mesh.alone) == (True, 0, True)
    assert parts.mesh == MeshConfig(columns=1, rows=1, depth=1, contexts=0)
    assert (len(parts.tiles), parts.tiles[0].contexts) == (1, 0)
    assert {name for name in Node.ports_for(parts.mesh) if name[-2:] in ("_i", "_o")} == {"west_i", "north_o"}
    assert [block.name for block in parts.address_map.blocks] == ["tile_0_0", "tile_0_0_core", "tile_0_0_node", "chip"]
    assert tile_sizes(chip)[0] == ("tiles", "1, all alike: 64 lines, 4 lanes, flits of 64 bits")


def test_tiles_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(InputError, match=r"^tnsa16-2x2: mesh.payload_bits must be 32 or 64 for tiles, not 128$"):
        build_tile(load_chip("tnsa16-2x2", {"mesh.payload_bits": 128}))
    with pytest.raises(InputError, match=r"^tnsa16-core: mesh.columns x mesh.rows must be at least two nodes"):
        build_chip(load_chip("tnsa16-core"))


def test_tiles_of_several_kinds_have_names_and_sizes_of_their_own() -> None:
    chip = load_chip("tnsa16-2x2", {"tile.at.1,0.buffer_kib": 32, "tile.at.*,1.lanes": 8})
    parts = ChipParts.from_chip(chip)
    assert [(tile.lanes, tile.buffer_kib, tile.verilog_word) for tile in parts.tiles] == [
        (4, 16, ""), (4, 32, "buffer_kib_32"), (8, 16, "lanes_8"), (8, 16, "lanes_8")]
    assert parts.kinds == (parts.tiles[0], parts.tiles[1], parts.tiles[2])
    blocks = {block.name: block.map for block in parts.address_map.blocks}
    assert blocks["tile_0_1"] == blocks["tile_1_1"] != blocks["tile_0_0"]
    words = [{window.name: window.words for window in blocks[f"tile_{x}_0"].windows} for x in (0, 1)]
    assert [sizes["buffer"] for sizes in words] == [4096, 8192]
    assert {tile_number(chip, name) for name in ("0,0", "1,0", "0,1", "1,1")} == {0, 1, 2, 3}
    with pytest.raises(InputError, match=r"tile must be column and row of a tile, 0,0 to 1,1, not '2,0'"):
        tile_number(chip, "2,0")


def test_a_file_has_one_table_of_tiles(tmp_path) -> None:
    file = tmp_path / "chip.toml"
    file.write_text('schema = 1\nextends = "tnsa16-2x2"\n[[tile]]\nlanes = 2\n[[tile]]\nlanes = 4\n')
    with pytest.raises(InputError, match=r"chip.toml:3: tile must be a table, not "):
        load_chip(file)


def test_sizes_of_several_kinds_in_words() -> None:
    entries = tile_sizes(load_chip("tnsa64-2x2", {"tile.at.1,0.buffer_kib": 32, "tile.at.*,1.lanes": 8}))
    sizes = dict(entries)
    assert sizes["tiles"] == "4, of 3 kinds: 64 lines, 4 or 8 lanes, flits of 64 bits"
    assert (sizes["lanes of tile 0,0"], sizes["lanes of tile 0,1 1,1"]) == ("4", "8")
    assert (sizes["buffer of tile 0,0"], sizes["buffer of tile 1,0"]) == ("16 KiB", "32 KiB")
    assert "buffer of tile 0,1 1,1" not in sizes  # as that of the first one
    assert sizes["memory"] == "27.625, 43.625 KiB a tile, 126.5 KiB in all, without queues"


def test_sizes_of_tiles_in_words() -> None:
    sizes = dict(tile_sizes(load_chip("tnsa64-2x2", {"tile.buffer_kib": 8})))
    assert sizes["tiles"] == "4, all alike: 64 lines, 4 lanes, flits of 64 bits"
    assert sizes["buffer of a tile"] == "8 KiB"
    # 8 + 2 + 0.625 + 4 + 4 + 1
    assert sizes["memory"] == "19.625 KiB a tile, 78.5 KiB in all, without queues"
    assert tile_sizes(load_chip("tnsa64-core")) == []
