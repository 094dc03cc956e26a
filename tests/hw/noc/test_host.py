"""All registers of all nodes from the host: single words and bursts, at every width of the payload."""

import random
from typing import Any

import pytest

from mho.hw.noc.config import MeshConfig
from mho.hw.noc.model import Answer, HostModel, NodeModel, TileMemory
from mho.hw.noc.node import Mesh
from mho.hw.noc.registers.packet import NODE_BITS, Burst, host_address, host_address_bits
from tests.hw.amaranth_bench import simulate
from tests.hw.noc.bench_registers import TILE_WORDS, ask_burst, ask_bus, random_request, serve_tile


def run(
    cfg: MeshConfig, singles: list[Burst], bursts: list[Burst], stall: float, seed: int = 0
) -> tuple[list[Answer], list[Answer], list[TileMemory]]:
    """Ask at both ports of the host at the same time: what each got, and the tiles."""
    dut: Any = Mesh(cfg)
    rng, tiles = random.Random(seed), [TileMemory(TILE_WORDS) for _ in range(cfg.nodes)]
    answers: tuple[list[Answer], list[Answer]] = [], []

    def pause() -> bool:
        return rng.random() < stall

    served = [serve_tile(getattr(dut, f"registers_{n}"), tile, rng, stall) for n, tile in enumerate(tiles)]
    drivers = (ask_bus(dut.host_bus, singles, answers[0], pause), ask_burst(dut.host_burst, bursts, answers[1], pause))
    simulate(dut, *drivers, background=served)
    return *answers, tiles


def model(cfg: MeshConfig) -> HostModel:
    return HostModel(cfg, [NodeModel(cfg, TileMemory(TILE_WORDS)) for _ in range(cfg.nodes)])


def expected(host: HostModel, requests: list[Burst], single: bool) -> list[Answer]:
    answers = [host.access(request) for request in requests]
    if single:
        # A bus has a word for every read, and says nothing of which word failed.
        answers = [
            Answer((answer.data or (0,)) if request.data is None else (), answer.error)
            for request, answer in zip(requests, answers, strict=True)
        ]
    return answers


CASES = [
    MeshConfig(columns=2, rows=2, payload_bits=32, depth=1, contexts=1),
    MeshConfig(columns=3, rows=2, payload_bits=64, depth=2, tag_bits=2),
    MeshConfig(columns=1, rows=2, payload_bits=128, depth=2, contexts=0, tag_bits=3),
    MeshConfig(columns=9, rows=1, payload_bits=32, depth=2, contexts=4),
    MeshConfig(columns=1, rows=1, payload_bits=64, depth=1, contexts=0),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cfg", "stall"),
    [
        (CASES[0], 0.0), pytest.param(CASES[1], 0.5, marks=pytest.mark.long), (CASES[2], 0.5),
        pytest.param(CASES[3], 0.3, marks=pytest.mark.long), (CASES[4], 0.4),
    ],
    ids=[f"{cfg.columns}x{cfg.rows}x{cfg.payload_bits}" for cfg in CASES],
)
def test_every_register_of_every_node(cfg: MeshConfig, stall: float) -> None:
    rng = random.Random(cfg.nodes)
    singles = [random_request(rng, cfg, 1) for _ in range(24)]
    bursts = [random_request(rng, cfg) for _ in range(16)]
    # One port after the other, so that the order is known.
    answers, nothing, tiles = run(cfg, singles, [], stall)
    host = model(cfg)
    assert answers == expected(host, singles, single=True)
    assert nothing == []
    assert any(answer.error for answer in answers)
    assert [tile.words for tile in tiles] == [node.tile.words for node in host.nodes]  # type: ignore[attr-defined]
    _, answers, tiles = run(cfg, [], bursts, stall)
    host = model(cfg)
    assert answers == expected(host, bursts, single=False)
    assert any(len(answer.data) > 4 for answer in answers)
    assert [tile.words for tile in tiles] == [node.tile.words for node in host.nodes]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_both_ports_take_turns() -> None:
    cfg = MeshConfig(columns=2, rows=2, payload_bits=32)
    at = [host_address(cfg, node, 0) for node in range(4)]
    singles = [Burst(at[k % 4] + 4 * k % 32, (k,)) for k in range(24)]
    bursts = [Burst(at[k % 4] + 32, tuple(range(k, k + 9)), 9) for k in range(8)]
    reads = [Burst(at[k], None, 16) for k in range(4)]
    words, answers, tiles = run(cfg, singles, bursts + reads, 0.2)
    assert words == [Answer(())] * 24
    assert answers[:8] == [Answer(())] * 8
    for node, (tile, answer) in enumerate(zip(tiles, answers[8:], strict=True)):
        assert tile.words[8:17] == list(range(node + 4, node + 13))
        assert answer.data[8:] == tuple(range(node + 4, node + 12))


@pytest.mark.slow
def test_what_is_outside_is_refused_and_nothing_goes_out() -> None:
    cfg = MeshConfig(columns=3, rows=1, payload_bits=64, tag_bits=2)  # node 3 is none
    last = host_address(cfg, cfg.nodes - 1, (1 << NODE_BITS) - 8)
    beyond = (1 << host_address_bits(cfg)) - (1 << NODE_BITS)
    requests = [
        Burst(beyond, None, 4), Burst(beyond, (1,)), Burst(beyond, (1, 2, 3), 3), Burst(last, None, 3),
        Burst(last, (4, 5, 6), 3),
    ]
    _, answers, tiles = run(cfg, [], requests, 0.2)
    assert answers == [Answer((), True)] * 5
    words, _, _ = run(cfg, [Burst(beyond, None), Burst(beyond, (1,))], [], 0.0)
    assert words == [Answer((0,), True), Answer((), True)]
    # The last words of a node are none of its registers, but they can be asked for.
    _, answers, tiles = run(cfg, [], [Burst(last, None, 2), Burst(last, (1, 2), 2)], 0.0)
    assert answers == [Answer((0, 0), True), Answer((), True)]
    assert all(tile.words == [0] * TILE_WORDS for tile in tiles)
