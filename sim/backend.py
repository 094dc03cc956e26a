"""What runs programs on programmed cores: one base class, whatever is behind it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.compiler.input_time import InputTime
from mho.compiler.program import Call, Mvm, Program, batch_size
from mho.hw.config import Chip
from mho.macro_models import MacroModel, Masks
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.operation import MvmOperation

if TYPE_CHECKING:
    from mho.compiler.network import Network

MOST_THREADS = 256

Progress = Callable[[int, int], None]
"""Is told (done, all)."""
Note = Callable[[str], None]
"""Is told a sentence."""


@runtime_checkable
class Detailed(Protocol):
    """A :data:`Progress` that takes words too."""

    def detail(self, text: str) -> None:
        """Say how far it is."""
        ...


@dataclass(frozen=True, kw_only=True)
class BackendResult:
    """One operation on a batch of vectors."""

    codes: NDArray[np.int16]
    """Output codes in half steps, of shape (batch, lines)."""
    steps: NDArray[np.int64]
    """Decrements that the converters made, of shape (batch, segments); (batch, 1), their sum, where the segments of an
    operation cannot be told apart."""
    cycles: NDArray[np.int64]
    """Clock cycles from the start of each operation to the earliest start of the next, of shape (batch,)."""
    analog: NDArray[np.int64]
    """Those of them in which an operation was issued at the macro's pins, of shape (batch,)."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a simulator or a board showed of itself while a run went on; None: it does not show that."""

    clock_MHz: float
    """Of the design: as the chip says, or as a board says of itself."""
    cycles: int | None = None
    """Clock cycles that were counted in the hardware: of the core's own counters, of the simulated mesh, or of the
    simulated board since its reset; on a board those in which operations were at the pins of its macro."""
    waves: Path | None = None
    """The file into which waveforms were written."""
    port: str | None = None
    baud: int | None = None
    """Serial port of the board, and its rate."""
    reloads: int | None = None
    """Times that a board was lost, found again and loaded once more."""


class Account(Protocol):
    """What a run of a program is told while it goes on."""

    def codes_of(self, call: Call, mvm: Mvm, first: int, codes: NDArray[np.int16]) -> None:
        """A product of a call gave ``codes``, of shape (vectors, columns): of vector ``first`` of the batch, and up.

        Vectors are in the order of images, and of the call's positions of an image; of a call with ``turns`` every
        ``turns``-th image has codes.
        """
        ...

    def spent(self, cycles: NDArray[np.int64], seconds: float) -> None:
        """A product took ``cycles`` for each vector of the batch, of shape (vectors,)."""
        ...

    def driven(self, call: Call, codes: NDArray[np.int16]) -> NDArray[np.int64] | None:
        """How much a call drives each row of its layer, (rows,), with codes of its images, (images, elements).

        None where nobody asks for energies.
        """
        ...

    def driven_by(self, rows: NDArray[np.int16]) -> NDArray[np.int64] | None:
        """The same of codes of the layer's rows, of shape (vectors, rows)."""
        ...

    def converted(
        self, mvm: Mvm, steps: NDArray[np.int64], driven: NDArray[np.int64] | None, exact: bool = True
    ) -> None:
        """Vectors of a product took so many decrements, of shape (vectors, segments) or (vectors, 1): their sum.

        Not ``exact``: at most so many. ``driven`` is of all rows of the layer.
        """
        ...

    def limited(self, layer: int, count: int) -> None:
        """So many outputs of a layer were clipped by its converters before there was a code."""
        ...

    def clipped(self, layer: int, count: int, total: int) -> None:
        """Of ``total`` inputs of a layer ``count`` were beyond what its codes reach."""
        ...


_T = TypeVar("_T")


def opened(content: _T | None) -> _T:
    """What a backend has while it is open.

    Raises RuntimeError if it is not.
    """
    if content is None:
        raise RuntimeError("The backend must be open.")
    return content


