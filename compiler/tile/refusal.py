"""Why something has no form or no room on tiles: values that are handed on, so that something else can be tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from mho.macro_models.errors import InputError


@dataclass(frozen=True)
class Refusal:
    """A sentence for whoever asked for it, if nothing else does."""

    sentence: str

    def error(self) -> InputError:
        """The error that ends a compilation."""
        return InputError(self.sentence)


@dataclass(frozen=True)
class Full(Refusal):
    """Tiles have no room for what is on them: all of which that is known."""

    tiles: tuple[str, ...]


@dataclass(frozen=True)
class LongRing(Refusal):
    """A stage takes so many pixels at a time that no ring holds them; None if it is a layer."""

    stage: int | None


def full_of(refusals: Sequence[Full]) -> Full | None:
    """One for several tiles, with the first one's sentence; None of none."""
    tiles = dict.fromkeys(tile for full in refusals for tile in full.tiles)
    return Full(refusals[0].sentence, tuple(tiles)) if refusals else None


class NoRoomError(Exception):
    """The program of a tile has no room there; caught where it is made, and never an error for the user."""
