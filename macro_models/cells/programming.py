"""Conductances of a programmed array at some time: every cell drawn from the device by counter."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.memory import Drawn, anew_step, shared, with_chip
from mho.macro_models.integer.random import NORMAL_ONE, NORMAL_TABLE, Purpose, bits16, normal_codes
from mho.macro_models.types import Flags, Integers, Reals

_CHIP_STEP = 1 << 16
"""First step of the draws of purpose ``RELAXATION`` that all cells of a chip share."""

KEPT_CELLS, KEPT_DRAWS = 1 << 16, 512
"""Draws of so many cells at most are kept, and so many of them: a calibration programs the same cells again and again.
"""

_BLOCK = 1 << 12
"""Cells that are worked out at a time: what they take stays in the first-level caches."""

_LOST_STEP = 1
"""Step of the draws of purpose ``RELAXATION`` that say which cells are lost; those before and after it say where in
the distribution of its change a cell is."""


def programmed(
    target_uS: Reals, *, device: Device, seed: int, core: int, time_s: float, temp_C: float = 25.0,
    causes: frozenset[str],
) -> Drawn:
    """Cells ``time_s`` seconds after programming at ``temp_C`` degrees Celsius, conductances at least 0.

    ``target_uS`` has any shape; NaN is a dead cell and gives 0. Draws are addressed by the flattened index of the cell:
    two times or two targets of the same cell share them, so that a cell relaxes coherently. ``causes`` switches
    "programming", "relaxation" and "stuck".
    """
    dead, draws = np.isnan(target_uS), CellDraws(seed, core, target_uS.shape)
    some_dead = bool(dead.any())
    target = np.nan_to_num(target_uS, nan=0.0) if some_dead else target_uS
    drawn = device.programmed(target, draws, time_s, temp_C, causes)
    if drawn is not None:
        g, origin = drawn.g_uS, drawn.origin_uS
    elif device.law.model:
        g, origin = _from_law(target, device, draws, time_s, temp_C, causes), None
    else:
        g, origin = _from_spread(target, device, draws, time_s, causes), None

    def whole(g: Reals) -> Reals:
        g = np.maximum(g, 0.0)
        if "stuck" in causes and device.stuck.fraction > 0.0:
            g = np.where(*stuck_cells(device, draws), g)
        return np.where(dead, 0.0, g) if some_dead else g

    return Drawn(whole(g), None if origin is None else whole(origin))


@dataclass(frozen=True, eq=False)
class CellDraws:
    """Draws of all cells of a core, of their shape, or of some, see :class:`mho.macro_models.devices.memory.Draws`."""

    seed: int
    core: int
    shape: tuple[int, ...]
    cells: Integers | None = None
    """Which of the flattened cells; None: all."""

    def uniform(self, purpose: Purpose, step: int = 0) -> NDArray[np.uint16]:
        items = math.prod(self.shape)
        draw = _kept_draws if items <= KEPT_CELLS else _kept_draws.__wrapped__
        drawn = draw(purpose, self.seed, self.core, items, step)
        return drawn.reshape(self.shape) if self.cells is None else drawn[self.cells]

    def normal(self, purpose: Purpose, step: int = 0) -> NDArray[np.int16]:
        return NORMAL_TABLE.take(self.uniform(purpose, step), mode="clip")

    def chip(self, which: int) -> int:
        step = _CHIP_STEP + which
        return int(normal_codes(Purpose.RELAXATION, seed=self.seed, core=0, items=1, step=step)[0])


@lru_cache(maxsize=KEPT_DRAWS)
def _kept_draws(purpose: Purpose, seed: int, core: int, items: int, step: int) -> NDArray[np.uint16]:
    return bits16(purpose, seed=seed, core=core, items=items, step=step)


def stuck_cells(device: Device, draws: CellDraws) -> tuple[Flags, Reals]:
    """Which cells are stuck, and what each would conduct if it were, in uS."""
    values = np.array(device.stuck.values_uS)
    which = draws.uniform(Purpose.STUCK_VALUE).astype(np.int64) * len(values) >> 16
    return draws.uniform(Purpose.STUCK) < round(device.stuck.fraction * 65536), values[which]


def _from_spread(target: Reals, device: Device, draws: CellDraws, time_s: float, causes: frozenset[str]) -> Reals:
    """A uniform error within the window of programming, and a normal change."""
    g, left, moved = target.flatten(), None, None
    if "programming" in causes and device.programming.accept_uS > 0.0:
        left = draws.uniform(Purpose.PROGRAMMING).ravel()
    if "relaxation" in causes and device.relaxation.times_s and time_s > 0.0:
        moved = draws.uniform(Purpose.RELAXATION).ravel()
    if left is None and moved is None:
        return g.reshape(target.shape)
    for first in range(0, len(g), _BLOCK):
        here = slice(first, first + _BLOCK)
        block = g[here].copy()
        if (block == block[0]).all():  # cells that hold nothing: one stands for all
            block = block[:1]
        window = device.window_uS(block)
        if left is not None:
            g[here] += window * ((left[here] + 0.5) / 32768.0 - 1.0)
        if moved is not None:
            normal = NORMAL_TABLE.take(moved[here], mode="clip") / NORMAL_ONE
            g[here] += device.relaxed_uS(block, time_s, window) * normal
    return g.reshape(target.shape)


def _from_law(
    target: Reals, device: Device, draws: CellDraws, time_s: float, temp_C: float, causes: frozenset[str]
) -> Reals:
    """An error of programming and a change, each by its quantile function."""
    law, g = device.law, target.copy()
    relaxes = "relaxation" in causes and time_s > law.times_s[0] and device.relaxes
    change, share = device.change_quantiles(time_s, temp_C) if relaxes else (None, 1.0)
    anew = anew_step(device.programming.cycle)
    if "programming" in causes:
        codes = draws.normal(Purpose.PROGRAMMING)
        if law.cell:
            codes = shared(law.cell[0], codes, draws.normal(Purpose.PROGRAMMING, anew))
        if law.die and law.die[0] > 0.0:
            codes = with_chip(law.die[0], draws.chip(0), codes)
        g += law.draw(law.programming(), target, codes) * share
    if change is not None:
        g += law.draw(change, target, device.change_codes(
            time_s, temp_C, lambda k: draws.normal(Purpose.RELAXATION, _LOST_STEP + k if k else 0),
            lambda: draws.chip(1), lambda k: draws.normal(Purpose.RELAXATION, anew + k),
        ))
    if change is not None or "programming" in causes:
        g = device.lose(
            np.maximum(g, 0.0), target, time_s if change is not None else law.times_s[0], temp_C,
            lambda: draws.normal(Purpose.RELAXATION, _LOST_STEP),
        )
    return device.read_at(g, target, temp_C) if "relaxation" in causes else g
