"""The macro of each kind in a simulator without DPI: a module here for each, whose ``Strobed`` answers through VPI."""

from typing import Any, Protocol

from mho.macro_models import MacroModel
from mho.macro_models.registry import module_of

__all__ = ["StrobedMacro", "make_strobed"]


class StrobedMacro(Protocol):
    """A macro during one batch, made of the handle of its pins, its model, and whether charges are kept."""

    def strobe(self, *, answer: bool) -> None:
        """Take a strobe that is at the pins now; ``answer``: as the model does, or else by what is there already.

        Raises
        ------
        ToolError
            If the pins are not as the contract wants them.
        """
        ...

    def finish(self, result: Any) -> None:
        """Write what was counted into a :class:`mho.sim.core.batch.BatchResult`."""
        ...


def make_strobed(model: MacroModel, pins: Any, *, keep_charges: bool) -> StrobedMacro:
    """The macro of a batch."""
    return module_of(__name__, model.config.kind).Strobed(pins, model, keep_charges)
