"""Conductances of a programmed array at some time: every cell drawn from the device by counter."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.memory import Drawn, Draws, anew_step, shared, with_chip
from mho.macro_models.integer.random import NORMAL_ONE, NORMAL_TABLE, Purpose, bits16, normal_codes
from mho.macro_models.types import Reals

_STEP = 1 << 16


def chip_code(seed: int, which: int) -> int:
    """Normal code of the chip ``seed``, the same on all its cores: ``which`` 0 of programming, 1 of the change."""
    return int(normal_codes(Purpose.RELAXATION, seed=seed, core=0, items=1, step=_STEP + which)[0])

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
    dead = np.isnan(target_uS)
    some_dead = bool(dead.any())
    target = np.nan_to_num(target_uS, nan=0.0) if some_dead else target_uS
    drawn = device.programmed(target, cell_draws(seed, core, target.shape), time_s, temp_C, causes)
    if drawn is not None:
        g, origin = drawn.g_uS, drawn.origin_uS
    elif device.law.model:
        g, origin = _from_law(target, device, seed, core, time_s, temp_C, causes), None
    else:
        g, origin = _from_spread(target, device, seed, core, time_s, causes), None

    def whole(g: Reals) -> Reals:
        g = np.maximum(g, 0.0)
        if "stuck" in causes and device.stuck.fraction > 0.0:
            g = _stick(g, device, seed, core)
        return np.where(dead, 0.0, g) if some_dead else g

    return Drawn(whole(g), None if origin is None else whole(origin))


def cell_draws(seed: int, core: int, shape: tuple[int, ...]) -> Draws:
    """Random numbers of all cells of a core, of their shape."""
    return _CellDraws(seed, core, shape)


@dataclass(frozen=True)
class _CellDraws:
    """Draws of all cells of a core, see :class:`mho.macro_models.devices.memory.Draws`."""

    seed: int
    core: int
    shape: tuple[int, ...]

    def uniform(self, purpose: Purpose, step: int = 0) -> NDArray[np.uint16]:
        drawn = _draws(purpose, seed=self.seed, core=self.core, items=math.prod(self.shape), step=step)
        return drawn.reshape(self.shape)

    def normal(self, purpose: Purpose, step: int = 0) -> NDArray[np.int16]:
        return NORMAL_TABLE.take(self.uniform(purpose, step), mode="clip")

    def chip(self, which: int) -> int:
        return chip_code(self.seed, which)


def _draws(purpose: Purpose, *, seed: int, core: int, items: int, step: int = 0) -> NDArray[np.uint16]:
    """The draws of all cells, not to be written to."""
    draw = _kept_draws if items <= KEPT_CELLS else _kept_draws.__wrapped__
    return draw(purpose, seed, core, items, step)


@lru_cache(maxsize=KEPT_DRAWS)
def _kept_draws(purpose: Purpose, seed: int, core: int, items: int, step: int) -> NDArray[np.uint16]:
    return bits16(purpose, seed=seed, core=core, items=items, step=step)


def _normals(purpose: Purpose, *, seed: int, core: int, items: int, step: int = 0) -> NDArray[np.int16]:
    return NORMAL_TABLE.take(_draws(purpose, seed=seed, core=core, items=items, step=step), mode="clip")


def _from_spread(target: Reals, device: Device, seed: int, core: int, time_s: float, causes: frozenset[str]) -> Reals:
    """A uniform error within the window of programming, and a normal change."""
    draw, g = {"seed": seed, "core": core, "items": target.size}, target.flatten()
    left = moved = None
    if "programming" in causes and device.programming.accept_uS > 0.0:
        left = _draws(Purpose.PROGRAMMING, **draw)
    if "relaxation" in causes and device.relaxation.times_s and time_s > 0.0:
        moved = _draws(Purpose.RELAXATION, **draw)
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
    target: Reals,
    device: Device,
    seed: int,
    core: int,
    time_s: float,
    temp_C: float,
    causes: frozenset[str],
) -> Reals:
    """An error of programming and a change, each by its quantile function."""
    law, g = device.law, target.copy()
    relaxes = "relaxation" in causes and time_s > law.times_s[0] and device.relaxes
    change, share = device.change_quantiles(time_s, temp_C) if relaxes else (None, 1.0)
    draw = {"seed": seed, "core": core, "items": target.size}
    anew = anew_step(device.programming.cycle)
    if "programming" in causes:
        codes = _normals(Purpose.PROGRAMMING, **draw).reshape(target.shape)
        if law.cell:
            codes = shared(law.cell[0], codes, _normals(Purpose.PROGRAMMING, step=anew, **draw).reshape(target.shape))
        if law.die and law.die[0] > 0.0:
            codes = with_chip(law.die[0], chip_code(seed, 0), codes)
        g += law.draw(law.programming(), target, codes) * share
    if change is not None:
        place = device.change_codes(
            time_s, temp_C, lambda k: _normals(Purpose.RELAXATION, step=_LOST_STEP + k if k else 0, **draw),
            lambda: chip_code(seed, 1), lambda k: _normals(Purpose.RELAXATION, step=anew + k, **draw),
        )
        g += law.draw(change, target, place.reshape(target.shape))
    if change is not None or "programming" in causes:
        g = device.lose(
            np.maximum(g, 0.0), target, time_s if change is not None else law.times_s[0], temp_C,
            lambda: _normals(Purpose.RELAXATION, step=_LOST_STEP, **draw).reshape(target.shape),
        )
    return device.read_at(g, target, temp_C) if "relaxation" in causes else g


def _stick(g: Reals, device: Device, seed: int, core: int) -> Reals:
    stuck = _draws(Purpose.STUCK, seed=seed, core=core, items=g.size) < round(device.stuck.fraction * 65536)
    values = np.array(device.stuck.values_uS)
    draw = _draws(Purpose.STUCK_VALUE, seed=seed, core=core, items=g.size).astype(np.int64)
    value = values[draw * len(values) >> 16]
    return np.where(stuck.reshape(g.shape), value.reshape(g.shape), g)
