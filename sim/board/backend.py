"""The backend fpga-sim: the Verilog of a core on a board, its cells emulated, in Verilator."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.board import BoardConfig
from hw.config import Chip, load_chip
from hw.macro.emulator import check_core
from macro_models import Masks, TnsaModel
from macro_models.exact.operation import MvmOperation
from sim.backend import BackendResult
from sim.board.bus import BusSimulation, board_simulator
from sim.board.driver import BoardDriver, read_info

__all__ = ["FpgaSimBackend", "hardware_chip"]

_LANES = 32
"""Of the emulator that is simulated: where a product takes about as many cycles as the bus needs for its vector."""


def hardware_chip(chip: Chip) -> Chip:
    """A chip with the same hardware on a board: what does not shape it is that of a preset."""
    common = load_chip("neurram-core")
    return replace(
        common, core=chip.core, clock=chip.clock, timing=chip.timing, mesh=chip.mesh, programming=chip.programming
    )


class FpgaSimBackend:
    """Runs operations on the register bus of a simulated board, in a process that is kept until :meth:`close`.

    The board is that of the network's own chip, whatever board might hold it. It has a shift register for read noise
    where a core needs one.

    Parameters
    ----------
    lanes
        Cells that meet their input in one cycle.
    level
        Where the emulator takes over: ``vector``, or ``pin``: the core as it is generated, and the macro emulated.
    """

    name = "fpga-sim"

    def __init__(self, *, lanes: int = _LANES, level: str = "vector") -> None:
        self._lanes, self._level = lanes, level
        self._cfg: BoardConfig | None = None
        self._bus: BusSimulation | None = None
        self._driver: BoardDriver | None = None

    def open(self, chip: Chip, cores: Sequence[TnsaModel]) -> None:
        """Take a chip and its programmed cores. The simulation is kept where the hardware is the one that it has.

        Raises
        ------
        InputError
            If the cores draw noise, which the emulator does not have, or there is a mesh.
        ToolError
            If a tool is missing or the build fails.
        """
        noise = self._level == "vector" and any(model.register is not None for model in cores)
        cfg = BoardConfig(
            chip=hardware_chip(chip), level=self._level, lanes=min(self._lanes, chip.lines), noise=noise
        )  # fmt: skip
        for model in cores:
            check_core(cfg.emulator, model)
        if self._bus is None or cfg != self._cfg:
            self.close()
            self._bus, self._cfg = BusSimulation(board_simulator(cfg)), cfg
            info = read_info(self._bus, "the simulated board")
            info.check(cfg.chip, "the simulated board")
        self._driver = BoardDriver(self._bus, cfg.emulator, cores)

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`sim.backend.Backend`."""
        if self._driver is None:
            raise RuntimeError("The backend must be open.")
        return self._driver.mvm(core, op, masks, x, op_id)

    def close(self) -> None:
        """End the simulation."""
        if self._bus is not None:
            self._bus.close()
        self._bus = self._cfg = self._driver = None
