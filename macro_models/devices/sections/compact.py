"""A compact model of a cell: the section ``[compact]`` of a device."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mho.macro_models.compact.models import CompactModel, compact_model
from mho.macro_models.files.schema import Named


@dataclass(frozen=True, kw_only=True)
class Compact:
    """A model of :mod:`mho.macro_models.compact` with constants of its own. An empty ``model``: there is none."""

    model: str = ""
    """Of :data:`~mho.macro_models.compact.MODELS`."""
    constants: Mapping[str, float] = field(default_factory=Named)
    """Constants that differ from the model's, by the names and in the units that it has."""
    source: str = ""

    @property
    def cell(self) -> CompactModel:
        """The model.

        Raises
        ------
        InputError
            If there is no such model or constant, or a constant has the wrong sign.
        """
        return compact_model(self.model, **self.constants)
