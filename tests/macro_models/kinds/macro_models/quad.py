"""Models of the made-up kind: exact sums of currents, converted in steps that no column has of its own."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from mho.macro_models.cell_map import CellMap
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import device_from_dict
from mho.macro_models.devices.checks import checked_causes
from mho.macro_models.integer.operation import STEP_FRACTION_BITS, Direction
from mho.macro_models.integer.tnsa.converter import count_decrements, decode
from mho.macro_models.kinds import Family
from mho.macro_models.macro import MacroConfig, MacroModel, MvmResult


@dataclass(frozen=True)
class TwoPairs(CellMap):
    """Two cells for what is positive and two for what is negative; the first of two is filled first."""

    cells: ClassVar[int] = 4

    def top(self, low, high):
        return 2 * (high - low)

    def split(self, difference, low, high):
        sides = [np.maximum(difference, 0.0), np.maximum(-difference, 0.0)]
        first = [np.minimum(side, high - low) for side in sides]
        return low + np.stack([first[0], sides[0] - first[0], first[1], sides[1] - first[1]])

    def join(self, cells):
        return cells[0] + cells[1] - cells[2] - cells[3]

    def reach(self, held, low, high):
        lowest, highest = np.where(np.isnan(held), low, held), np.where(np.isnan(held), high, held)
        return lowest[:2].sum(axis=0) - highest[2:].sum(axis=0), highest[:2].sum(axis=0) - lowest[2:].sum(axis=0)

    def split_around(self, difference, held, low, high):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class QuadConfig(MacroConfig):
    kind: ClassVar[str] = "quad"
    lines: int
    g_bits: int
    g_full_scale_uS: float
    full_uS: float

    @property
    def cell_map(self):
        return TwoPairs(self.lines // 4, self.lines)

    def inputs(self, direction):
        return self.cell_map.rows if direction is Direction.FORWARD else self.lines

    def load(self, g, *, axis, unit_uS=1.0):
        return np.full_like(g.sum(axis=axis), self.full_uS / unit_uS, dtype=np.float64)

    def active_causes(self, device):
        return frozenset()


class QuadModel(MacroModel):
    def __init__(self, config, target_uS, *, device, seed, core, time_s=0.0, temp_C=25.0, causes=None):
        self.config, self.device, self.seed, self.core = config, device, seed, core
        chosen = checked_causes(causes)
        g = programmed(
            np.asarray(target_uS, dtype=np.float64), device=device, seed=seed, core=core, time_s=time_s, temp_C=temp_C,
            causes=chosen,
        ).g_uS
        self.cells = np.rint(g / config.lsb_uS).astype(np.int32)

    @classmethod
    def from_state(cls, state: dict[str, Any]):
        model = cls.__new__(cls)
        config = {name: value for name, value in state["config"].items() if name != "kind"}
        model.config, model.device = QuadConfig(**config), device_from_dict(state["device"])
        model.seed, model.core, model.cells = state["seed"], state["core"], state["cells"]
        return model

    def state(self):
        return {
            "config": {"kind": "quad", **asdict(self.config)}, "device": self.device.to_dict(), "seed": self.seed,
            "core": self.core, "cells": self.cells,
        }

    def supports(self, op):
        return not op.backward

    def mvm(self, op, masks, x, op_id):
        cells = self.config.cell_map
        weights = cells.join(cells.take(self.cells.astype(np.int64), np.arange(cells.rows), np.arange(cells.columns)))
        charge = 2 * (np.asarray(x, dtype=np.int64) @ weights) + 1
        unit = self.config.full_uS / self.config.lsb_uS
        step = 2 * max(1, round(op.step_code * 2.0**-STEP_FRACTION_BITS * unit))
        steps = np.full(cells.columns, step)
        counts = count_decrements(charge, steps, steps, op.max_steps)
        codes = decode(charge < 0, counts, masks.enabled(op), op.relu)
        return MvmResult(codes.astype(np.int16), np.full((len(codes), 1), op.max_steps))


FAMILY = Family(config=QuadConfig, model=QuadModel)
