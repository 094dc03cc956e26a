"""Commands of cores that take any beside products: a module here for each such kind."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hw.config import Chip
from macro_models.errors import InputError
from macro_models.registry import discovered, module_of
from sim.core.batch import BatchResult

__all__ = ["CommandedCore", "command_check", "row_programmer"]


class CommandedCore(Protocol):
    """What commands need of a simulated core: see :class:`sim.core.cosim.CosimCore`."""

    cfg: Any
    simulation: Any

    @property
    def settings(self) -> Any:
        """What its memory of settings holds."""
        ...

    def stream(
        self, ops: NDArray[np.uint32], masks: NDArray[np.uint32], inputs: NDArray[np.uint32], **options: int
    ) -> BatchResult:
        """What descriptors give."""
        ...


def command_check(chip: Chip) -> Callable[..., Mapping[str, int]] | None:
    """What has a core carry out random commands and compares them with the reference; None if there are none.

    It is called with (chip, core, index and model of the macro behind the pins, seed) and random pauses by name, and
    counts the commands by name.
    """
    if chip.core.kind not in discovered(__name__):
        return None
    return module_of(__name__, chip.core.kind).check_commands


def row_programmer(chip: Chip) -> Callable[..., Any]:
    """What has a core program its cells by rows: (core, model, targets, parameters, skip) to what became of them.

    Raises
    ------
    InputError
        If cores of this chip do not.
    """
    there = chip.core.kind in discovered(__name__) and module_of(__name__, chip.core.kind).takes_commands(chip)
    if not there:
        raise InputError(f"{chip.name}: programming.engine must be true for a core to program its cells itself")
    return module_of(__name__, chip.core.kind).program_lines
