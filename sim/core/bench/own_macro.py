"""What ``mho verify core`` does where a user's own model is behind the pins: it measures and programs its cells."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.macro_models import MacroModel, Masks, load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.operation import Direction
from mho.macro_models.integer.pulse import AMPLITUDE_BITS
from mho.macro_models.integer.tnsa.operation import TnsaOperation
from mho.sim.core.bench.given_cells import ideal_model, model_of_codes, row_products
from mho.sim.core.cosim_core import CosimCore
from mho.sim.core.kinds import simulated
from mho.sim.programming.cosim import cell_fields, write_job

_LEAST = 0.75
"""Part of what a pulse does that one of twice its amplitude does at least; the cells are others."""

MOST_JITTER = 8
"""Verify codes by which two reads of a cell may differ."""

LARGEST = 126
"""Largest conductance code that :func:`measured_model` can tell: one below the most decrements of a conversion."""

_FEW_CELLS, _OF_A_LINE = 8, 0.7
"""Cells of a line from which on it is looked at alone, and the correlation of its codes and products at least: two
lines of many that are swapped leave that of all cells high."""


def measured_model(chip: Chip, core: CosimCore) -> MacroModel:
    """The ideal macro with the cells of that behind the pins of ``core``, as products of single bit lines give them.

    Raises ToolError if a code is above :data:`LARGEST` or below 0.
    """
    config, rows = chip.macro_config(), []
    lines, absent = config.cell_map.shape[0], config.cell_map.absent
    op = TnsaOperation(direction=Direction.FORWARD, in_bits=2, in_signed=True, out_bits=8, step_code=1)
    on, off = np.ones(lines, dtype=bool), np.zeros(lines, dtype=bool)
    for line in range(lines):
        x = np.zeros((1, config.inputs(Direction.FORWARD)), dtype=np.int64)
        x[0, line // 2] = -1 if line % 2 else 1
        masks = Masks(np.arange(lines) == line, on, off, off)
        codes = core.run(op, masks.without(*absent), x, 0).codes[0].astype(np.int64)
        if codes.min() < 0 or codes.max() > 2 * LARGEST + 1:
            at = int(np.argmax(np.abs(codes)))
            raise ToolError(
                f"the macro's model: the cell of bit line {line} and source line {at} must have a conductance code of "
                f"0 to {LARGEST}, and a product with 1 gives code {codes[at]} in half steps"
            )
        rows.append(codes // 2)
    return ideal_model(chip, np.array(rows) * config.lsb_uS)


def require_products(chip: Chip, macro: MacroModel) -> None:
    """Refuses a verification in which lines would give no product but 0: whatever is wrong there would not be seen.

    Raises ToolError if no product of a line was another.
    """
    lines = chip.macro_config().cell_map.absent
    for axis, (name, absent) in enumerate(zip(("bit line", "source line"), lines, strict=True)):
        silent = np.flatnonzero(~macro.cells.any(axis=1 - axis) & ~absent)
        if len(silent):
            where = "" if len(silent) + absent.sum() == len(absent) else f" of {name} {silent[0]}"
            raise ToolError(f"the macro's model: no product{where} but 0 was seen, so that nothing would be verified")


def require_programmed(
    codes: NDArray[np.int64], products: NDArray[np.int64], done: NDArray[np.bool_], present: NDArray[np.bool_]
) -> str:
    """Whether the cells that were programmed are those that multiply, all [bit line, source line]: how, in words.

    Raises ToolError if they are not, or next to none was programmed.
    """
    if done[present].mean() < 0.5:
        given_up = int((present & ~done).sum())
        raise ToolError(f"write-verify must bring most cells to their targets, and it gave up {given_up} cells")
    done = done & present
    if np.array_equal(codes[done], products[done]):
        return "the verify codes are the codes that multiply"
    alike = _alike(codes[done], products[done])
    lines = [
        (_alike(codes[at], products[at]), f" of {name} {line}") for name, axes in (("bit line", 0), ("source line", 1))
        for line, at in enumerate(_each_line(done, axes)) if at[0].size >= _FEW_CELLS
    ]
    worst, where = min(lines, default=(1.0, ""))
    if not alike > 0.9 or worst < _OF_A_LINE:
        worst, where = (worst, where) if alike > 0.9 else (alike, "")
        raise ToolError(
            f"the cells that are programmed must be those that multiply: verify codes and products{where} agree by "
            f"{worst:.2f} only"
        )
    return f"verify codes and products agree by a correlation of {alike:.3f}"


def _alike(codes: NDArray[np.int64], products: NDArray[np.int64]) -> float:
    return float(np.corrcoef(codes, products)[0, 1]) if products.std() and codes.std() else 0.0


def _each_line(cells: NDArray[np.bool_], axis: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Places of the cells that are on, of each line."""
    places = np.nonzero(cells)
    return [(places[0][on], places[1][on]) for on in (places[axis] == k for k in range(cells.shape[axis]))]


