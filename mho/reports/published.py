"""Figures of chips that were made, to set beside those of a description."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mho.macro_models.files import FileKind, read_toml

__all__ = ["PublishedChip", "PublishedRow", "published_chips"]

_FILE = Path(__file__).parent / "published.toml"
_KIND = FileKind("table of published figures", 1 << 20)


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """Figures at one precision; None is not published. ``fJ`` is the energy of an operation by what takes it."""

    inputs: int
    outputs: int
    tops: float
    tops_per_W: float
    tops_per_mm2: float | None = None
    fJ: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PublishedChip:
    """A chip that was measured."""

    name: str
    technology: str
    source: str
    rows: tuple[PublishedRow, ...]


def published_chips() -> tuple[PublishedChip, ...]:
    """The chips of the shipped table, in its order."""
    _, tree = read_toml(_FILE, _KIND)
    return tuple(
        PublishedChip(**{**chip, "rows": tuple(PublishedRow(**row) for row in chip["rows"])}) for chip in tree["chip"]
    )
