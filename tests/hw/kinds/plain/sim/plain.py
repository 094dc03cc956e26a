"""The made-up kind at its pins: planes are summed when the next strobe comes, codes are read in groups."""

import numpy as np

from mho.sim.pins import PinBody


class PlainBody(PinBody):
    def put_model(self, model):
        self.model = model
        self.charge, self.plane = np.zeros(model.config.columns, dtype=np.int64), None
        self.result = self.codes = np.zeros(model.config.columns, dtype=np.int64)

    def strobe(self, pins):
        if (pins["sample"] or pins["convert"]) and self.plane is not None:
            levels = pins.bits("row_pos").astype(np.int64) - pins.bits("row_neg")
            self.charge += (levels << self.plane) @ self.model.weights
            self.plane = None
        if pins["sample"]:
            self.plane = pins["plane"]
        if pins["convert"]:
            self.result = self.model.converted(self.charge, pins["step_code"])
            self.charge = np.zeros_like(self.charge)
        if pins["capture"]:
            self.codes = self.result
        bits = self.model.config.bits
        lanes = pins.width("codes") // bits
        group = self.codes[pins["group"] * lanes : (pins["group"] + 1) * lanes].tolist()
        return {"codes": sum((code & (1 << bits) - 1) << bits * k for k, code in enumerate(group))}


PINS = PlainBody
