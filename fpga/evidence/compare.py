"""A board that is a simulated netlist compared with the numpy models: evidence that a bitstream does what it must."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler import CompileOptions
from mho.compiler.network import Network
from mho.compiler.passes import compile_tiles
from mho.compiler.tile import tile_programs
from mho.compiler.tile.programs import tile_code
from mho.fpga.backends import FpgaBackend, TilesFpgaBackend
from mho.fpga.link.simulated import PinsTransport
from mho.hw.board.config import BoardConfig
from mho.hw.board.tiles import TilesConfig
from mho.hw.config import Chip
from mho.hw.emulator.kinds import emulator_of
from mho.macro_models import MacroModel, Masks, family
from mho.macro_models.devices import load_device
from mho.macro_models.errors import ToolError
from mho.sim.core.bench.write_stimulus import WriteStimulus, require_same
from mho.sim.executor import execute
from mho.sim.functional import FunctionalBackend
from mho.sim.programming.write_verify import ProgramRun

_POWER_UP_CYCLES = 1000

@dataclass(frozen=True)
class Evidence:
    """What was compared and found equal."""

    operations: int
    """Matrix-vector products."""
    codes: int
    """Their codes; with tiles, values of the network."""
    seconds: float
    """Time that passed for the board."""


def power_up(line: PinsTransport) -> PinsTransport:
    """Let the reset of the board pass."""
    line.run(_POWER_UP_CYCLES)
    return line


def compare_operations(cfg: BoardConfig, line: PinsTransport, *, vectors: int = 4, seed: int = 0) -> Evidence:
    """Load a programmed core, run operations of its kind on it, compare each code with the backend ``functional``.

    Raises ToolError if one differs.
    """
    chip, rng = cfg.chip, np.random.default_rng(seed)
    core, (rows, columns) = _random_core(chip, rng, seed), chip.macro_config().cell_map.shape
    masks = Masks(
        rng.random((8, rows)) < 0.8, rng.random((8, columns)) < 0.8, rng.random(rows) < 0.1, rng.random(columns) < 0.1
    )
    operations = cfg.kind.operations(chip, core, masks)
    expected, board = FunctionalBackend(), FpgaBackend("simulation", transport=line)
    expected.open(chip, [core])
    board.open(chip, [core])
    codes = 0
    for op in operations:
        low, high = op.input_range
        x = rng.integers(low, high + 1, (vectors, core.config.inputs(op.direction)))
        result = board.mvm(0, op, masks, x, 0).codes
        if not np.array_equal(result, expected.mvm(0, op, masks, x, 0).codes):
            raise ToolError(f"{op}: the board gives other codes than the numpy model")
        codes += result.size
    return Evidence(vectors * len(operations), codes, line.now())


def compare_writes(line: PinsTransport, stimulus: WriteStimulus) -> ProgramRun:
    """Let the core program its cells by write-verify, compare every pulse and cell with the numpy model.

    Raises ToolError if anything differs.

    Parameters
    ----------
    line
        The pins of a board whose core programs its cells.
    stimulus
        What to program.
    """
    board = FpgaBackend("simulation", transport=line)
    board.open(stimulus.chip, [])
    run = board.program(0, stimulus.array(), stimulus.targets, stimulus.skip, stimulus.parameters)
    require_same(stimulus, run)
    return run


def _random_core(chip: Chip, rng: np.random.Generator, seed: int) -> MacroModel:
    """A core with random conductances, programmed a day ago."""
    target = rng.uniform(chip.cells.g_min_uS, chip.cells.g_max_uS, chip.macro_config().cell_map.shape)
    device = load_device(chip.device)
    model = family(chip.core.kind).model
    causes = emulator_of(chip).frozen
    return model(chip.macro_config(), target, device=device, seed=seed, core=0, causes=causes, time_s=86400.0)


def compare_network(
    network: Network, line: PinsTransport, x: NDArray[np.floating], **options: Any
) -> NDArray[np.float64]:
    """Run a network on the board, compare its outputs with those of the backend ``functional``.

    ``options`` are those of :func:`mho.sim.executor.execute`; causes must be among those frozen at programming.

    Raises ToolError if one differs.

    Returns
    -------
    NDArray
        The outputs.
    """
    expected = execute(network, FunctionalBackend(), x, **options).outputs
    backend = FpgaBackend if network.tiles is None else TilesFpgaBackend
    outputs = execute(network, backend("simulation", transport=line), x, **options).outputs
    if not np.array_equal(outputs, expected):
        wrong = int((outputs != expected).reshape(len(x), -1).any(axis=1).sum())
        raise ToolError(f"{wrong} of {len(x)} outputs of the board are not those of the numpy model")
    return outputs


def compare_tiles(cfg: TilesConfig, line: PinsTransport, *, images: int = 2, seed: int = 0) -> Evidence:
    """Run a network of two layers, programmed a day ago, on the tiles of a board; as :func:`compare_network`.

    Raises ToolError if an output differs.
    """
    rng = np.random.default_rng(seed)
    network = _perceptron(cfg.chip, rng)
    x = rng.uniform(-1.0, 1.0, (images, cfg.chip.lines // 2)).astype(np.float32)
    outputs = compare_network(
        network, line, x, device=load_device(cfg.chip.device), seed=seed, causes=cfg.kind.frozen, time_s=86400.0)
    return Evidence(images * sum(layer.positions * len(layer.mvms) for layer in network.program.layers), outputs.size,
                    line.now())


def _perceptron(chip: Chip, rng: np.random.Generator) -> Network:
    """Random weights of two layers, compiled to programs of tiles."""
    from onnx import TensorProto, helper, numpy_helper

    # The first layer takes half of the tiles, the second one more.
    sizes = (chip.lines // 2, (min(chip.cores, 4) + 1) * chip.lines // 4, chip.lines // 4)
    weights = [(rng.normal(size=(n, m)) / np.sqrt(m)).astype(np.float32) for m, n in pairwise(sizes)]
    nodes = [helper.make_node("Gemm", ["x", "a"], ["c"], transB=1), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("Gemm", ["r", "b"], ["y"], transB=1)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
            for name, size in (("x", sizes[0]), ("y", sizes[-1]))]
    initial = [numpy_helper.from_array(weight, name) for weight, name in zip(weights, "ab", strict=True)]
    graph = helper.make_graph(nodes, "perceptron", ends[:1], ends[1:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    calibration = rng.uniform(-1.0, 1.0, (16, sizes[0])).astype(np.float32)
    network = compile_tiles(model, chip, calibrate=calibration, options=CompileOptions(seeds=1, samples=16))
    return replace(network, tiles=tile_code(tile_programs(network)))
