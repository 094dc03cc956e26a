"""Kinds of core, as hardware: a module here for each. Nothing else names them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.core.timing import Timing
from mho.macro_models.errors import InputError
from mho.macro_models.integer.masks import Masks
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.registry import module_of

if TYPE_CHECKING:
    from amaranth.lib import wiring

    from mho.hw.core.port import VectorPort
    from mho.hw.host.registers import RegisterMap
    from mho.hw.macro.contract import ContractPins

__all__ = ["CoreBlocks", "Energy", "Timing", "core_blocks", "energy", "timing"]


def timing(chip: Chip) -> Timing:
    """How long operations of a core of ``chip`` take."""
    return module_of(__name__, chip.core.kind).timing(chip)


class Energy(Protocol):
    """What operations of a macro take, by the ``[energy]`` of its description."""

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """Energy of an operation, in picojoule, by what takes it: each of shape (...).

        ``steps`` are the decrements that were made, of shape (..., segments), most significant segment first. What
        the description does not know is not among them. What inputs and cells take is that of the mean of both.
        """
        ...

    def weight(self, magnitude: NDArray[np.int64]) -> NDArray[np.int64]:
        """How much an input drives its lines, by the magnitude of its code: what energies of inputs are linear in."""
        ...

    def inputs(
        self, op: MvmOperation, masks: Masks, vectors: int, weights: NDArray[np.int64],
        row_uS: NDArray[np.float64] | None,
    ) -> Mapping[str, float]:
        """In the place of the same names of so many operations: what these inputs take in these cells, in picojoule.

        ``weights`` are the sums over operations of the :meth:`weight` of each row of weights, ``row_uS`` what the cells
        on all lines of the row conduct together, in uS; None: cells in the mean.
        """
        ...


def energy(chip: Chip) -> Energy | None:
    """What operations of the macro of ``chip`` take; None if its description knows no energy."""
    module = module_of(__name__, chip.core.kind)
    return module.energy(chip) if chip.energy.known and hasattr(module, "energy") else None


class CoreBlocks(Protocol):
    """What a core is generated from. Equal blocks are equal hardware."""

    @property
    def cfg(self) -> Any:
        """Configuration of the core: ``lines``, ``output_words``, ``mask_words``, ``ranged``, ``input_words(op)``."""
        ...

    @property
    def registers(self) -> "RegisterMap":
        """What the host answers to."""
        ...

    @property
    def pins(self) -> "ContractPins":
        """Signature of the macro's pins."""
        ...

    @property
    def port(self) -> "VectorPort":
        """The vector port."""
        ...

    @property
    def programs(self) -> bool:
        """Whether the core programs its cells, and thus has the pin ``programming_enable``."""
        ...

    @property
    def configurations(self) -> tuple[object, ...]:
        """What the blocks are configured by: their modules are called by the names of the blocks alone."""
        ...

    @property
    def trim(self) -> int | None:
        """Value of the member ``trim`` of the vector port as the chip description says; None if the core has none."""
        ...

    @property
    def idle(self) -> Mapping[str, int]:
        """Widths of other inputs of the core that are 0 where nothing uses them, by their names in Verilog."""
        ...

    def core(self) -> "wiring.Component":
        """The core with its macro: a component with the vector port ``port`` (:class:`mho.hw.core.port.VectorPort`)."""
        ...

    def digital(self) -> "wiring.Component":
        """The same without its macro, whose pins are the member ``macro``."""
        ...

    def reference(self, model: Any) -> Any:
        """Its bit-exact reference, with a programmed model of its macro: what an interpreter of tiles takes."""
        ...

    def host(self) -> "wiring.Component":
        """What drives it from a 32-bit bus: the other end of the port, ``bus`` and ``irq``."""
        ...

    def access(self) -> "wiring.Component":
        """The same where a program asks for products: the rest of the port is ``port``; besides ``reset``."""
        ...


def core_blocks(chip: Chip, *, tiled: bool = False) -> CoreBlocks:
    """What a core of ``chip`` is generated from; ``tiled``: in a tile, where a program asks for products.

    Raises
    ------
    InputError
        If cores of its kind are modelled, but not generated.
    """
    module = module_of(__name__, chip.core.kind)
    if not hasattr(module, "core_blocks"):
        raise InputError(f"{chip.name}: cores of kind {chip.core.kind} have a model, but no Verilog")
    return module.core_blocks(chip, tiled=tiled)
