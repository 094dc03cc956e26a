"""A network in C on the Verilog of its chip: compiled as strictly as gcc can, run by its driver, the cores emulated."""

import ctypes
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import CompileOptions, Network
from mho.compiler.passes import compile_for_chip
from mho.hw.board.tiles import TilesConfig
from mho.hw.chip.map import CHIP_MAGIC, MAP_VERSION
from mho.hw.config import Chip, load_chip
from mho.hw.host.link.tasks import Read, Write
from mho.hw.noc.interface.tables import UNIT
from mho.macro_models.errors import InputError, ToolError
from mho.rtl_gen.registers import TILES_HEADER
from mho.sim.board.bus import BusSimulation
from mho.sim.board.tiles import host as tiles_host
from mho.sim.board.tiles.backend import PARTS, board_loads, operations_of
from mho.sim.chip.simulation import ChipSimulation
from mho.sim.chip.traffic import Expected
from mho.sim.core.kinds import simulated
from mho.sim.executor import build_cores, core_masks, execute
from mho.sim.export import c_files, data_files, list_network
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.plan import WRITE, make_plan
from tests.compiler.importer.onnx_models import build, node
from tests.docs.pages import DOCS, blocks
from tests.sim.export.test_host_steps_c import BODIES
from tests.sim.export.test_host_steps_c import network as between

CHIP = load_chip("tnsa16-core", {"tile.programs": True, "mesh.payload_bits": 32})
IMAGES = 6
MAIN = """\
#include "net.h"

static mho_tiles_bus_t bus;
static mho_tiles_run_t run;

void use(uint32_t (*read)(void *, uint32_t), void (*write)(void *, uint32_t, uint32_t), int (*failed)(void *)) {
  bus.read = read;
  bus.write = write;
  bus.failed = failed;
}
int load(void) { return mho_tiles_load(&bus, &net); }
int begin(uint32_t images, int16_t *in, int16_t *out) {
  return mho_tiles_begin(&run, &bus, &net, images, 0, in, out);
}
int step(void) { return mho_tiles_step(&run); }
uint32_t done(void) { return mho_tiles_done(&run); }
int whole(uint32_t images, int16_t *in, int16_t *out, uint32_t polls) {
  return mho_tiles_run(&bus, &net, images, 0, in, out, polls);
}
int trapped(uint32_t *where) { return mho_tiles_trapped(&bus, &net, where); }
void enable(uint32_t events) { mho_tiles_enable(&bus, &net, events); }
uint32_t interrupts(void) { return mho_tiles_interrupts(&bus, &net); }
int program(uint32_t *given_up) { return mho_tiles_program(&bus, &net.cells[0], given_up, 5000); }
void encode(const float *x, int16_t *codes) { mho_tiles_encode(&net, x, codes); }
void finish(const int16_t *in, const int16_t *out, int16_t *lanes) { net.finish(in, out, lanes); }
void decode(const int16_t *lanes, float *y) { mho_tiles_decode(&net, lanes, y); }
"""
DONE, TRAP, WATCHDOG, WAITING = 1, 2, 4, 1 << 8


def layer(chip: Chip = CHIP) -> tuple[Network, NDArray[Any]]:
    """16 outputs in one block of eight flits: two units, and with six images more than the chip has room for."""
    rng = np.random.default_rng(1)
    weights = {"a": (rng.normal(size=(16, 8)) / 3).astype("f4")}
    x = rng.uniform(-1, 1, size=(16, 8)).astype("f4")
    model = build([node("Gemm", "x a", "y", transB=1)], weights, shape=("batch", 8), output=("batch", "k"))
    options = CompileOptions(seeds=1, samples=16)
    return compile_for_chip(model.SerializeToString(), chip, calibrate=x, options=options), x


