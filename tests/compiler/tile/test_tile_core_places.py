"""Cores at places of the mesh where values travel few hops."""

from itertools import permutations

import numpy as np
import pytest

from mho.compiler import CompileOptions, Network
from mho.compiler.mapping.faults import CoreFaults
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.core_places import hop_bytes, place_cores, transfers
from mho.compiler.tile.programs import graph_of
from mho.hw.config import load_chip
from mho.hw.tile.interpreter.joined import HOST
from mho.macro_models.devices import load_device
from mho.macro_models.errors import InputError
from tests.compiler.tile.network_bench import residual_network


@pytest.fixture(scope="module")
def network() -> Network:
    """A residual network on eight of nine tiles."""
    model, x = residual_network(3)
    chip = load_chip("tnsa64-2x2", ["mesh.columns=3", "mesh.rows=3"])
    return compile_tiles(model, chip, calibrate=x, options=CompileOptions(seeds=1, samples=8))


@pytest.mark.slow
def test_hop_bytes_are_those_of_the_links_that_are_crossed(network: Network) -> None:
    """Each transfer by its tree of XY routes, link by link."""
    graph, chip = graph_of(network), network.chip
    place = {f"{x},{y}": (x, y) for x in range(3) for y in range(3)} | {HOST: (0, 0)}
    total = 0
    for transfer in transfers(graph, chip):
        links = set()
        for tile in transfer.to:
            (x, y), (x_end, y_end) = place[transfer.sender], place[tile]
            while (x, y) != (x_end, y_end):
                step = (np.sign(x_end - x), 0) if x != x_end else (0, np.sign(y_end - y))
                links.add(((x, y), step))
                x, y = x + step[0], y + step[1]
        total += transfer.size * len(links)
    # A multicast whose tiles are no box is several: more links than one tree has.
    assert hop_bytes(transfers(graph, chip), place) >= total > 0
    assert network.calibration.hop_bytes[1] == hop_bytes(transfers(graph, chip), place)


def test_cores_come_closer_and_stay_where_nothing_is_closer(network: Network) -> None:
    before, after = network.calibration.hop_bytes
    assert after < before
    again = place_cores(graph_of(network), network.chip)
    assert again.before == after
    assert again.after <= after


@pytest.mark.slow
def test_four_tiles_find_the_best_of_all_places() -> None:
    model, x = residual_network(1, channels=2)
    net = compile_tiles(model, load_chip("tnsa16-2x2"), calibrate=x, options=CompileOptions(seeds=1, samples=8))
    moved = transfers(graph_of(net), net.chip)
    names = [f"{x},{y}" for y in range(2) for x in range(2)]
    places = [{**dict(zip(names, corners, strict=True)), HOST: (0, 0)}
              for corners in permutations((x, y) for y in range(2) for x in range(2))]
    assert net.calibration.hop_bytes[1] == min(hop_bytes(moved, place) for place in places)


def test_the_moved_network_is_one_for_all_backends(network: Network) -> None:
    """Every core that has weights has its masks and targets where its products are."""
    used = {m.core for layer in network.layers for m in layer.mvms}
    low = network.chip.cells.g_min_uS
    full = {k for k, core in enumerate(network.cores) if (core.targets_uS > 1.01 * low).any()}
    assert used == full
    assert set(tile_programs(network).texts) >= {f"{k % 3},{k // 3}" for k in used}


def test_weights_beside_known_faults_stay() -> None:
    model, x = residual_network(1, channels=2)
    chip = load_chip("tnsa16-2x2")
    size = chip.macro_config().cell_map.shape[0]
    none = np.zeros(size, bool)
    faults = {0: CoreFaults(g_uS=np.full((size, size), np.nan), rows=none, columns=none)}
    compiled = compile_tiles(model, chip, calibrate=x, faults=faults, device=load_device("ideal"),
                             options=CompileOptions(seeds=1, samples=8))
    assert compiled.calibration.hop_bytes is None


@pytest.mark.slow
def test_cores_go_to_tiles_that_have_what_their_programs_need() -> None:
    """One of the tiles alone has room for the parameters of one core, wherever that tile is; else it is refused."""
    model, x = residual_network(1, size=16)
    options = CompileOptions(seeds=1, samples=8)
    for large in ("0,0", "1,0", "0,1", "1,1"):
        chip = load_chip("tnsa64-2x2", {"tile.parameters": 64, f"tile.at.{large}.parameters": 256})
        programs = tile_programs(compile_tiles(model, chip, calibrate=x, options=options))
        sizes = {tile: len(place.program.parameters) for tile, place in programs.joined.tiles.items()}
        assert 64 < sizes[large] <= 256
        assert all(size <= 64 for tile, size in sizes.items() if tile != large)
        assert {tile: place.cfg.parameters for tile, place in programs.joined.tiles.items()} == {
            tile: 256 if tile == large else 64 for tile in sizes}
    chip = load_chip("tnsa64-2x2", {"tile.parameters": 16, "tile.at.0,0.parameters": 32})
    with pytest.raises(InputError, match=r"finds no room: tile \d,\d: the tile has \d+ parameters, not \d+"):
        tile_programs(compile_tiles(model, chip, calibrate=x, options=options))
