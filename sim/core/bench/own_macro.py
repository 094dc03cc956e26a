"""What ``mho verify core`` does where a user's own model is behind the pins: it measures and programs its cells."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters
from mho.macro_models import MacroModel, load_device
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.errors import ToolError
from mho.macro_models.integer.pulse import AMPLITUDE_BITS
from mho.sim.core.bench.exact_macro import LARGEST, ExactMacro, measure_cells, require_programmed
from mho.sim.core.bench.given_cells import model_of_codes, row_products
from mho.sim.core.cosim_core import CosimCore
from mho.sim.programming.cosim import cell_fields, write_job

_LEAST = 0.75
"""Part of what a pulse does that one of twice its amplitude does at least; the cells are others."""

MOST_JITTER = 8
"""Verify codes by which two reads of a cell may differ."""


def measured_macro(chip: Chip, core: CosimCore) -> ExactMacro:
    """The reference of the macro behind the pins of ``core``: its cells, as products of single lines give them.

    Raises ToolError if a cell is out of the range in which it can be measured.
    """
    config = chip.macro_config()
    cells = measure_cells(core, config)
    macro = chip.macro
    binary = macro is not None and (bool(macro.commands) or macro.pins.get("dec_scale", 0) != 0)
    return ExactMacro(config=config, cells=cells, binary=binary)


def require_products(chip: Chip, macro: ExactMacro | MacroModel) -> None:
    """Refuses a verification in which lines would give no product but 0: whatever is wrong there would not be seen.

    Raises ToolError if no product of a line was another.
    """
    lines = chip.macro_config().cell_map.absent
    for axis, (name, absent) in enumerate(zip(("bit line", "source line"), lines, strict=True)):
        silent = np.flatnonzero(~macro.cells.any(axis=1 - axis) & ~absent)
        if len(silent):
            where = "" if len(silent) + absent.sum() == len(absent) else f" of {name} {silent[0]}"
            raise ToolError(f"the macro's model: no product{where} but 0 was seen, so that nothing would be verified")


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

    def check_reads(self, macro: ExactMacro | MacroModel) -> None:
        """Cells that were given are read before any is programmed.

        Raises ToolError if verify codes are others, by more than a code in the mean or what reads may differ by.
        """
        if isinstance(macro, ExactMacro):
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

    def program(self, before: ExactMacro | MacroModel) -> tuple[ExactMacro | MacroModel | None, int, str]:
        """Program random codes by write-verify and compare them with what multiplies.

        Raises ToolError if what is programmed is not what multiplies.

        Returns
        -------
        tuple
            The reference of the programmed macro, None where verify codes are not its cells; how many cells reached
            their targets; and how verify codes and products agree.
        """
        return self._program_measured(before) if isinstance(before, ExactMacro) else self._program_given()

    def _program_measured(self, before: ExactMacro) -> tuple[ExactMacro, int, str]:
        codes, done = self._program_some(1)
        done = done & ~self._absent
        after = measured_macro(self.chip, self.core)
        require_products(self.chip, after)
        if done.any() and np.array_equal(after.cells, before.cells):
            raise ToolError(
                "the cells that are programmed must be those that multiply: no product changed by programming"
            )
        how = require_programmed(codes, after.cells, done, ~self._absent)
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
        outcome = self.core.program(
            write_job(self.chip, self._array, targets, skip, parameters, full_time=True)
        ).write
        assert outcome is not None
        fields = cell_fields(WriteVerifyConfig.from_chip(self.chip), outcome.cells)
        return fields["code"].reshape(skip.shape), fields["fault"].reshape(skip.shape) == 0
