"""Conductances of a programmed array at some time: every cell drawn from the device by counter."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.devices.device import Device
from mho.macro_models.devices.memory import Drawn, anew_step, shared, with_chip
from mho.macro_models.integer.random import NORMAL_ONE, NORMAL_TABLE, Purpose, bits16, normal_blocks, normal_codes
from mho.macro_models.types import Flags, Integers, Integral, Reals

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


RELAX_STEP = 9
"""Step of the draws of purpose ``PULSE`` that say where in the distribution of its relaxation a cell is."""

LOST_STEP = 10
"""The same of the draws that say which cells are lost. What follows are further numbers of a cell's place."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SettledCells:
    """Cells that rest, flattened ``[bit line * lines + source line]``; all arrays have shape (cells,).

    A cell's place in the distribution of the device is drawn with its last pulse and kept while it rests, so that a
    cell that has settled in the band during the waits between passes stays there.
    """

    left_uS: Reals
    """Conductance that the last pulse of each cell left (or, without pulses, where it was found), in uS."""
    waits: Integral
    """Waits between passes since then."""
    wait_s: float
    """Duration of one of them, in seconds."""
    pulses: Integral
    """Pulses of each cell so far: part of the address of its draw."""
    moves: Flags
    """Cells that relax; the others (stuck, not formed, dead) keep what they have."""
    seed: int
    core: int
    """The rest of the address."""

    def relaxed_uS(self, device: Device, time_s: float, temp_C: float = 25.0) -> Reals:
        """Conductances ``time_s`` seconds after the end of the last pass, in uS, of shape (cells,).

        A cell has changed as the device does in the time since the cell's last pulse, of which only waits count: a
        pass is short against them.
        """
        changed = self.left_uS.copy()
        if not device.relaxes:
            return changed
        for waits in np.unique(self.waits):
            chosen = np.flatnonzero(self.moves & (self.waits == waits))
            since = int(waits) * self.wait_s + time_s
            if since <= 0.0 or not chosen.size:
                continue
            draws = CellDraws(self.seed, self.core, (int(chosen.max()) + 1,), chosen)
            settled = device.settled(self.left_uS[chosen], draws, since, temp_C)
            if settled is not None:
                changed[chosen] = settled
                continue
            g = self.left_uS[chosen]
            if device.law.model:
                change, _ = device.change_quantiles(since, temp_C)
                moved = device.law.draw(change, g, self._place(chosen, device, since, temp_C))
            else:
                moved = device.relaxation_uS(g, since, temp_C) * (self._draw(chosen) / NORMAL_ONE)
            changed[chosen] = device.lose(
                np.maximum(g + moved, 0.0), g, since, temp_C, lambda cells=chosen: self._draw(cells, LOST_STEP)
            )
        return changed

    def later_uS(self, g_uS: Reals, device: Device, time_s: float, temp_C: float = 25.0) -> Reals:
        """Conductances ``time_s`` seconds from now of cells that hold ``g_uS`` now, in uS, of shape (cells,).

        What happens from now on is added: relaxation during the waits is in ``g_uS``.
        """
        change = self.relaxed_uS(device, time_s, temp_C) - self.relaxed_uS(device, 0.0, temp_C)
        return device.read_at(np.maximum(g_uS + change, 0.0), g_uS, temp_C)

    def _place(self, cells: Integers, device: Device, since: float, temp_C: float) -> Integral:
        """Where in the distribution of their change ``cells`` are."""
        return device.change_codes(
            since, temp_C, lambda k: self._draw(cells, LOST_STEP + k if k else RELAX_STEP),
            lambda: CellDraws(self.seed, self.core, ()).chip(1),
        )

    def _draw(self, cells: Integers, step: int = RELAX_STEP) -> Integers:
        """Normal codes of ``cells``: eight pulses of a cell share a block."""
        number = self.pulses[cells].astype(np.int64)
        drawn = normal_blocks(Purpose.PULSE, seed=self.seed, core=self.core, block=cells, op_id=number >> 3, step=step)
        return drawn[np.arange(len(cells)), number & 7].astype(np.int64)
