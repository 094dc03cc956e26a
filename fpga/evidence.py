"""A board that is a simulated netlist compared with the numpy models: evidence that a bitstream does what it must."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.network import Network
from fpga.backend import FpgaBackend
from fpga.link.simulated import PinsTransport
from hw.board import BoardConfig
from hw.config import Chip
from macro_models import MacroModel, Masks, family
from macro_models.devices import load_device
from macro_models.errors import ToolError
from macro_models.exact.operation import Converter, Direction, MvmOperation
from sim.cells.write_verify import ProgramRun
from sim.core.write_trials import WriteTrial, require_same
from sim.executor import execute
from sim.functional import FunctionalBackend

__all__ = ["OPERATIONS", "Evidence", "compare_network", "compare_operations", "compare_writes", "power_up"]

OPERATIONS = (
    MvmOperation(),
    MvmOperation(direction=Direction.BACKWARD, step_code=300, wl_select=1),
    MvmOperation(in_bits=8, step_code=50, line_select=3),
    MvmOperation(in_bits=2, out_bits=6, converter=Converter.BINARY, relu=True, wl_select=5),
)
"""Both directions, one and two segments, both converters, word lines and lines that are off."""

_POWER_UP_CYCLES = 1000

_CAUSES = frozenset({"programming", "relaxation", "adc", "stuck"})
"""Those that are frozen at programming."""


@dataclass(frozen=True)
class Evidence:
    """What was compared and found equal.

    Attributes
    ----------
    operations
        Matrix-vector products.
    codes
        Their codes.
    seconds
        Time that passed for the board.
    """

    operations: int
    codes: int
    seconds: float


def power_up(line: PinsTransport) -> PinsTransport:
    """Let the reset of the board pass."""
    line.run(_POWER_UP_CYCLES)
    return line


def compare_operations(cfg: BoardConfig, line: PinsTransport, *, vectors: int = 4, seed: int = 0) -> Evidence:
    """Load a programmed core, run :data:`OPERATIONS` on it, compare each code with the backend ``functional``.

    Raises
    ------
    ToolError
        If one differs.
    """
    chip, rng = cfg.chip, np.random.default_rng(seed)
    core, lines = _random_core(chip, rng, seed), chip.lines
    masks = Masks(
        rng.random((8, lines)) < 0.8, rng.random((8, lines)) < 0.8, rng.random(lines) < 0.1, rng.random(lines) < 0.1
    )
    expected, board = FunctionalBackend(), FpgaBackend("simulation", transport=line)
    expected.open(chip, [core])
    board.open(chip, [core])
    codes = 0
    for op in OPERATIONS:
        low, high = op.input_range
        x = rng.integers(low, high + 1, (vectors, core.config.inputs(op.direction)))
        found = board.mvm(0, op, masks, x, 0).codes
        if not np.array_equal(found, expected.mvm(0, op, masks, x, 0).codes):
            raise ToolError(f"{op}: the board gives other codes than the numpy model")
        codes += found.size
    return Evidence(vectors * len(OPERATIONS), codes, line.now())


def compare_writes(line: PinsTransport, trial: WriteTrial) -> ProgramRun:
    """Let the core program its cells by write-verify, compare every pulse and cell with the numpy model.

    Parameters
    ----------
    line
        The pins of a board at the level of the pins, with a core that has the engine.
    trial
        What to program.

    Raises
    ------
    ToolError
        If anything differs.
    """
    board = FpgaBackend("simulation", transport=line)
    board.open(trial.chip, [])
    run = board.program(0, trial.array(), trial.targets, trial.skip, trial.parameters)
    require_same(trial, run)
    return run


def _random_core(chip: Chip, rng: np.random.Generator, seed: int) -> MacroModel:
    """A core with random conductances, programmed a day ago."""
    target = rng.uniform(chip.cells.g_min_uS, chip.cells.g_max_uS, (chip.lines, chip.lines))
    device = load_device(chip.device)
    model = family(chip.core.kind).model
    return model(chip.macro_config(), target, device=device, seed=seed, core=0, causes=_CAUSES, time_s=86400.0)


def compare_network(network: Network, line: PinsTransport, x: NDArray[Any], **options: Any) -> NDArray[np.float64]:
    """Run a network on the board, compare its outputs with those of the backend ``functional``.

    ``options`` are those of :func:`sim.executor.execute`; causes must be among those frozen at programming.

    Returns
    -------
    NDArray
        The outputs.

    Raises
    ------
    ToolError
        If one differs.
    """
    expected = execute(network, FunctionalBackend(), x, **options).outputs
    found = execute(network, FpgaBackend("simulation", transport=line), x, **options).outputs
    if not np.array_equal(found, expected):
        wrong = int((found != expected).reshape(len(x), -1).any(axis=1).sum())
        raise ToolError(f"{wrong} of {len(x)} outputs of the board are not those of the numpy model")
    return found
