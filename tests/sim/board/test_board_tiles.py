"""The host of a board with tiles: room and credits against a chip in Python; whole networks on the Verilog."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mho.compiler import CompileOptions
from mho.compiler.network import Network
from mho.compiler.network.tiles import HeldValue
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_code, tile_programs
from mho.hw.board.tiles import TilesConfig
from mho.hw.chip.map import CHIP_MAGIC, MAP_VERSION, QUEUE, chip_base, record_words
from mho.hw.config import load_chip
from mho.hw.host.link.tasks import Read, Write
from mho.hw.noc.flit import Destinations
from mho.hw.noc.interface.tables import UNIT, credit, credit_tag
from mho.hw.noc.registers.packet import host_address
from mho.hw.tile.host_map import RESET, START
from mho.hw.tile.rtl.host import CONTROL
from mho.macro_models.errors import InputError, ToolError
from mho.sim.board.tiles.backend import TilesFpgaSimBackend, operations_of
from mho.sim.board.tiles.host import TilesHost
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.plan import READ, STATUS_READS, WRITE, Coming, Plan, SinkPlan, SourcePlan
from tests.compiler.importer.onnx_models import build, node

CFG = TilesConfig(chip=load_chip("tnsa16-2x2"), lanes=16)
PARTS, FLOW, SENT = CFG.parts, 2, 5
KINDS = {"tile.at.1,0.lanes": 8, "tile.at.1,1.buffer_kib": 32}
FROZEN = frozenset({"programming", "relaxation", "adc", "stuck"})


class FakeChip:
    """Windows and status of a chip. Each block of the host is given a credit, and a block of results comes of it.

    ``behaves`` false: the first block that comes has a tag that nobody knows. So many ``unasked`` come at the start.
    """

    def __init__(self, sink_flits: int, block_flits: int, *, behaves: bool = True, late: int = 7,
                 unasked: int = 0) -> None:
        self.unasked = unasked
        self.size, self.base, self.late = record_words(PARTS.mesh), chip_base(PARTS.mesh), late
        self.sink_flits, self.block_flits, self.behaves = sink_flits, block_flits, behaves
        self.received: deque[list[int]] = deque()
        self.coming: deque[tuple[int, list[int]]] = deque()
        self.writes: list[tuple[int, int]] = []
        self.sent: list[list[int]] = []
        self.record: list[int] = []
        self.ready = self.given = self.out = self.now = self.units = 0
        self.missing = [0, 0]
        self.most = 0

    def execute(self, tasks: Any, progress: Any = None) -> list[Any]:
        del progress
        return [np.array(self._one(task), dtype=np.uint32) for task in tasks]

    def _one(self, task: Any) -> list[int]:
        if isinstance(task, Read):
            return [self._read(task.address + 4 * k * task.increment) for k in range(task.count)]
        assert isinstance(task, Write)
        for k, word in enumerate(np.atleast_1d(np.asarray(task.words)).tolist()):
            self._write(task.address + 4 * k, word)
        return []

    def _read(self, address: int) -> int:
        self._step()
        if address == self.base:
            return CHIP_MAGIC | MAP_VERSION << 16
        if address == self.base + 0x10:
            return QUEUE | len(self.received) << 6
        if address >= self.base + 0x200:
            part = (address >> 2) % self.size
            word = self.received[0][part] if self.received else 0
            if self.received and part == 2:
                self.received.popleft()
            return word
        return 0

    def _write(self, address: int, word: int) -> None:
        if not self.base + 0x100 <= address < self.base + 0x200:
            self.writes.append((address, word))
            self.ready += self.unasked * (word == START)
            return
        part = (address >> 2) % self.size
        self.record = [word] if part == 0 else [*self.record, word]
        if part == 2:
            self._take(self.record)

    def _take(self, record: list[int]) -> None:
        if record[0] >> 16 == credit_tag(PARTS.mesh):
            parity = record[1] >> 4
            assert record[1] & 15 == FLOW
            assert self.missing[parity]
            self.missing[parity] = 0
            return
        self.sent.append(record)
        if len(self.sent) % self.block_flits == 0:
            block = len(self.sent) // self.block_flits - 1
            self.coming.append((self.now + self.late, [credit_tag(PARTS.mesh) << 16, credit(0, block & 1), 0, 0]))
            self.ready += 1

    def _step(self) -> None:
        self.now += 1
        while self.coming and self.coming[0][0] <= self.now:
            self.received.append(self.coming.popleft()[1])
        if self.given < self.ready and not self.missing[self.units & 1]:
            self.missing[self.units & 1] = 1
            self.units += 1
            tag = SENT if self.behaves else SENT + 1
            for _ in range(min(UNIT, self.sink_flits - self.out % self.sink_flits)):
                self.received.append([tag << 16 | 1 << 31, self.out, self.out + 1, 0])
                self.out += 1
            self.given += not self.out % self.sink_flits
        self.most = max(self.most, len(self.received))
        assert self.most <= QUEUE


def plan_of(blocks: int, block_flits: int, sink_flits: int) -> tuple[Plan, Any]:
    rng = np.random.default_rng(3)
    flits = rng.integers(0, 2**32, (blocks, block_flits, 3), dtype=np.uint32)
    flits[..., 2] = 3 | 0b1001 << PARTS.mesh.tag_bits + 1
    shape = HeldValue(channels=4 * sink_flits, pixels=1, wide=True)
    starts = [(host_address(PARTS.mesh, 3, CONTROL), START, WRITE)]
    ends = [(host_address(PARTS.mesh, 3, at), 0, READ) for at in STATUS_READS]
    sink = SinkPlan(value=1, held=shape, tag=SENT, flits=sink_flits, blocks=blocks)
    plan = Plan(
        parts=PARTS, tiles=(3,), requests=np.array([*starts, *ends], dtype=np.uint32),
        sources=(SourcePlan(flits=flits, members=1, flow=0),), sinks=(sink,))
    return plan, SimpleNamespace(values={1: ("1,1", FLOW, shape)})


@pytest.mark.parametrize(("block_flits", "sink_flits"), [(1, 1), (5, 3), (9, 15), (2, 200)])
def test_flits_go_where_there_is_room_and_blocks_come_with_credits(block_flits: int, sink_flits: int) -> None:
    plan, code = plan_of(20, block_flits, sink_flits)
    chip, counts_done = FakeChip(sink_flits, block_flits), list[int]()
    (received,) = TilesHost(chip, PARTS, looks=2, patience=50).run(plan, code, counts_done.append)
    count = np.arange(20 * sink_flits)
    assert np.array_equal(received, np.column_stack([count, count + 1]))
    flits = plan.sources[0].flits.reshape(-1, 3)
    assert np.array_equal(np.array(chip.sent)[:, 1:], flits[:, :2])
    assert {record[0] for record in chip.sent} == {3 << 16 | 0b1001}
    tile = host_address(PARTS.mesh, 3, CONTROL)
    assert [write for write in chip.writes if write[0] == tile] == [(tile, RESET), (tile, START), (tile, RESET)]
    assert counts_done == sorted(set(counts_done))
    assert counts_done[-1] == 20


def test_what_the_host_makes_of_an_image_is_sent_when_it_has_come() -> None:
    """The chip gives an image unasked, then one for each block: the host answers each image with a block."""
    plan, code = plan_of(20, 2, 3)
    (source,), (sink,) = plan.sources, plan.sinks
    coming = Coming(value=2, held=sink.held, to=Destinations.one(1, 1), slot=0)
    plan = replace(plan, sources=(replace(source, flits=np.zeros_like(source.flits), coming=coming),),
                   sinks=(replace(sink, awaited=True),))
    chip, answers = FakeChip(3, 2, unasked=1), list[Any]()

    def answer(words: Any) -> Any:
        first = sum(map(len, answers)) // 3
        answers.append(words[0])
        return {0: source.flits[first : first + len(words[0]) // 3]}

    (received,) = TilesHost(chip, PARTS, looks=2, patience=50).run(plan, code, answer=answer)
    assert np.array_equal(received, np.concatenate(answers)[: len(received)])
    assert len(answers) == 20
    sent = np.array(chip.sent)[:, 1:]
    assert len(sent) in {2 * 19, 2 * 20}
    assert np.array_equal(sent, source.flits.reshape(-1, 3)[: len(sent), :2])


def test_what_goes_wrong_is_told() -> None:
    plan, code = plan_of(4, 2, 2)
    with pytest.raises(ToolError, match=r"^the chip on the board sent what nobody waits for$"):
        TilesHost(FakeChip(2, 2, behaves=False), PARTS, looks=1, patience=50).run(plan, code)
    with pytest.raises(ToolError, match=r"stands still"):
        TilesHost(FakeChip(2, 2, late=10_000), PARTS, looks=1, patience=50).run(plan, code)
    plan, code = plan_of(4, 2, 16)
    plan = replace(plan, sinks=tuple(replace(plan.sinks[0], tag=SENT + k) for k in range(4)))
    with pytest.raises(InputError, match=r"must take at most 15 flits on a board, 4 a block at most, not 16$"):
        TilesHost(FakeChip(16, 2), PARTS, looks=1, patience=50).run(plan, code)


def perceptron(changes: dict[str, Any] | None = None, hidden: int = 20) -> tuple[Network, Any]:
    rng = np.random.default_rng(1)
    weights = {"a": (rng.normal(size=(hidden, 8)) / 3).astype("f4"),
               "b": (rng.normal(size=(4, hidden)) / hidden**0.5).astype("f4")}
    x = rng.uniform(-1, 1, size=(16, 8)).astype("f4")
    nodes = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r b", "y", transB=1)]
    model = build(nodes, weights, shape=("batch", 8), output=("batch", "k"))
    chip = load_chip("tnsa16-2x2", changes or {})
    network = compile_tiles(model, chip, calibrate=x, options=CompileOptions(seeds=1, samples=16))
    return replace(network, tiles=tile_code(tile_programs(network))), x


@pytest.fixture(scope="module")
def backend() -> Iterator[TilesFpgaSimBackend]:
    # Built in a minute of CPU, and once more with shift registers and tiles of several kinds.
    backend = TilesFpgaSimBackend()
    yield backend
    backend.close()


@pytest.mark.cosim("verilator", "g++", "make")
@pytest.mark.long
@pytest.mark.parametrize(("device", "causes"), [("ideal", None), ("rram-neurram", FROZEN), ("lfsr", None)])
def test_a_network_on_four_tiles_gives_the_values_of_the_functional_backend(
    backend: TilesFpgaSimBackend, device: str, causes: Any
) -> None:
    network, x = perceptron(KINDS if device == "lfsr" else {})
    for seed in (3, 4):
        options = {"device": device, "seed": seed, "time_s": 86_400.0, "causes": causes, "codes_of": 2}
        board_run, expected = (execute(network, runner, x[:5], **options) for runner in (backend, FunctionalBackend()))
        assert np.array_equal(board_run.outputs, expected.outputs)
        assert board_run.codes.keys() == expected.codes.keys()
    used = {mvm.core for layer in network.program.layers for mvm in layer.mvms}
    assert len(used) > 2
    assert all(operations_of(network.program, core) for core in used)
