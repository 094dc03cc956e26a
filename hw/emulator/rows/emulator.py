"""What a kind of core of rows and columns says, so that it can be emulated."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.emulator.kind import BoardOptions, CoreLoads, EmulatorKind
from mho.hw.emulator.layout import TABLES, TAGS
from mho.hw.emulator.rows.config import RowEmulatorConfig
from mho.hw.emulator.rows.core import RowLevelCore
from mho.hw.emulator.vector.reference import LoadWord
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import STEP_WIDTH, Masks, MvmOperation

__all__ = ["RowEmulator"]

Integers = NDArray[np.int64]

_TILE_WORDS = 4096
"""Words of a region of the load port for which a core in a tile has addresses."""


class RowEmulator(EmulatorKind):
    """Base of ``EMULATOR`` of a kind on :class:`mho.hw.core.row_core.RowCore`: it has the level of the pins.

    A kind says :meth:`weights` and :meth:`thresholds` of its model and, where it is otherwise than one code a column
    of which all steps are converted together, :meth:`parts`.
    """

    levels: ClassVar[tuple[str, ...]] = ("pin",)
    fewest_lanes: ClassVar[int] = 1

    @abstractmethod
    def weights(self, model: Any) -> Integers:
        """What each row adds to the sum of each conversion, of shape (rows, conversions)."""

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

    def parts(self, chip: Chip, core: Any) -> dict[str, Any]:
        """Fields of :class:`RowEmulatorConfig` beside ``blocks``, ``lanes`` and ``memory``."""
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
        """Of as many lanes as there are at most, for the core without an engine."""
        chip = board.chip
        if board.level not in self.levels:
            where = f"behind its pins, not at level {board.level}"
            raise InputError(f"{chip.name}: a core of kind {chip.core.kind} is emulated {where}")
        if board.noise:
            raise InputError(f"{chip.name}: the emulator of kind {chip.core.kind} draws no noise")
        blocks = core_blocks(_without_engine(chip), tiled=ranged)
        parts = self.parts(chip, blocks.cfg)
        lanes = min(board.lanes, parts["conversions"] & -parts["conversions"])
        cfg = RowEmulatorConfig(blocks=blocks, lanes=1 << lanes.bit_length() - 1, memory=board.memory, **parts)
        return replace(cfg, slots=min(board.slots, max(_TILE_WORDS // cfg.slot_words, 1))) if ranged else cfg

    def component(self, cfg: RowEmulatorConfig, write: WriteVerifyConfig | None) -> wiring.Component:
        """See :class:`EmulatorKind`."""
        return RowLevelCore(cfg)

    def blocks(self, board: BoardOptions, cfg: RowEmulatorConfig) -> CoreBlocks:
        """See :class:`EmulatorKind`."""
        return cfg.blocks

    def operations(self, chip: Chip, model: Any, masks: Masks) -> Sequence[MvmOperation]:
        """Few and many bits, signed or not, word lines and columns that are off; codes over the whole range."""
        operations, rng = [], np.random.default_rng(1)
        for number, (bits, signed) in enumerate(((4, True), (chip.input_bits, False), (2, True))):
            op = replace(chip.operation(in_bits=bits, in_signed=signed), wl_select=number, line_select=number + 3)
            low, high = op.input_range
            step = model.full_scale(op, masks, rng.integers(low, high + 1, (4, model.config.inputs(op.direction))))
            operations.append(replace(op, step_code=int(np.clip(np.rint(step), *chip.step_codes)), relu=number == 2))
        return operations

    def loads(self, cfg: RowEmulatorConfig, model: Any) -> CoreLoads:
        """See :class:`EmulatorKind`."""
        return _Loads(self, cfg, model)


class _Loads(CoreLoads):
    """Weights, and thresholds where no slot has those of the step code."""

    def __init__(self, kind: RowEmulator, cfg: RowEmulatorConfig, model: Any) -> None:
        self._kind, self._cfg, self._model = kind, cfg, model
        self._slots: dict[int, int] = dict.fromkeys(range(cfg.slots), 0)

    def cells(self) -> NDArray[np.uint32]:
        """See :class:`CoreLoads`."""
        cfg = self._cfg
        chunks = self._kind.weights(self._model).reshape(-1, cfg.chunk_cells) & (1 << cfg.g_bits) - 1
        return (chunks << np.arange(cfg.chunk_cells) * (32 // cfg.chunk_cells)).sum(axis=1).astype(np.uint32)

    def first(self) -> list[LoadWord]:
        """No tag may be left of the core that was there before."""
        return [LoadWord(TAGS, slot, 0) for slot in range(self._cfg.slots)]

    def before(self, op: MvmOperation, masks: Masks) -> list[LoadWord]:
        """Thresholds, in the slot that was not used for longest. Those that no sum reaches are all alike."""
        slots, code, cfg = self._slots, op.step_code, self._cfg
        slot = next((slot for slot, before in slots.items() if before == code), next(iter(slots)))
        resident = slots.pop(slot) == code
        slots[slot] = code
        if resident:
            return []
        top, width = 2 ** (cfg.sum_bits - 1), 1 << cfg.code_bits
        thresholds = np.clip(self._kind.thresholds(self._model, op), -top, top - 1)
        words = np.pad(thresholds, ((0, cfg.slot_words // width - len(thresholds)), (1, 0))).ravel() & 0xFFFFFFFF
        first, tag = slot * cfg.slot_words, code | 1 << STEP_WIDTH
        return [
            LoadWord(TAGS, slot, 0), *(LoadWord(TABLES, first + k, word) for k, word in enumerate(words.tolist())),
            LoadWord(TAGS, slot, tag),
        ]


def _without_engine(chip: Chip) -> Chip:
    """The chip whose cores do not program their cells."""
    if not isinstance(chip, PulseChip) or not chip.programming.engine:
        return chip
    return replace(chip, programming=replace(chip.programming, engine=False))
