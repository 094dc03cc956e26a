"""How a simulation answers for the macro of each kind: a module here for each."""

from typing import Any, Protocol

from macro_models import MacroModel
from macro_models.registry import module_of

__all__ = ["Evaluator", "make_evaluator"]


class Evaluator(Protocol):
    """Answers the conversions of one macro model as the shim asks for them."""

    def forget(self) -> None:
        """The next conversion looks everything up, whatever the shim says."""
        ...

    def __call__(self, record: Any) -> int:
        """Answer the conversion in the shim's ``record``."""
        ...


def make_evaluator(model: MacroModel, record: Any) -> Evaluator:
    """The lazy evaluator of a model; ``record`` is the shim's ``Conversion``."""
    return module_of(__name__, model.config.kind).Evaluator(model, record)
