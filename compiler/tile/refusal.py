"""Why something has no form or no room on tiles: a value that is handed on, so that something else can be tried."""

from dataclasses import dataclass

from mho.macro_models.errors import InputError

__all__ = ["Refusal"]


@dataclass(frozen=True)
class Refusal:
    """A sentence for whoever asked for it, if nothing else does."""

    sentence: str

    def error(self) -> InputError:
        """The error that ends a compilation."""
        return InputError(self.sentence)
