"""A digital array at its pins: planes are added up, sums are read in groups."""

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.macro.conversion import RowConversion
from mho.sim.pins import Pins
from mho.sim.rows import RowBody, RowSteps


class SramBody(RowBody):
    """See :class:`RowBody`."""

    def steps(self, pins: Pins) -> RowSteps:
        """See :meth:`RowBody.steps`."""
        rows, columns = self.model.weights.shape
        return RowSteps(rows=rows, columns=columns, codes="sums", code_bits=pins["SUM_BITS"], convert="capture")

    def conversion(self, wl: NDArray[np.bool_], step_code: int) -> RowConversion:
        """See :meth:`RowBody.conversion`."""
        return RowConversion(products=np.trunc(self.model.weights), on=wl)


PINS = SramBody
