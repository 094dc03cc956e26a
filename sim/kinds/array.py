"""An array at its pins: a step is taken when the next strobe comes, codes are read in groups."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mho.sim.pins import PinBody, Pins, packed


class ArrayBody(PinBody):
    """See :class:`PinBody`."""

    def put_model(self, model: Any) -> None:
        """Have this model answer from now on."""
        self.model, self.config = model, model.config
        self.step: int | None = None
        self.pulsed = False
        self.integrated = np.zeros(self.config.rows, dtype=np.int64)
        self.result = self.shown = np.zeros(model.conversions, dtype=np.int64)

    def strobe(self, pins: Pins) -> Mapping[str, int]:
        """See :meth:`PinBody.strobe`."""
        digital = self.config.digital
        if pins.has("update") and pins["update"]:
            self.model.pulse(pins.bits("row_pulse"), pins.bits("column_pulse"), -1 if pins["update_reset"] else 1)
            self.pulsed = True
        if self.step is not None and (pins["sample"] or pins["capture"] or (not digital and pins["convert"])):
            driven = self._digits(pins, "row_pos") - self._digits(pins, "row_neg")
            if digital:
                self.result = self._converted(pins, driven, self.step)
            else:
                self.integrated += self.config.steps.weight(self.step) * driven
            self.step = None
        if not digital and pins["convert"]:
            self.result = self._converted(pins, self.integrated, 0)
            self.integrated = np.zeros_like(self.integrated)
        if pins["capture"] or (digital and pins["sample"]):
            self.shown = self.result
        if pins["sample"]:
            self.step = pins["plane"]
        # Those of a column of two arrays beside each other.
        return {"codes": packed(self.shown.reshape(-1, self.config.columns).T, self.config.bits)}

    def finish(self, result: Any, conversions: int) -> None:
        """See :class:`PinBody`; with the cells, if they were pulsed all at once."""
        super().finish(result, conversions)
        result.pulsed = self.model.answering.changes() if self.pulsed else None

    def _digits(self, pins: Pins, name: str) -> Any:
        bits = pins.bits(name).reshape(self.config.rows, -1)
        return bits @ (1 << np.arange(bits.shape[1]))

    def _converted(self, pins: Pins, driven: Any, step: int) -> Any:
        on = pins.bits("wl_en") if pins.has("wl_en") else np.ones(self.config.rows, dtype=np.bool_)
        key, ids = self.model.key(on), np.array([pins["op_id"]], dtype=np.uint64)
        return self.model.codes(key, driven[None], ids, step, pins["step_code"])[0][0]


PINS = ArrayBody