class Programming:
    """Programs the cells of the user's model through the pins, and asks what pulses do to them.

    Parameters
    ----------
    chip, core
        What is verified, and its simulation.
    seed
        Of the targets.

    Attributes
    ----------
    size
        Cells that there are.
    """

    def __init__(self, chip: Chip, core: CosimCore, seed: int) -> None:
        self.chip, self.core = chip, core
        self._rng = np.random.default_rng([seed, 0x0AC0])
        self._usual = replace(
            WriteVerifyParameters.from_chip(chip), form=False, passes=1, wait_cycles=0, confirmations=0
        )
        rows, columns = chip.macro_config().cell_map.absent
        self._absent = rows[:, None] | columns
        self.size = int((~self._absent).sum())
        self._jitter = MOST_JITTER
        self._top = 2 ** PulseChip.of(chip).programming.verify_bits - 1
        # The cells are the user's; these only fill the job.
        self._array = PulseArray(PulseChip.of(chip).pulse_config(), device=load_device("rram-neurram"), seed=0, core=0)

    def check_reads(self, macro: MacroModel) -> None:
        """Cells that were given are read before any is programmed.

        Raises ToolError if verify codes are others, by more than a code in the mean or what reads may differ by.
        """
        if simulated(self.chip).measured:
            return
        off = (self._read() - (macro.cells * (self._top + 1) >> self.chip.core.g_bits))[~self._absent]
        if abs(off.mean()) > 1 or np.abs(off).max() > MOST_JITTER:
            raise ToolError(
                f"the macro's model: verify reads must be the codes of the cells that it was given, and are "
                f"{off.mean():+.3g} off in the mean, {np.abs(off).max()} at most"
            )

    def check_pulses(self) -> None:
        """One pulse of each power of two as its amplitude, of each kind, on every second cell of some bit lines.

        Raises ToolError if cells change that get no pulse, none of those that get one does, a pulse does the opposite
        of what its kind says, or a larger amplitude does much less.
        """
        chip = self.chip
        before, again = self._read(), self._read()
        self._still(before, again, ~self._absent)
        self._jitter = int(np.abs(again - before).max())
        kinds = [("set", 1), ("reset", -1)]
        if chip.macro is not None and chip.macro.pins.get("form_pulse", 0) != 0:
            kinds.append(("form", 1))
        lines, alone = np.arange(len(self._absent)), np.arange(self._absent.shape[1]) % 2 == 0
        for kind, sign in kinds:
            moved = []
            for bit in range(AMPLITUDE_BITS):
                pulsed = (lines % AMPLITUDE_BITS == bit)[:, None] & alone & ~self._absent
                self._pulse(kind, sign, 1 << bit, pulsed)
                after = self._read()
                self._still(before, after, ~pulsed & ~self._absent)
                moved.append(sign * float((after - before)[pulsed].mean()))
                before = after
            self._check_moves(kind, moved)

    def program(self, before: MacroModel) -> tuple[MacroModel | None, int, str]:
        """Program random codes by write-verify and compare them with what multiplies.

        Raises ToolError if what is programmed is not what multiplies.

        Returns
        -------
        tuple
            The reference of the programmed macro, None where verify codes are not its cells; how many cells reached
            their targets; and how verify codes and products agree.
        """
        return self._program_measured(before) if simulated(self.chip).measured else self._program_given()

    def _program_measured(self, before: MacroModel) -> tuple[MacroModel, int, str]:
        codes, done = self._program_some(1)
        done = done & ~self._absent
        after = measured_model(self.chip, self.core)
        require_products(self.chip, after)
        if done.any() and np.array_equal(after.cells, before.cells):
            raise ToolError(
                "the cells that are programmed must be those that multiply: no product changed by programming"
            )
        how = require_programmed(codes, after.cells.astype(np.int64), done, ~self._absent)
        return after, int(done.sum()), how

    def _program_given(self) -> tuple[MacroModel | None, int, str]:
        """Cells are what verify reads say, or next to it: products of single rows tell."""
        codes, done = self._program_some((self._top + 1) // 256)
        done = done & ~self._absent
        model = model_of_codes(self.chip, codes, (self._top + 1).bit_length() - 1)
        expected, observed = row_products(self.chip, model, self.core)
        each = (*expected.shape, -1)
        how = require_programmed(
            expected, observed, np.all(done.reshape(each), axis=2), np.all(~self._absent.reshape(each), axis=2)
        )
        return model if np.array_equal(expected, observed) else None, int(done.sum()), how

    def _program_some(self, unit: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Verify codes after write-verify of random targets, in ``unit`` codes, and the cells that reached them."""
        targets = self._rng.integers(4 * unit, (LARGEST - 8) * unit, self._absent.shape)
        # Small steps for a model whose cells move by the amplitude; else the pulses of the chip description.
        pulse = 8 * unit
        small = replace(
            self._usual, tolerance=4 * unit, set_start=pulse, set_step=0, set_ceiling=pulse, reset_start=pulse,
            reset_step=0, reset_ceiling=pulse, set_cycles=2, reset_cycles=2, max_reversals=255, max_at_ceiling=255,
        )
        codes, done = self._run(small, targets, self._absent)
        if done[~self._absent].mean() < 0.5:
            codes, done = self._run(self._usual, targets, self._absent)
        return codes, done

    def _read(self) -> NDArray[np.int64]:
        """Verify codes of all cells."""
        return self._run(replace(self._usual, max_pulses=0), np.zeros(self._absent.shape, dtype=int), self._absent)[0]

    def _pulse(self, kind: str, sign: int, amplitude: int, cells: NDArray[np.bool_]) -> None:
        """One pulse to each of these cells."""
        more: dict[str, Any] = {f"{kind}_start": amplitude, f"{kind}_ceiling": amplitude}
        once = replace(self._usual, tolerance=0, max_pulses=1, form=kind == "form", **more)
        self._run(once, np.full(cells.shape, self._top if sign > 0 else 0), ~cells)

    def _still(self, before: NDArray[np.int64], after: NDArray[np.int64], cells: NDArray[np.bool_]) -> None:
        changed = np.argwhere((np.abs(before - after) > self._jitter) & cells)
        if len(changed):
            bl, sl = changed[0]
            raise ToolError(
                f"the macro's model: the cell of bit line {bl} and source line {sl} read {before[bl, sl]}, and later "
                f"{after[bl, sl]}, though no pulse was for it"
            )

    def _check_moves(self, kind: str, moved: Sequence[float]) -> None:
        """``moved``: by how much pulses of each amplitude moved cells in the mean, in the direction of their kind."""
        what = f"the macro's model: {kind.upper()} pulses"
        if min(moved) < -self._jitter:
            raise ToolError(f"{what} must {'lower' if kind == 'reset' else 'raise'} cells, and did the opposite")
        if max(moved) <= self._jitter:
            raise ToolError(f"{what} changed no cell, so that nothing would be verified")
        assert self.chip.macro is not None
        if self.chip.macro.pins.get("amplitude", 0) != 0 and max(moved) - moved[0] <= self._jitter:
            raise ToolError(
                f"{what} of a larger amplitude must move cells by more, and moved them by {max(moved):g} verify codes "
                f"in the mean at most, those of amplitude 1 by {moved[0]:g}"
            )
        for bit, (less, more) in enumerate(pairwise(moved)):
            if more < _LEAST * less - self._jitter:
                raise ToolError(
                    f"{what} of amplitude {2 << bit} must move cells at least as those of {1 << bit}, by {less:g} "
                    f"verify codes in the mean, and moved them by {more:g}"
                )

    def _run(
        self, parameters: WriteVerifyParameters, targets: NDArray[np.integer], skip: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Verify codes after a run, and the cells that were not given up."""
        outcome = self.core.program(write_job(self.chip, self._array, targets, skip, parameters, full_time=True))
        fields = cell_fields(WriteVerifyConfig.from_chip(self.chip), outcome.cells)
        return fields["code"].reshape(skip.shape), fields["fault"].reshape(skip.shape) == 0
