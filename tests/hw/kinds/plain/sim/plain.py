"""The made-up kind at its pins: all that its co-simulation takes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mho.sim.pins import PinBody, Pins


class PlainPins(PinBody):
    """Rows hold a plane until the strobe behind it, and are added then."""

    def put_model(self, model: Any) -> None:
        self._model, self._plane, self._fresh = model, None, True
        self._charge = np.zeros(model.config.columns, dtype=np.int64)
        self._result = self._codes = self._charge.copy()

    def strobe(self, pins: Pins) -> Mapping[str, int]:
        bits = self._model.config.bits
        if self._plane is not None:
            levels = pins.bits("row_pos").astype(np.int64) - pins.bits("row_neg")
            self._charge += (levels << self._plane) @ self._model.weights
            self._plane = None
        if pins["sample"]:
            self._charge = 0 * self._charge if self._fresh else self._charge
            self._plane, self._fresh = pins["plane"], False
        if pins["convert"]:
            self._result, self._fresh = self._model.converted(self._charge, pins["step_code"]), True
        if pins["capture"]:
            self._codes = self._result
        lanes = pins.width("codes") // bits
        group = self._codes[pins["group"] * lanes :][:lanes].tolist()
        return {"codes": sum((code & (1 << bits) - 1) << bits * k for k, code in enumerate(group))}


PINS = PlainPins