class Driver:
    """The driver, compiled with the network, on a bus; ``late``: words that somebody else reads before each look."""

    def __init__(self, folder: Path, network: Network, bus: Any) -> None:
        self.listing = list_network(network)
        for name, text in c_files(self.listing, "net").items():
            (folder / name).write_text(text)
        (folder / "main.c").write_text(MAIN)
        strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]
        files = ["-shared", "-fPIC", "-o", "net.so", "net.c", "main.c", "-lm"]
        compiler = subprocess.run(["gcc", *strict, *files], cwd=folder, capture_output=True, text=True)
        assert compiler.returncode == 0, compiler.stderr
        self.library = ctypes.CDLL(str(folder / "net.so"))
        self.bus, self.late, self.errors = bus, 0, list[int]()
        types = (ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32),
                 ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32),
                 ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p))
        # Kept, or they would be collected.
        self.functions = [kind(call) for kind, call in zip(types, (self.read, self.write, self.failed), strict=True)]
        self.library.use(*self.functions)

    def read(self, _context: Any, address: int) -> int:
        if self.late and address == self.listing.base + 0x10:
            self.bus.execute([Read(self.listing.base, self.late, increment=False)])
        try:
            return int(self.bus.execute([Read(address)])[0][0])
        except ToolError:
            self.errors.append(address)
            return 0

    def write(self, _context: Any, address: int, word: int) -> None:
        try:
            self.bus.execute([Write(address, [word])])
        except ToolError:
            self.errors.append(address)

    def failed(self, _context: Any) -> int:
        return bool(self.errors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.library, name)

    def codes(self, x: NDArray[Any]) -> NDArray[np.int16]:
        codes = np.zeros((len(x), self.listing.elements[0]), np.int16)
        for row, values in zip(codes, x, strict=True):
            self.library.encode(np.ascontiguousarray(values, np.float32).ctypes.data_as(ctypes.c_void_p),
                                row.ctypes.data_as(ctypes.c_void_p))
        return codes

    def numbers(self, lanes: NDArray[np.int16]) -> NDArray[np.float32]:
        y = np.zeros(lanes.shape, np.float32)
        for row, image_lanes in zip(y, lanes, strict=True):
            self.library.decode(image_lanes.ctypes.data_as(ctypes.c_void_p), row.ctypes.data_as(ctypes.c_void_p))
        return y

    def room(self, images: int) -> NDArray[np.int16]:
        return np.full((images, self.listing.elements[1]), -1, np.int16)


@pytest.fixture(scope="module")
def exported() -> tuple[Network, NDArray[Any], NDArray[Any]]:
    network, x = layer()
    expected = execute(network, FunctionalBackend(), x[:IMAGES], device="ideal").outputs
    assert len(np.unique(expected)) > 30
    return network, x[:IMAGES], expected


