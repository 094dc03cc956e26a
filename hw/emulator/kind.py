"""What a kind of core says, so that its cores are on an FPGA."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.emulator.vector.reference import LoadWord
from mho.hw.host.core.blocks import CoreBlocks
from mho.macro_models.integer.operation import Masks, MvmOperation

__all__ = ["BoardOptions", "CoreLoads", "EmulatorKind"]


class BoardOptions(Protocol):
    """What a board asks of an emulator; see :class:`mho.hw.board.BoardConfig`."""

    @property
    def chip(self) -> Chip: ...
    @property
    def level(self) -> str: ...
    @property
    def lanes(self) -> int: ...
    @property
    def slots(self) -> int: ...
    @property
    def memory(self) -> str: ...
    @property
    def noise(self) -> bool: ...
    @property
    def search_width(self) -> int: ...
    @property
    def converters(self) -> int: ...


class CoreLoads(ABC):
    """What a host loads of one programmed core, and what it makes of the cycles that the board counts."""

    @abstractmethod
    def cells(self) -> NDArray[np.uint32]:
        """Words of region 0 of the load port, from index 0 on."""

    @abstractmethod
    def first(self) -> Iterable[LoadWord]:
        """Other words, when the core takes the place of another."""

    @abstractmethod
    def before(self, op: MvmOperation, masks: Masks) -> Iterable[LoadWord]:
        """Words before an operation, while none is in progress: what is not there since the one before."""

    def steps(self, op: MvmOperation, analog: NDArray[np.int64]) -> NDArray[np.int64]:
        """Decrements that were made, of the shape of the cycles ``analog`` at the macro: none."""
        return np.zeros_like(analog)


class EmulatorKind(ABC):
    """``EMULATOR`` of a kind: what stands for its cores on an FPGA, and what a host loads into that.

    Attributes
    ----------
    levels
        Of :data:`mho.hw.board.LEVELS`, those that it has; the first is taken where nobody says.
    fewest_lanes
        That a board is planned with.
    """

    levels: ClassVar[tuple[str, ...]]
    fewest_lanes: ClassVar[int]

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}()"

    @abstractmethod
    def config(self, board: BoardOptions, *, ranged: bool = False) -> Any:
        """Configuration for the core of a board, or with ``ranged`` in a tile.

        It has the ``core`` (a shape and a timing) and what the load port and the registers of a board ask: ``lines``,
        ``g_bits``, ``lanes``, ``slots``, ``memory``, ``noise``, ``word_bits``, ``cell_words``, ``load_words``.
        """

    @abstractmethod
    def component(self, cfg: Any, write: WriteVerifyConfig | None) -> wiring.Component:
        """The core with its emulator: its vector port, as ``port``, and ``load``."""

    def write(self, board: BoardOptions) -> WriteVerifyConfig | None:
        """Write-verify of the core on a board: none."""
        return None

    @abstractmethod
    def blocks(self, board: BoardOptions, cfg: Any) -> CoreBlocks:
        """The core as its host knows it."""

    def draws(self, model: Any) -> bool:
        """Whether a programmed core needs an emulator with noise."""
        return False

    @abstractmethod
    def check(self, cfg: Any, model: Any) -> None:
        """Refuse a programmed core whose codes the emulator would not give.

        Raises
        ------
        InputError
            Saying how to get one without.
        """

    @property
    def frozen(self) -> frozenset[str]:
        """Causes that are in what is loaded: they are frozen when a core is programmed."""
        return frozenset({"programming", "relaxation", "stuck"})

    @abstractmethod
    def operations(self, chip: Chip, model: Any, masks: Masks) -> Sequence[MvmOperation]:
        """A few that a programmed core with such masks carries out, which together need all that its emulator has."""

    @abstractmethod
    def loads(self, cfg: Any, model: Any) -> CoreLoads:
        """What is loaded of a programmed core."""
