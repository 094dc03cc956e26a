"""What a kind of core of rows and columns says, so that it can be emulated."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mho.hw.config import Chip
from mho.hw.emulator.kind import BoardOptions, EmulatorKind, Integers
from mho.hw.emulator.rows.config import RowEmulatorConfig
from mho.hw.emulator.rows.macro import RowMacro
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks, MvmOperation

_TILE_WORDS = 4096
"""Words of a region of the load port for which a core in a tile has addresses."""


class RowEmulator(EmulatorKind):
    """Base of ``EMULATOR`` of a kind on :class:`mho.hw.core.row_core.RowCore`.

    A kind says :meth:`weights` and :meth:`thresholds` of its model and, where it is otherwise than one code a column
    of which all steps are converted together, :meth:`fields`.
    """

    config_type = RowEmulatorConfig
    macro_type = RowMacro

    @abstractmethod
    def thresholds(self, model: Any, op: MvmOperation) -> Integers:
        """Least sums that have the codes above the lowest one, of shape (tables, 2**code_bits - 1), ascending.

        Of an operation they may depend on the step code alone.
        """

    @staticmethod
    def bisected(codes: Callable[[Integers], Integers], bits: int, low: int, high: int) -> Integers:
        """Thresholds of converters, by their ``codes`` of the same sums, (sums,) to (sums, tables): these rise.

        Beyond ``low`` and ``high`` codes do not change.
        """
        levels = np.arange(1 - (1 << bits - 1), 1 << bits - 1)
        tables = codes(np.zeros(1, dtype=np.int64)).shape[1]
        below, reached = (np.full((tables, len(levels)), bound) for bound in (low - 1, high + 1))
        while (reached - below > 1).any():
            middle = (below + reached) // 2
            middle_codes = codes(middle.ravel()).reshape(*middle.shape, tables)
            table = np.arange(tables)[:, None]
            enough = middle_codes[table, np.arange(len(levels)), table] >= levels
            below, reached = np.where(enough, below, middle), np.where(enough, middle, reached)
        never, always = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        return np.where(reached > high, never, np.where(reached <= low, always, reached))

    def fields(self, chip: Chip, core: Any) -> dict[str, Any]:
        """See :class:`EmulatorKind`."""
        return {"conversions": core.outputs, "code_bits": core.converter.bits, "g_bits": chip.core.g_bits + 1}

    def check(self, cfg: RowEmulatorConfig, model: Any) -> None:
        """Refuse weights that are wider than those of the emulator; see :class:`EmulatorKind`."""
        weights, top = self.weights(model), 2 ** (cfg.g_bits - 1)
        if weights.shape != (cfg.rows, cfg.conversions) or weights.min() < -top or weights.max() >= top:
            raise InputError(
                f"the emulator holds {cfg.rows} x {cfg.conversions} weights of {cfg.g_bits} bits, not "
                f"{' x '.join(map(str, weights.shape))} of {weights.min()} to {weights.max()}"
            )

    def config(self, board: BoardOptions, *, ranged: bool = False) -> RowEmulatorConfig:
        """In a tile of as many slots as there are addresses for."""
        cfg = super().config(board, ranged=ranged)
        return replace(cfg, slots=min(cfg.slots, max(_TILE_WORDS // cfg.slot_words, 1))) if ranged else cfg

    def table(self, cfg: RowEmulatorConfig, model: Any, op: MvmOperation, masks: Masks) -> Integers:
        """Thresholds; those that no sum reaches are all alike."""
        top, width = 2 ** (cfg.sum_bits - 1), 1 << cfg.code_bits
        thresholds = np.clip(self.thresholds(model, op), -top, top - 1)
        return np.pad(thresholds, ((0, cfg.slot_words // width - len(thresholds)), (1, 0))).ravel()

    def operations(self, chip: Chip, model: Any, masks: Masks) -> Sequence[MvmOperation]:
        """Few and many bits, signed or not, word lines and columns that are off; codes over the whole range."""
        operations, rng = [], np.random.default_rng(1)
        for number, (bits, signed) in enumerate(((4, True), (chip.input_bits, False), (2, True))):
            op = replace(chip.operation(in_bits=bits, in_signed=signed), wl_select=number, line_select=number + 3)
            low, high = op.input_range
            step = model.full_scale(op, masks, rng.integers(low, high + 1, (4, model.config.inputs(op.direction))))
            operations.append(replace(op, step_code=int(np.clip(np.rint(step), *chip.step_codes)), relu=number == 2))
        return operations
