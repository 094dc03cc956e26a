"""Commands of cores that take any beside products: a module here for each such kind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mho.hw.config import Chip
from mho.macro_models.errors import InputError
from mho.macro_models.registry import discovered, module_of

__all__ = ["CommandedCore", "Operated", "Preparation", "commands_of", "row_programmer"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Operated:
    """What operations gave."""

    words: NDArray[np.uint32]
    """Output words, (operations, words of one)."""
    cells: Any = None
    """Codes of the cells behind the pins where operations programmed any, ``[driven line, line]``; else None."""
    pulsed: Any = None
    """See :class:`mho.sim.core.batch.BatchResult`."""
    cycles: Sequence[int] = ()
    """What the core's own counters grew by: total, analog and held cycles."""


class CommandedCore(Protocol):
    """What commands need of a core: a simulated one (:class:`~mho.sim.core.cosim_core.CosimCore`), or one in a tile."""

    cfg: Any

    @property
    def settings(self) -> Any:
        """What its memory of settings holds."""
        ...

    def put_model(self, core: int, model: Any) -> None:
        """Have this model behind the pins."""
        ...

    def operate(
        self, descriptors: Sequence[int], inputs: Sequence[Sequence[int]], settings: Sequence[tuple[int, int]],
        **options: int,
    ) -> Operated:
        """What descriptors give after writes of settings; the options are ``core`` and pauses."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Preparation:
    """What a host has a core do before a run, in place of setting it as its model is."""

    settings: Sequence[tuple[int, int]]
    descriptors: Sequence[int]
    inputs: Sequence[Sequence[int]]
    """As of :meth:`CommandedCore.operate`."""
    check: Callable[[NDArray[np.uint32]], None]
    """Takes the words of the results, and raises ToolError where they are not as the model has it."""


def commands_of(chip: Chip) -> Any:
    """The module here of the kind of this chip's cores; None if these cores take no commands.

    ``preparation(chip, model)`` says how a core comes to be as its model is, by its own commands; None if it is told.
    ``check_commands``, ``check_ideal`` and ``check_users`` have a core carry out random commands and compare it with
    the reference: behind its pins a model, the ideal macro of generated designs
    (:attr:`mho.rtl_gen.kinds.MacroTexts.commanded`), its user's own. ``program_lines`` is :func:`row_programmer`.
    """
    kind = chip.core.kind
    commanded = kind in discovered(__name__) and module_of(__name__, kind).takes_commands(chip)
    return module_of(__name__, kind) if commanded else None


def row_programmer(chip: Chip) -> Callable[..., Any]:
    """What has a core program its cells by rows: (core, index, model, targets, parameters, skip) to what they became.

    Raises InputError if cores of this chip do not.
    """
    commands = commands_of(chip)
    if commands is None:
        raise InputError(f"{chip.name}: programming.engine must be true for a core to program its cells itself")
    return commands.program_lines
