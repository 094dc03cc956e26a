"""Kinds of core, as hardware: a module here for each. Nothing else names them."""

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.core.shape import CoreShape, Timing
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.registry import module_of

if TYPE_CHECKING:
    from mho.hw.host.core.blocks import CoreBlocks

__all__ = ["Energy", "Timing", "core_blocks", "energy", "shape", "timing"]


def timing(chip: Chip) -> Timing:
    """How long operations of a core of ``chip`` take."""
    return module_of(__name__, chip.core.kind).timing(chip)


def shape(chip: Chip) -> CoreShape:
    """Rows, columns and words of a core of ``chip``.

    Raises InputError as at :func:`core_blocks`.
    """
    return _generated(chip).shape(chip)


class Energy(Protocol):
    """What operations of a macro take, by the ``[energy]`` of its description."""

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """Energy of an operation, in picojoule, by what takes it: each of shape (...).

        ``steps`` are the decrements that were made, of shape (..., segments), most significant segment first. What
        the description does not know is not among them. What inputs and cells take is that of the mean of both.
        """
        ...

    def weight(self, magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
        """How much an input drives its lines, by the magnitude of its code: what energies of inputs are linear in.

        0 where nothing is known to depend on inputs.
        """
        return np.zeros_like(magnitude)

    def inputs(
        self, op: MvmOperation, masks: Masks, vectors: int, weights: NDArray[np.int64],
        row_uS: NDArray[np.float64] | None,
    ) -> Mapping[str, float]:
        """In the place of the same names of so many operations: what these inputs take in these cells, in picojoule.

        ``weights`` are the sums over operations of the :meth:`weight` of each row of weights, ``row_uS`` what the cells
        on all lines of the row conduct together, in uS; None: cells in the mean. Empty where nothing depends on them.
        """
        return {}


def energy(chip: Chip) -> Energy | None:
    """What operations of the macro of ``chip`` take; None if its description knows no energy."""
    module = module_of(__name__, chip.core.kind)
    return module.energy(chip) if chip.energy.known and hasattr(module, "energy") else None


def core_blocks(chip: Chip, *, tiled: bool = False) -> "CoreBlocks":
    """What a core of ``chip`` is generated from; ``tiled``: in a tile, where a program asks for products.

    Raises InputError if cores of its kind are modelled, but not generated.
    """
    return _generated(chip).core_blocks(chip, tiled=tiled)


def _generated(chip: Chip) -> ModuleType:
    module = module_of(__name__, chip.core.kind)
    if not hasattr(module, "core_blocks"):
        raise InputError(f"{chip.name}: cores of kind {chip.core.kind} have a model, but no Verilog")
    return module
