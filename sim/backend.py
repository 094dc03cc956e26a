"""What carries out matrix-vector operations: one protocol, whatever is behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.config import Chip
from macro_models import MacroModel, Masks
from macro_models.errors import InputError
from macro_models.exact.operation import MvmOperation

__all__ = ["Backend", "BackendResult", "backend_names", "create_backend"]


@dataclass(frozen=True, kw_only=True)
class BackendResult:
    """One operation on a batch of vectors.

    Attributes
    ----------
    codes
        Output codes in half steps, of shape (batch, lines).
    steps
        Decrements that the converters made, of shape (batch, segments); (batch, 1), their sum, where the segments of an
        operation cannot be told apart.
    cycles
        Clock cycles from the start of each operation to the earliest start of the next, of shape (batch,).
    analog
        Those of them in which an operation was issued at the macro's pins, of shape (batch,).
    """

    codes: NDArray[np.int16]
    steps: NDArray[np.int64]
    cycles: NDArray[np.int64]
    analog: NDArray[np.int64]


class Backend(Protocol):
    """Carries out operations on programmed cores. All backends give the same bits."""

    name: str

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores; may be called again, with others."""
        ...

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
        ...

    def close(self) -> None:
        """Release what the backend holds. It may be called twice."""
        ...


def _functional(**options: Any) -> Backend:
    from sim.functional import FunctionalBackend

    return FunctionalBackend(**options)


def _cosim(**options: Any) -> Backend:
    from sim.core.cosim import CosimBackend

    return CosimBackend(**options)


def _fpga_sim(**options: Any) -> Backend:
    from sim.board.backend import FpgaSimBackend

    return FpgaSimBackend(**options)


_BACKENDS: Mapping[str, Callable[..., Backend]] = MappingProxyType({
    "functional": _functional, "cosim": _cosim, "fpga-sim": _fpga_sim,
})


def backend_names() -> tuple[str, ...]:
    """Names that :func:`create_backend` knows."""
    return tuple(_BACKENDS)


def create_backend(name: str, **options: Any) -> Backend:
    """A backend by its name; ``options`` go to its class.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in _BACKENDS:
        raise InputError(f"backend must be one of {', '.join(_BACKENDS)}, not {name!r}")
    return _BACKENDS[name](**options)
