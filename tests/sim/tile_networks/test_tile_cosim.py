"""Networks on the tiles of a chip in its Verilog, from the host port alone: lanes, codes and traces of all tiles."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mho.compiler import CompileOptions, Network
from mho.compiler.network.tiles import TileCode
from mho.compiler.passes import compile_tiles
from mho.compiler.program import Call
from mho.compiler.tile import tile_programs
from mho.compiler.tile.cycles import tile_cycles
from mho.compiler.tile.placement.software_pipeline import both_sides
from mho.compiler.tile.programs import tile_code
from mho.hw.config import load_chip
from mho.hw.kinds.tnsa.blocks import TnsaCoreReference
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.tile.interpreter.state import ReferenceCore, Retired
from mho.hw.tile.isa import Engine
from mho.macro_models import MacroModel
from mho.macro_models.errors import ToolError
from mho.sim.account import RunAccount
from mho.sim.executor import build_cores, core_masks
from mho.sim.functional import FunctionalBackend
from mho.sim.tile_networks.backend import TileCosimBackend
from mho.sim.tile_networks.build import sources_of_mesh
from mho.sim.tile_networks.plan import tile_node
from tests.compiler.importer.onnx_models import build, node
from tests.compiler.tile.interpreted import run_tiles, values_of
from tests.compiler.tile.network_bench import DAY, Masked
from tests.sim.tile_networks.account import check_layers

pytestmark = [pytest.mark.cosim, pytest.mark.slow]

IMAGES, FIRST = 4, 72
PADS = [1, 1, 0, 0]
DEVICES = ("ideal", "rram-neurram")


@dataclass(frozen=True)
class Case:
    """A network for tiles, its programs with all values for the host, and inputs."""

    network: Network
    code: TileCode
    x: NDArray[Any]
    programs: Any


def make(
    nodes: list[Any], shapes: dict[str, tuple[int, ...]], shape: tuple[int, ...], output: str, duplicates: int = 1
) -> Case:
    rng = np.random.default_rng(1)
    weights = {k: (rng.normal(size=s) / np.sqrt(np.prod(s[1:]))).astype("f4") for k, s in shapes.items()}
    x = rng.uniform(-1, 1, size=(16, *shape)).astype("f4")
    model = build(nodes, weights, shape=("batch", *shape), output=("batch", *output))
    network = compile_tiles(
        model, load_chip("tnsa16-2x2"), calibrate=x,
        options=CompileOptions(seeds=1, samples=16, duplicates=duplicates))
    programs = tile_programs(network, image=FIRST, watched=True)
    return Case(network, tile_code(programs), x[:IMAGES].reshape(IMAGES, -1), programs)


def ahead(case: Case) -> Case:
    """The same with its first layers an image ahead of the last one, on tiles that have both."""
    placed = case.programs.placed
    last = max(placed.parts)
    tiles = {tile: last for tile in both_sides(placed.members, list(placed.parts), last)}  # noqa: C420
    assert tiles
    programs = tile_programs(case.network, image=FIRST, watched=True, ahead=tiles)
    return replace(case, code=tile_code(programs), programs=programs)


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    perceptron = [node("Gemm", "x a", "c", transB=1), node("Relu", "c", "r"), node("Gemm", "r w", "y", transB=1)]
    residual = [
        node("Conv", "x a", "c"), node("Relu", "c", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]), node("Conv", "p d", "e", pads=PADS),
        node("Relu", "e", "f"), node("Conv", "f g", "h", pads=PADS), node("Add", "h p", "s"), node("Relu", "s", "t"),
        node("Flatten", "t", "u"), node("Gemm", "u w", "y", transB=1),
    ]
    # The host makes one summand of the other.
    host = [node("Gemm", "x a", "c", transB=1), node("Softmax", "c", "n"), node("Add", "c n", "s"),
            node("Gemm", "s w", "y", transB=1)]
    return {
        "four": make([node("Gemm", "x a", "y", transB=1)], {"a": (30, 14)}, (14,), "b"),
        "two layers": make(perceptron, {"a": (20, 8), "w": (4, 20)}, (8,), "b"),
        "residual": make(residual, {"a": (2, 1, 2, 2), "d": (2, 2, 2, 2), "g": (2, 2, 2, 2), "w": (3, 8)},
                         (1, 5, 5), "b"),
        "ahead": ahead(make(perceptron, {"a": (20, 14), "w": (4, 20)}, (14,), "b")),
        "one": make([node("Gemm", "x a", "y", transB=1)], {"a": (5, 8)}, (8,), "b"),
        "host": make(host, {"a": (6, 8), "w": (3, 6)}, (8,), "b"),
        "copies": make([node("Conv", "x a", "y")], {"a": (2, 1, 2, 2)}, (1, 5, 5), "bcd", duplicates=2),
        "dealt": make([node("Gemm", "x a", "y", transB=1)], {"a": (5, 8)}, (8,), "b", duplicates=2),
    }


@pytest.fixture(scope="module")
def backend() -> Iterator[TileCosimBackend]:
    backend = TileCosimBackend(optimise=False, trace=True, patience=20_000)
    yield backend
    backend.close()


def run(backend: TileCosimBackend, case: Case, models: list[MacroModel]) -> tuple[dict[int, NDArray[Any]], RunAccount]:
    program = case.network.program
    account = RunAccount(program, IMAGES, IMAGES, case.network.chip, core_masks(case.network))
    account.begin(0, *program.input.compute_counted(case.x))
    backend.open_code(case.network.chip, case.code, models)
    images = np.arange(FIRST, FIRST + IMAGES, dtype=np.uint64)
    lanes = program.input.compute(case.x)
    return backend.run_values(program, core_masks(case.network), lanes, images, account), account


def functional(case: Case, models: list[MacroModel]) -> tuple[list[NDArray[Any]], RunAccount]:
    program, masks = case.network.program, core_masks(case.network)
    rows = case.network.chip.macro_config().cell_map.rows
    images = np.arange(FIRST, FIRST + IMAGES, dtype=np.uint64)

    def product(call: Any, mvm: Any, codes: NDArray[np.int16], op_id: NDArray[np.uint64]) -> NDArray[np.int16]:
        result = models[mvm.core].mvm(mvm.op, masks[mvm.core], mvm.vector(codes, rows), op_id)
        return result.codes[:, mvm.columns]

    lanes = program.input.compute(case.x)
    backend, account = FunctionalBackend(), RunAccount(program, IMAGES, IMAGES, case.network.chip, masks)
    backend.open(case.network.chip, models)
    account.begin(0, *program.input.compute_counted(case.x))
    last = backend.run(program, masks, lanes, images, account)
    values = values_of(program, lanes, images, product)
    np.testing.assert_array_equal(values[-1], last)
    return values, account


@pytest.mark.parametrize(("name", "device"), [
    *product(["four", "two layers", "residual", "one", "copies", "dealt", "host"], DEVICES), ("ahead", "rram-neurram")])
def test_all_lanes_and_codes_are_those_of_functional(
    backend: TileCosimBackend, cases: dict[str, Case], name: str, device: str
) -> None:
    """Every value, every code of every product, what was clipped; and images overlap in the pipeline.

    Cycles are those that are predicted: of one tile within two, of several within 2 %.
    """
    case = cases[name]
    models = build_cores(case.network, device=device, seed=3, time_s=DAY)
    values, account = run(backend, case, models)
    expected_values, expected = functional(case, models)
    # The host gets no value that is there in some images alone.
    calls = [stage.operation for stage in case.network.program.stages]
    dealt = {k for k, call in enumerate(calls) if isinstance(call, Call) and call.turns > 1}
    assert len(dealt) == (2 if name == "dealt" else 0)
    assert sorted(values) == [k + 1 for k in range(len(expected_values) - 1) if k not in {*case.code.between, *dealt}]
    assert bool(case.code.between) is (name == "host")
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected_values[value], err_msg=f"value {value}")
        assert len(np.unique(lanes)) > 3
    assert account.codes.keys() == expected.codes.keys()
    for key, codes in account.codes.items():
        np.testing.assert_array_equal(codes, expected.codes[key])
    check_layers(account, expected)
    assert expected.core_cycles.any()
    assert (account.core_cycles >= expected.core_cycles).all()
    if account.exact:
        np.testing.assert_array_equal(account.core_cycles, expected.core_cycles)
    # From the first flit to the last of the first image, then from image to image.
    ends = np.cumsum(account.cycles)
    images = np.arange(FIRST, FIRST + IMAGES, dtype=np.uint64)
    cycles = tile_cycles(replace(case.network, tiles=case.code), models, core_masks(case.network),
                         case.network.program.input.compute(case.x), images)
    # Arrays of copies work all the time, in the first image as in others.
    assert ends[-1] - ends[0] < (IMAGES - 1) * (1.1 * max(cycles.analog.values()) if name == "copies" else ends[0]) or (
        name == "one")
    if name == "one":
        # Who asks of tokens may wait a cycle for another one, which is not predicted.
        assert np.abs(np.array(cycles.ends) - ends).max() <= 2
    assert np.abs(np.array(cycles.ends) / ends - 1).max() < 0.02


def test_images_are_dealt_by_their_numbers(backend: TileCosimBackend, cases: dict[str, Case]) -> None:
    """A run that begins with an image of the second copy, and has one more than each copy has had."""
    case = cases["dealt"]
    program, masks = case.network.program, core_masks(case.network)
    models = build_cores(case.network, device="rram-neurram", seed=3, time_s=DAY)
    lanes, images = program.input.compute(case.x), np.arange(FIRST + 1, FIRST + 1 + IMAGES, dtype=np.uint64)
    alone, runs = FunctionalBackend(), []
    alone.open(case.network.chip, models)
    backend.open_code(case.network.chip, case.code, models)
    for runner in (alone, backend):
        account = RunAccount(program, IMAGES, IMAGES, case.network.chip, masks)
        account.begin(0, *program.input.compute_counted(case.x))
        runs.append((runner.run(program, masks, lanes, images, account), account))
    (expected_lanes, expected), (tile_lanes, tile_account) = runs
    np.testing.assert_array_equal(tile_lanes, expected_lanes)
    check_layers(tile_account, expected)
    assert [layer.codes.counts for layer in tile_account.layers] == [layer.codes.counts for layer in expected.layers]
    assert len(tile_account.cycles) == IMAGES
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(alone.run(program, masks, lanes, images + np.uint64(1), expected), expected_lanes)


@pytest.mark.long
def test_gated_clocks_change_no_code_and_no_cycle(backend: TileCosimBackend, cases: dict[str, Case]) -> None:
    case = cases["two layers"]
    models = build_cores(case.network, device="rram-neurram", seed=3, time_s=DAY)
    chip = case.network.chip
    gated = replace(chip, verilog=replace(chip.verilog, clock_gate="module"))
    assert "mho_clock_gate" in sources_of_mesh(gated)
    assert "mho_clock_gate" not in sources_of_mesh(chip)
    values, account = run(backend, case, models)
    again, with_gates = run(backend, replace(case, network=replace(case.network, chip=gated)), models)
    assert sorted(values) == sorted(again)
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, again[value])
    np.testing.assert_array_equal(account.cycles, with_gates.cycles)
    np.testing.assert_array_equal(account.core_cycles, with_gates.core_cycles)


@pytest.mark.parametrize("name", ["four", "ahead"])
def test_what_retires_is_what_the_interpreter_carries_out(
    backend: TileCosimBackend, cases: dict[str, Case], name: str
) -> None:
    case = cases[name]
    masks, core = core_masks(case.network), TnsaCoreConfig(lines=16)
    models = build_cores(case.network, device="ideal", seed=3, time_s=DAY)
    cores = [ReferenceCore(TnsaCoreReference(core, Masked(model, mask)))
             for model, mask in zip(models, masks, strict=True)]
    retired: dict[str, list[int]] = {}

    def watch(tile: str, instruction: Retired) -> None:
        if instruction.engine is not Engine.SEND:
            retired.setdefault(tile, []).append(instruction.pc)

    run(backend, case, models)
    result = backend.result
    assert result is not None
    lanes = case.network.program.input.compute(case.x)
    run_tiles(case.programs, case.network.chip, cores, lanes, watch=watch)
    for tile, expected in retired.items():
        mesh = backend.plan.parts.mesh  # pyright: ignore[reportOptionalMemberAccess]
        pcs = result.retired[result.retired[:, 1] == tile_node(mesh, tile)][:, 2].tolist()
        assert pcs[: len(expected)] == expected
    assert len(retired) == 4


@pytest.mark.parametrize("threads", [1, 3])
def test_tiles_together_are_as_one_after_the_other(
    backend: TileCosimBackend, cases: dict[str, Case], threads: int
) -> None:
    """With a trace tiles take their edges one by one; else all at once, or each the thread that is free."""
    case = cases["four"]
    models = build_cores(case.network, device="rram-neurram", seed=3, time_s=DAY)
    expected, account = run(backend, case, models)
    several = TileCosimBackend(optimise=False, patience=20_000, threads=threads)
    try:
        values, same = run(several, case, models)
    finally:
        several.close()
    assert values.keys() == expected.keys()
    for value, lanes in values.items():
        np.testing.assert_array_equal(lanes, expected[value], err_msg=f"value {value}")
    np.testing.assert_array_equal(same.cycles, account.cycles)
    for key, codes in account.codes.items():
        np.testing.assert_array_equal(same.codes[key], codes)


def test_a_trap_is_told_with_its_tile(backend: TileCosimBackend, cases: dict[str, Case]) -> None:
    """An instruction that does not exist, where the program had its second."""
    case = cases["two layers"]
    tile, program = next(iter(sorted(case.code.programs.items())))
    words = (*program.words[:1], 31 << 27, *program.words[2:])
    bad = replace(case.code, programs={**case.code.programs, tile: replace(program, words=words)})
    models = build_cores(case.network, device="ideal")
    with pytest.raises(ToolError, match=rf"^the simulated chip stood still .* tile {tile} trapped \(opcode\) .* 1$"):
        run(backend, replace(case, code=bad), models)

