"""How results show themselves: one short line at a prompt, a small table in a notebook."""

from collections.abc import Mapping
from html import escape

from mho.macro_models.errors import one_sentence

_LONGEST = 100
"""Characters of a value."""


class Shown:
    """A result that names its main facts, and nothing of arrays. A dataclass takes it with ``repr=False``."""

    def _facts(self) -> Mapping[str, object]:
        """Few values by their names, in the order in which they are shown."""
        raise NotImplementedError

    def _texts(self) -> dict[str, str]:
        texts = {name: one_sentence(value) for name, value in self._facts().items()}
        return {k: v if len(v) <= _LONGEST else f"{v[: _LONGEST - 3]}..." for k, v in texts.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}: {text}' for name, text in self._texts().items())})"

    def _repr_html_(self) -> str:
        texts = self._texts().items()
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in texts)
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>"
