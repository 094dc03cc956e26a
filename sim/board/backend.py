"""The backend fpga-sim: the Verilog of a core on a board, its cells emulated, in Verilator."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.board.config import BOARD_BASE, BoardConfig
from mho.hw.board.top import AnyConfig
from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.emulator.kinds import emulator_of
from mho.macro_models import MacroModel, Masks
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.backend import Backend, BackendResult, HostScheduled, Observed, opened
from mho.sim.board.bus import BusSimulation
from mho.sim.board.driver import BoardDriver, read_info
from mho.sim.board.program import BoardProgrammer
from mho.sim.programming.cosim import check_engine
from mho.sim.programming.write_verify import ProgramRun

PARTS = ("core", "noc", "emulator")
"""Parts of the hardware that a simulated board has, or refuses to have; it is built once for all that else differs."""

_LANES = 32
"""Of the emulator that is simulated: where a product takes about as many cycles as the bus needs for its vector."""

_LOOKS = 64
"""Reads of what waits while cells are programmed, for each request to the simulation."""


class SimulatedBoards(Backend):
    """Simulated boards in processes that are kept until :meth:`close`."""

    name = "fpga-sim"
    reports = ("progress",)

    def __init__(self) -> None:
        super().__init__()
        self._boards: dict[AnyConfig, BusSimulation] = {}

    def _board(self, cfg: AnyConfig, base: int = BOARD_BASE) -> BusSimulation:
        """The board with its registers at ``base``, built and started unless it is there."""
        if cfg not in self._boards:
            bus = self._boards[cfg] = BusSimulation(cfg)
            read_info(bus, "the simulated board", base).check(cfg.chip, "the simulated board")
        return self._boards[cfg]

    def observed(self) -> Observed | None:
        """Cycles of the simulated boards since their reset."""
        if not self._boards:
            return None
        first = next(iter(self._boards))
        return Observed(clock_MHz=first.clock_hz / 1e6, cycles=sum(bus.cycles for bus in self._boards.values()))

    def close(self) -> None:
        """End the simulation."""
        for bus in self._boards.values():
            bus.close()
        self._boards.clear()


class FpgaSimBackend(SimulatedBoards, HostScheduled):
    """Runs operations on the register bus of a simulated board, in a process that is kept until :meth:`close`.

    The board is that of the network's own chip, whatever board might hold it. It has a shift register for read noise
    where a core needs one. Cells are programmed on one where they answer to pulses.

    Parameters
    ----------
    lanes
        Cells that meet their input in one cycle.
    serial
        Whether the digital part of the core that runs operations is serial, as on small boards.
    progress
        Called with what is done and all that there is, words or cells, while cells are programmed.
    """

    def __init__(
        self, *, lanes: int = _LANES, serial: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> None:
        super().__init__()
        self._lanes, self._serial, self._progress = lanes, serial, progress
        self._chip: Chip | None = None
        self._driver: BoardDriver | None = None
        self._programmer: BoardProgrammer | None = None

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores. Simulations are kept where the hardware is the one that they have.

        Without cores nothing is built before there are cells to be programmed.

        Raises InputError if the cores draw noise, which the emulator does not have, or there is a mesh.
        """
        self.rows = chip.macro_config().cell_map.rows
        kind = emulator_of(chip)
        cfg = self._config(chip, noise=any(map(kind.draws, cores)))
        for model in cores:
            kind.check(cfg.emulator, model)
        if self._chip is None or cfg.chip != self._chip.hardware(*PARTS):
            self.close()
        self._chip = chip
        self._driver = BoardDriver(self._board(cfg), cfg, cores) if cores else None

    def _config(self, chip: Chip, *, noise: bool = False, programs: bool = False) -> BoardConfig:
        return BoardConfig(
            chip=chip.hardware(*PARTS), programs=programs, serial=self._serial and not programs,
            lanes=min(self._lanes, chip.lines), noise=noise,
        )

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`mho.sim.backend.Backend`."""
        return opened(self._driver).mvm(core, op, masks, x, op_id)

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells by the core's engine on the board; see :class:`mho.sim.programming.write_verify.Programmer`.

        Raises InputError if the chip has no engine. Raises ToolError if a tool is missing, the build fails, or the core
        contradicts what was seen at its pins.
        """
        chip = opened(self._chip)
        if self._programmer is None:
            check_engine(chip, "on a board")
            cfg = self._config(chip, programs=True)
            self._programmer = BoardProgrammer(self._board(cfg), cfg, progress=self._progress, looks=_LOOKS)
        if self._driver is not None:
            # It may be the same board.
            self._driver.forget()
        return self._programmer.program(core, array, targets, skip, parameters)

    def close(self) -> None:
        """End the simulation."""
        super().close()
        self._chip = self._driver = self._programmer = None
