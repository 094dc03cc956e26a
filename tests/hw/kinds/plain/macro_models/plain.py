"""Models of the made-up kind: exact sums of cells about their middle, floors of these as codes."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from mho.macro_models.cell_map import CellMap
from mho.macro_models.integer.operation import STEP_FRACTION_BITS
from mho.macro_models.kinds import Family
from mho.macro_models.macro import MacroConfig, MacroModel, MvmResult


@dataclass(frozen=True)
class Centred(CellMap):
    """A cell a weight, about the middle of its range."""

    cells: ClassVar[int] = 1
    middle_uS: float = 0.0

    def top(self, low, high):
        return min(high - self.middle_uS, self.middle_uS - low)

    def split(self, difference, low, high):
        return (difference + self.middle_uS)[None]

    def join(self, cells):
        return cells[0] - self.middle_uS

    def reach(self, fixed, low, high):
        raise NotImplementedError

    def split_around(self, difference, fixed, low, high):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PlainConfig(MacroConfig):
    kind: ClassVar[str] = "plain"
    rows: int
    columns: int
    bits: int
    g_bits: int
    g_full_scale_uS: float
    middle: int

    @property
    def cell_map(self):
        return Centred(self.rows, self.columns, middle_uS=self.middle * self.lsb_uS)

    def inputs(self, direction):
        return self.rows

    def load(self, g, *, axis, unit_uS=1.0):
        # A step code counts products of codes.
        return np.full_like(g.sum(axis=axis), 2**STEP_FRACTION_BITS * self.lsb_uS / unit_uS, dtype=np.float64)

    def limit(self, step_code):
        return 2.0 ** (self.bits - 1) * step_code

    def active_causes(self, device):
        return frozenset()


class PlainModel(MacroModel):
    def __init__(self, config, target_uS, *, device=None, seed=0, core=0, time_s=0.0, temp_C=25.0, causes=None):
        self.config = config
        self.cells = np.rint(np.asarray(target_uS) / config.lsb_uS).astype(np.int32)

    @classmethod
    def from_state(cls, state: dict[str, Any]):
        model = cls.__new__(cls)
        model.config = PlainConfig(**{name: value for name, value in state["config"].items() if name != "kind"})
        model.cells = state["cells"]
        return model

    def state(self):
        return {"config": {"kind": "plain", **asdict(self.config)}, "cells": self.cells}

    @property
    def weights(self):
        return self.cells.astype(np.int64) - self.config.middle

    def supports(self, op):
        return not op.backward and op.out_bits <= self.config.bits

    def full_scale(self, op, masks, x):
        return np.abs((x * masks.driven(op)) @ self.weights).max() / 2.0 ** (self.config.bits - 2)

    def converted(self, charge, step_code):
        top = 2 ** (self.config.bits - 1)
        return np.clip(charge // step_code, -top, top - 1)

    def mvm(self, op, masks, x, op_id):
        raw = 2 * self.converted((np.asarray(x) * masks.driven(op)) @ self.weights, op.step_code) + 1
        limit = 2**op.out_bits - 1
        codes = np.where(masks.enabled(op) & ~(op.relu & (raw < 0)), np.clip(raw, -limit, limit), 0)
        return MvmResult(codes.astype(np.int16), np.zeros((len(codes), 1), dtype=np.int64))


FAMILY = Family(config=PlainConfig, model=PlainModel)  # pyright: ignore[reportArgumentType]
