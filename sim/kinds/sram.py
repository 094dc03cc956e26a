"""A digital array at its pins: a plane is added up when the next strobe comes, sums are read in groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mho.sim.pins import PinBody, Pins, packed


class SramBody(PinBody):
    """See :class:`PinBody`."""

    def put_model(self, model: Any) -> None:
        """Have this model answer from now on."""
        self.weights = model.weights.astype(np.int64)
        self.plane: int | None = None
        self.sums = self.shown = np.zeros(self.weights.shape[1], dtype=np.int64)

    def strobe(self, pins: Pins) -> Mapping[str, int]:
        """See :meth:`PinBody.strobe`."""
        if self.plane is not None and (pins["sample"] or pins["capture"]):
            levels = pins.bits("row_pos").astype(np.int64) - pins.bits("row_neg")
            self.sums = self.sums + ((levels << self.plane) @ self.weights)
            self.plane = None
        if pins["capture"]:
            self.shown, self.sums = self.sums, np.zeros_like(self.sums)
        if pins["sample"]:
            self.plane = pins["plane"]
        return {"sums": packed(self.shown, pins["SUM_BITS"])}


PINS = SramBody