@pytest.fixture(scope="module")
def driver(exported: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    network, _, _ = exported
    cfg = TilesConfig(chip=network.chip.hardware(*PARTS), lanes=16, slots=4)
    bus = BusSimulation(cfg)
    cores = build_cores(network, device="ideal")
    loads = board_loads(
        cfg, network.tiles, lambda node: operations_of(network.program, node), cores, core_masks(network))
    driver = Driver(tmp_path_factory.mktemp("c"), network, bus)
    assert driver.load() == -1  # not this chip: its description is that of the board's hardware
    driver.listing = replace(driver.listing, network=replace(network, chip=cfg.chip))
    driver = Driver(tmp_path_factory.mktemp("again"), replace(network, chip=cfg.chip), bus)
    for tasks in loads.values():
        bus.execute(tasks)
    assert driver.load() == 0
    yield driver
    bus.close()


def pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make", "gcc")
@pytest.mark.parametrize(("images", "late"), [(1, 0), (IMAGES, 0), (IMAGES, 2000)])
def test_a_run_in_c_gives_what_functional_gives_however_late_the_host_looks(
    driver: Driver, exported: Any, images: int, late: int
) -> None:
    """Other numbers of images, one after the other; 2,000 words of the bus are some 200 us at 50 MHz and more."""
    network, x, expected = exported
    codes, lanes = driver.codes(x[:images]), driver.room(images)
    np.testing.assert_array_equal(codes, network.program.input.compute(x[:images]))
    (sink,) = driver.listing.sinks
    assert sink.flits == 2 * UNIT
    driver.late = late
    before = driver.bus.cycles
    assert driver.begin(images, pointer(codes), pointer(lanes)) == 0
    looks = 1
    while (more := driver.step()) == 1:
        looks += 1
    driver.late = 0
    assert (more, driver.done(), driver.errors) == (0, images, [])
    assert driver.bus.cycles - before > looks * 5 * late
    np.testing.assert_array_equal(driver.numbers(lanes), expected[:images])


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make", "gcc")
def test_a_host_sleeps_until_the_interrupt(driver: Driver, exported: Any) -> None:
    _, x, expected = exported
    codes, lanes = driver.codes(x), driver.room(IMAGES)
    driver.enable(DONE | TRAP | WATCHDOG | WAITING)
    assert driver.begin(IMAGES, pointer(codes), pointer(lanes)) == 0
    assert driver.step() == 1
    # A program that counts its images ends; others wait for the next one.
    causes, ends = 0, DONE if driver.listing.counts else 0
    while (more := driver.step()) == 1:
        while not (events := driver.interrupts()):
            driver.bus.execute([Read(driver.listing.base, 20, increment=False)])
        causes |= events
    for _ in range(100):
        causes |= driver.interrupts()
    assert more == 0
    assert causes == ends | WAITING
    assert driver.interrupts() == 0
    status = driver.bus.execute([Read(driver.listing.starts[0])])[0]
    assert status.tolist() == [0]
    np.testing.assert_array_equal(driver.numbers(lanes), expected)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make", "gcc")
def test_what_goes_wrong_is_an_error_and_the_next_run_is_right(driver: Driver, exported: Any) -> None:
    _, x, expected = exported
    codes, lanes = driver.codes(x), driver.room(IMAGES)
    assert driver.whole(0, pointer(codes), pointer(lanes), 50) == -7
    # A host that goes away in the middle of a block.
    assert driver.begin(IMAGES, pointer(codes), pointer(lanes)) == 0
    for _ in range(4):
        assert driver.step() == 1
    driver.bus.execute([Read(driver.listing.base, 500, increment=False)])
    # A program that names a stream that nobody wrote.
    where = np.zeros(3, np.uint32)
    start, program = driver.listing.starts[0], driver.listing.starts[0] + 0x1000
    driver.bus.execute([Write(start, [2])])
    first_word = driver.bus.execute([Read(program, 1)])[0]
    driver.bus.execute([Write(program, [3 << 27 | 1 << 4 | 14])])
    assert driver.whole(IMAGES, pointer(codes), pointer(lanes), 20) == -5
    assert driver.trapped(pointer(where)) == -5
    assert where.tolist() == [start, 5, 0]
    driver.bus.execute([Write(program, first_word)])
    assert driver.whole(IMAGES, pointer(codes), pointer(lanes), 2000) == 0
    assert driver.trapped(None) == 0
    np.testing.assert_array_equal(driver.numbers(lanes), expected)


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make", "gcc")
def test_a_host_that_computes_between_layers(tmp_path: Path) -> None:
    """Products of two computed values: the next image is under way meanwhile."""
    network, x = between(BODIES["attention"], CHIP)
    cfg = TilesConfig(chip=CHIP.hardware(*PARTS), lanes=16, slots=4)
    expected = execute(network, FunctionalBackend(), x[:IMAGES], device="ideal").outputs
    bus = BusSimulation(cfg)
    try:
        driver = Driver(tmp_path, replace(network, chip=cfg.chip), bus)
        assert len(driver.listing.functions.steps) == 1
        cores = build_cores(network, device="ideal")
        for tasks in board_loads(cfg, network.tiles, lambda node: operations_of(network.program, node), cores,
                                 core_masks(network)).values():
            bus.execute(tasks)
        assert driver.load() == 0
        codes, lanes = driver.codes(x[:IMAGES]), driver.room(IMAGES)
        assert driver.whole(IMAGES, pointer(codes), pointer(lanes), 2000) == 0
        last_lanes = np.zeros(expected.shape, np.int16)
        for sent, received, last in zip(codes, lanes, last_lanes, strict=True):
            driver.finish(pointer(sent), pointer(received), pointer(last))
        np.testing.assert_array_equal(driver.numbers(last_lanes), expected)
    finally:
        bus.close()


class ChipBus:
    """Words of a chip whose cores are those that are generated, and their cells the models of its benches."""

    def __init__(self, chip: Chip) -> None:
        self.chip = ChipSimulation(chip, "none", short=True)

    def execute(self, tasks: Any) -> list[NDArray[np.uint32]]:
        answers = []
        for task in tasks:
            word = int(np.asarray(task.words)[0]) if isinstance(task, Write) else None
            ((error, read),) = self.chip.answer([Expected(task.address, word, 15, False, None)])
            if error:
                raise ToolError("the bus answers with an error")
            answers.append(np.array([read], np.uint32))
        return answers


@pytest.mark.slow
@pytest.mark.cosim("verilator", "g++", "make", "gcc")
def test_cells_are_programmed_to_the_targets_of_the_network(tmp_path: Path) -> None:
    network, _ = layer(load_chip("tnsa16-core", {"tile.programs": True}))
    bus = ChipBus(network.chip)
    try:
        driver = Driver(tmp_path, network, bus)
        cells, missed = driver.listing.cells[0], np.array([7], np.uint32)
        assert driver.load() == 0
        assert driver.program(pointer(missed)) == 0
        status = driver.read(None, cells.core + 0x84)
        counters = [driver.read(None, cells.core + 0xD0 + 4 * k) for k in range(6)]
        # Done, without an error; few cells of the model miss their target, as many as the core counts.
        assert (status & 0b1111, driver.errors) == (0b0010, [])
        assert missed.tolist() == counters[5:]
        assert cells.codes is not None
        assert missed[0] < 0.1 * cells.codes.size < counters[4] <= sum(counters[:3])
    finally:
        bus.chip.close()


@pytest.mark.slow
@pytest.mark.cosim("gcc", "g++")
def test_files_and_the_page_are_plain_c(exported: Any, tmp_path: Path) -> None:
    network, _, _ = exported
    texts = c_files(list_network(network), "small")
    (sample,) = [block for block in blocks(DOCS / "howto" / "one-tile.md") if block.language == "c"]
    for name, text in (texts | {"sample.c": sample.text}).items():
        (tmp_path / name).write_text(text)
    assert set(texts) == {"small.h", "small.c", TILES_HEADER}
    assert "@" not in texts[TILES_HEADER]
    for strict in (["gcc", "-std=c99", "-pedantic", "-x", "c"], ["g++", "-x", "c++"]):
        for name in ("small", "sample"):
            compiler = subprocess.run([*strict, "-Wall", "-Wextra", "-Werror", "-c", f"{name}.c", "-o", f"{name}.o"],
                                      cwd=tmp_path, capture_output=True, text=True)
            assert compiler.returncode == 0 or (name, strict[0]) == ("sample", "g++"), compiler.stderr


def test_data_say_what_c_says(exported: Any) -> None:
    """The same words, and a run in plain Python that needs nothing but them would send the same flits."""
    network, x, _ = exported
    listing = list_network(network)
    files = data_files(listing, "net")
    said, arrays = json.loads(files["net.json"]), np.load(io.BytesIO(files["net.npz"]))
    assert set(said["about"]) <= {*said, "in_offset, in_scale, in_range", "out_scale", "loads", "begins", "fed, given"}
    codes = np.clip(np.rint((x.reshape(len(x), -1) - arrays["in_offset"]) / arrays["in_scale"]), *said["in_range"])
    np.testing.assert_array_equal(codes, network.program.input.compute(x))
    plan = make_plan(network.tiles, listing.parts, core_masks(network), {0: codes.astype(np.int16)}, 0, watchdog=30)
    written = {int(at): int(word) for at, word, kind in plan.requests if kind == WRITE}
    registers = said["registers"]
    mine = {int(at): int(word) for name in ("loads", "begins") for at, word in arrays[name]}
    mine |= dict.fromkeys(registers["counts"], len(x) - 1) | dict.fromkeys(registers["firsts"], 0)
    assert mine | dict.fromkeys(registers["starts"], said["control"]["start"]) == written
    (source,), (sink,) = said["sources"], said["sinks"]
    assert (sink["tag"], sink["flits"]) == (plan.sinks[0].tag, plan.sinks[0].flits)
    bytes_sent = codes.astype(np.int8).view(np.uint8)
    flits = bytes_sent.reshape(len(x), source["flits"], 4).copy().view(np.uint32)
    np.testing.assert_array_equal(flits[..., 0], plan.sources[0].flits[..., 0])
    assert arrays["targets_0"].shape == arrays["targets_uS_0"].shape == (16, 16)


class Memory:
    """A bus that is a memory: what the driver wrote, and what it reads of a chip that has just been reset."""

    def __init__(self, answers: dict[int, int]) -> None:
        self.answers, self.words = answers, dict[int, int]()

    def execute(self, tasks: Any) -> list[NDArray[np.uint32]]:
        (task,) = tasks
        if isinstance(task, Write):
            self.words[task.address] = int(np.asarray(task.words)[0])
            return []
        return [np.array([self.answers.get(task.address, 0)], np.uint32)]


SMALL: dict[str, dict[str, object]] = {
    "tnsa16-2x2": {}, "pwm16-2x2": {}, "tnsa16-core": {"tile.programs": True},
    "array-2x2": {"core.rows": 16, "core.columns": 32}, "sram-2x2": {"core.rows": 16, "core.columns": 64},
}


@pytest.mark.slow
@pytest.mark.cosim("gcc")
@pytest.mark.parametrize("name", SMALL)
def test_c_writes_what_python_writes(name: str, tmp_path: Path) -> None:
    """Of each kind, on a chip of tiles or of one: the same words at the same places, to the start of the programs."""
    network, x = layer(load_chip(name, SMALL[name]))
    listing = list_network(network)
    answers = {listing.base: CHIP_MAGIC | MAP_VERSION << 16, listing.base + 0xC: int(network.chip.sha256[:8], 16)}
    bus = Memory(answers)
    driver = Driver(tmp_path, network, bus)
    codes, lanes = driver.codes(x[:IMAGES]), driver.room(IMAGES)
    assert driver.load() == 0
    assert driver.begin(IMAGES, pointer(codes), pointer(lanes)) == 0
    image, cfg = simulated(network.chip).image, listing.parts.core.cfg
    settings = {node: image(cfg).settings(model) for node, model in enumerate(build_cores(network, device="ideal"))}
    assert network.tiles is not None
    plan = make_plan(
        network.tiles, listing.parts, core_masks(network), {0: codes}, 0, settings, watchdog=tiles_host.WATCHDOG)
    written = {int(at): int(word) for at, word, kind in plan.requests if kind == WRITE}
    assert {at: bus.words.get(at) for at in written} == written
    # Beside that: resets, which the start of a program takes the place of, and what went wrong before is forgotten.
    assert set(bus.words) - set(written) <= {listing.base + 0x10}
    header = (tmp_path / "net.h").read_text()
    assert f"Codes 0 to {x.shape[1] - 1} are x, {x.shape[1]}." in header
    assert "Lanes 0 to 15 are y, 16." in header


def test_networks_that_a_host_steers_are_refused(exported: Any) -> None:
    network, _, _ = exported
    with pytest.raises(InputError, match=r"must hold programs of tiles to be exported"):
        list_network(replace(network, tiles=None))
    with pytest.raises(InputError, match=r"name must be an identifier of C"):
        c_files(list_network(network), "2 b")