def of_all(each: NDArray[np.int64], own: NDArray[np.intp], images: int) -> NDArray[np.int64]:
    """Numbers of the vectors of all images, from those of ``own`` ones alone: others took nothing, (vectors,)."""
    if len(own) == images:
        return each
    found = np.zeros((images, len(each) // len(own)), dtype=np.int64)
    found[own] = each.reshape(len(own), -1)
    return found.reshape(-1)


def check_threads(options: Mapping[str, Any]) -> None:
    """Refuse a number of threads, the option ``threads``, that there cannot be.

    Raises InputError, naming it.
    """
    threads = options.get("threads", 1)
    if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise InputError(f"{argument('threads')} must be between 1 and {MOST_THREADS}, not {threads!r}")


class Backend(ABC):
    """Runs programs on the programmed cores of a chip. All backends give the same bits.

    Members
    -------
    name
        What users call it.
    reports
        Arguments of the constructor beside the options of a user (:mod:`mho.runs.backends`): ``progress``, a
        :data:`Progress`, and ``note``, a :data:`Note`.
    """

    name: ClassVar[str]
    reports: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """Refuse values of its options, before anything is computed.

        Raises InputError, naming the option, its value and what would be right.
        """
        return

    def open_network(self, network: "Network", cores: Sequence[MacroModel]) -> None:
        """Take a network and its programmed cores, as :meth:`open` takes its chip."""
        self.open(network.chip, cores)

    @abstractmethod
    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores; may be called again, with others."""

    def batch(self, program: Program, most: int) -> int:
        """Images of a batch of a program, at most ``most``."""
        return batch_size(program, most)

    @abstractmethod
    def run(
        self, program: Program, masks: Sequence[Masks], lanes: NDArray[np.int16], images: NDArray[np.integer],
        account: Account,
    ) -> NDArray[np.int16]:
        """Run a program on a batch of images.

        Parameters
        ----------
        program, masks
            What is done for each image, and the masks of each core.
        lanes
            The program's input, of shape (batch, elements).
        images
            Numbers of the images, of shape (batch,), on which their noise depends.
        account
            Is told what happens on the way.

        Returns
        -------
        numpy.ndarray
            Lanes of the program's output, of shape (batch, elements).
        """

    def trace(self) -> dict[str, Any] | None:
        """For JSON, what was noted of the last run; None where nothing is."""
        return None

    def input_time(self) -> InputTime | None:
        """How long inputs took since it was opened, where it is seen of the whole chip; the interval NaN of too few."""
        return None

    def observed(self) -> Observed | None:
        """What was seen of the hardware since it was opened; None where all is computed."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Release what the backend holds. It may be called twice."""


class HostScheduled(Backend):
    """A backend that carries out products of single cores: the host interprets the program, and is its vector unit."""

    rows: int = 0
    """Inputs of a core forward, that weights have a row for: set where it is opened."""

    @abstractmethod
    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch.

        Parameters
        ----------
        core
            Index into the cores.
        x
            Input codes of shape (batch, lines / 2) forward and (batch, lines) backward, in ``op.input_range``.
        op_id
            Number of the first conversion of each vector: shape (batch,), or one number for all.
        """

    def run(
        self, program: Program, masks: Sequence[Masks], lanes: NDArray[np.int16], images: NDArray[np.integer],
        account: Account,
    ) -> NDArray[np.int16]:
        def product(call: Call, mvm: Mvm, rows: NDArray[np.int16], op_id: NDArray[np.uint64]) -> NDArray[np.int16]:
            mask = masks[mvm.core]
            x = mvm.vector(rows, self.rows)
            start = time.perf_counter()
            result = self.mvm(mvm.core, mvm.op, mask, x, op_id)
            codes = result.codes[:, mvm.columns]
            own = call.own(images)
            account.codes_of(call, mvm, int(own[0]) * len(call.patches), codes)
            account.spent(of_all(np.asarray(result.cycles), own, len(images)), time.perf_counter() - start)
            account.converted(mvm, result.steps, account.driven_by(rows))
            return codes

        return program.run(lanes, images, product, account.clipped)
