"""An array at its pins: codes of steps, or of all of a product together, are read in groups."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.macro.conversion import RowConversion
from mho.sim.pins import Pins
from mho.sim.rows import RowBody, RowSteps


class ArrayBody(RowBody):
    """See :class:`RowBody`."""

    def begin(self, *, keep_charges: bool = False) -> None:
        """See :class:`PinBody`."""
        self.pulsed = False

    def steps(self, pins: Pins) -> RowSteps:
        """See :meth:`RowBody.steps`."""
        config = self.model.config
        return RowSteps(
            rows=config.rows, columns=config.columns, codes="codes", code_bits=config.bits,
            convert="" if config.digital else "convert", digit_bits=config.steps.digit_bits,
            row_groups=config.steps.row_groups, change="update" if pins.has("update") else "",
        )

    def change(self, pins: Pins) -> None:
        """Pulses of an update of all cells."""
        self.model.pulse(pins.bits("row_pulse"), pins.bits("column_pulse"), -1 if pins["update_reset"] else 1)
        self.pulsed = True

    def finish(self, result: Any, conversions: int) -> None:
        """See :class:`PinBody`; with the cells, if they were pulsed all at once."""
        super().finish(result, conversions)
        result.pulsed = self.model.answering.changes() if self.pulsed else None

    def conversion(self, wl: NDArray[np.bool_], step_code: int) -> RowConversion:
        """See :meth:`RowBody.conversion`."""
        return self.model.conversion(self.model.key(wl), step_code)

    def codes(
        self, wl: NDArray[np.bool_], step_code: int, x: NDArray[np.int64], op_id: NDArray[np.uint64], step: int
    ) -> NDArray[np.int64]:
        """Those of the model, in whose place a reader may have put a law."""
        return self.model.codes(self.model.key(wl), x, op_id, step, step_code)[0]


PINS = ArrayBody
