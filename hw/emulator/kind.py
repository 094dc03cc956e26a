"""What a kind of core says, so that its cores are on an FPGA, and what a host loads of one that is programmed."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from mho.hw.config import Chip, PulseChip
from mho.hw.emulator.config import TABLES, TAGS, EmulatorConfig, LoadWord
from mho.hw.emulator.macro import EmulatedCore, EmulatedMacro
from mho.hw.host.core.blocks import CoreBlocks
from mho.hw.kinds import core_blocks
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks, MvmOperation

Integers = NDArray[np.int64]


class BoardOptions(Protocol):
    """What a board asks of an emulator; see :class:`mho.hw.board.config.BoardConfig`."""

    @property
    def chip(self) -> Chip: ...
    @property
    def programs(self) -> bool: ...
    @property
    def serial(self) -> bool: ...
    @property
    def lanes(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def memory(self) -> str: ...
    @property
    def noise(self) -> bool: ...


class EmulatorKind(ABC):
    """``EMULATOR`` of a kind: what stands for its macro on an FPGA, and what a host loads into that."""

    config_type: ClassVar[type[EmulatorConfig]]
    macro_type: ClassVar[type[EmulatedMacro]]
    """Configuration and component."""
    noisy: ClassVar[bool] = False
    programs: ClassVar[bool] = False
    serial: ClassVar[bool] = False
    """Whether emulators with read noise can be had, such that program their cells, and such whose core is serial."""

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}()"

    def blocks(self, chip: Chip, *, ranged: bool) -> CoreBlocks:
        """The core on a board, or with ``ranged`` in a tile; ``chip`` has an engine if it programs its cells."""
        return core_blocks(chip, tiled=ranged)

    @abstractmethod
    def fields(self, chip: Chip, core: Any) -> dict[str, Any]:
        """Fields of :attr:`config_type` beside those that a board says."""

    def config(self, board: BoardOptions, *, ranged: bool = False) -> Any:
        """Configuration for the core of a board, or with ``ranged`` in a tile; of as many lanes as there are at most.

        Raises InputError if emulators of the kind do not have what is asked for.
        """
        chip = board.chip
        if board.noise and not self.noisy:
            raise InputError(f"{chip.name}: the emulator of kind {chip.core.kind} draws no noise")
        if board.programs and not self.programs:
            raise InputError(f"{chip.name}: the emulator of kind {chip.core.kind} does not program its cells")
        if board.serial and not self.serial:
            raise InputError(f"{chip.name}: there is no serial core of kind {chip.core.kind}")
        blocks = self.blocks(chip if board.programs else _without_engine(chip), ranged=ranged)
        fields = self.fields(chip, blocks.cfg)
        lanes = min(board.lanes, fields["conversions"] & -fields["conversions"])
        return self.config_type(
            blocks=blocks, lanes=1 << lanes.bit_length() - 1, slots=board.slots, memory=board.memory,
            noise=board.noise, **fields,
        )

    def component(self, cfg: Any) -> wiring.Component:
        """The core with its emulator."""
        return EmulatedCore(cfg, self.macro_type)

    def draws(self, model: Any) -> bool:
        """Whether a programmed core needs an emulator with noise."""
        return False

    @abstractmethod
    def check(self, cfg: Any, model: Any) -> None:
        """Refuse a programmed core whose codes the emulator would not give.

        Raises InputError, saying how to get one without.
        """

    @property
    def frozen(self) -> frozenset[str]:
        """Causes that are in what is loaded: they are frozen when a core is programmed."""
        return frozenset({"programming", "relaxation", "stuck"})

    @abstractmethod
    def operations(self, chip: Chip, model: Any, masks: Masks) -> Sequence[MvmOperation]:
        """A few that a programmed core with such masks carries out, which together need all that its emulator has."""

    @abstractmethod
    def weights(self, model: Any) -> Integers:
        """What each row adds to the sum of each conversion, of shape (rows, conversions), behind each other if many."""

    @abstractmethod
    def table(self, cfg: Any, model: Any, op: MvmOperation, masks: Masks) -> Integers:
        """Words of the table of an operation, of shape (slot_words,)."""

    def tag(self, cfg: Any, op: MvmOperation) -> int:
        """What the core finds that table by: its step code."""
        return op.step_code

    def identity(self, cfg: Any, op: MvmOperation, masks: Masks) -> tuple[object, object]:
        """By what a core tells tables apart, and what else they depend on: the tag, and nothing."""
        return self.tag(cfg, op), None

    def slot_loads(self, cfg: Any, slot: int, op: MvmOperation, masks: Masks) -> tuple[LoadWord, ...]:
        """What a slot is known by beside its tag: nothing."""
        return ()

    def constants(self, cfg: Any, model: Any) -> list[LoadWord]:
        """Other words of a programmed core: none."""
        return []

    def steps(self, cfg: Any, op: MvmOperation, analog: Integers) -> Integers:
        """Decrements that were made, of the shape of the cycles ``analog`` at the macro: none."""
        return np.zeros_like(analog)


class CoreLoads:
    """What a host loads of one programmed ``model``, of which :meth:`EmulatorKind.check` approves."""

    def __init__(self, kind: EmulatorKind, cfg: Any, model: Any) -> None:
        self._kind, self._cfg, self._model = kind, cfg, model
        self._slots: dict[int, tuple[object, object] | None] = dict.fromkeys(range(cfg.slots))

    def cells(self) -> NDArray[np.uint32]:
        """Words of region 0 of the load port, from index 0 on."""
        cfg = self._cfg
        chunks = self._kind.weights(self._model).reshape(-1, cfg.chunk_cells) & (1 << cfg.g_bits) - 1
        return (chunks << np.arange(cfg.chunk_cells) * (32 // cfg.chunk_cells)).sum(axis=1).astype(np.uint32)

    def first(self) -> list[LoadWord]:
        """Other words, when the core takes the place of another, of which no tag may be left."""
        tags = [LoadWord(TAGS, slot, 0) for slot in range(self._cfg.slots)]
        return [*tags, *self._kind.constants(self._cfg, self._model)]

    def before(self, op: MvmOperation, masks: Masks) -> list[LoadWord]:
        """A table before an operation, while none is in progress, unless it is there; in the slot not used for longest.

        Its tag is made invalid first and valid last.
        """
        kind, cfg, slots = self._kind, self._cfg, self._slots
        tag, wanted = kind.tag(cfg, op), kind.identity(cfg, op, masks)
        slot = next((slot for slot, held in slots.items() if held and held[0] == wanted[0]), next(iter(slots)))
        resident = slots.pop(slot) == wanted
        slots[slot] = wanted
        if resident:
            return []
        words = (kind.table(cfg, self._model, op, masks) & 0xFFFFFFFF).tolist()
        return [
            LoadWord(TAGS, slot, 0),
            *(LoadWord(TABLES, slot * cfg.slot_words + k, word) for k, word in enumerate(words)),
            *kind.slot_loads(cfg, slot, op, masks), LoadWord(TAGS, slot, tag | 1 << cfg.tag_bits),
        ]


def _without_engine(chip: Chip) -> Chip:
    """The chip whose cores do not program their cells."""
    if not isinstance(chip, PulseChip) or not chip.programming.engine:
        return chip
    return replace(chip, programming=replace(chip.programming, engine=False))
