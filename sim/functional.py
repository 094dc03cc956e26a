"""The functional backend: the numpy models alone. It needs nothing that is not Python."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.config import Chip
from hw.core.write_verify import WriteVerifyParameters
from hw.kinds import Timing, timing
from macro_models import MacroModel, Masks
from macro_models.cells.pulses import PulseArray
from macro_models.exact.operation import MvmOperation
from sim.backend import BackendResult, HostScheduled
from sim.cells.write_verify import ProgramRun, reference_run

__all__ = ["FunctionalBackend"]


class FunctionalBackend(HostScheduled):
    """Runs operations on :class:`~macro_models.MacroModel`; cycles are those that the RTL would take."""

    name = "functional"

    def __init__(self) -> None:
        self._cores: list[MacroModel] = []
        self._cfg: Timing | None = None
        self._chip: Chip | None = None

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores."""
        self._cfg = timing(chip)
        self.rows = chip.macro_config().cell_map.rows
        self._chip = chip
        self._cores = list(cores)

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`sim.backend.Backend`."""
        if self._cfg is None:
            raise RuntimeError("The backend must be open.")
        result = self._cores[core].mvm(op, masks, x, op_id)
        return BackendResult(
            codes=result.codes,
            steps=result.steps,
            cycles=self._cfg.cycles(op, result.steps),
            analog=self._cfg.analog_cycles(op, result.steps),
        )

    def program(
        self,
        core: int,
        array: PulseArray,
        targets: NDArray[np.integer],
        skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells; see :class:`sim.cells.write_verify.Programmer`."""
        if self._chip is None:
            raise RuntimeError("The backend must be open.")
        return reference_run(self._chip, array, targets, skip, parameters)

    def close(self) -> None:
        """Forget the cores."""
        self._cores = []
        self._cfg = self._chip = None
