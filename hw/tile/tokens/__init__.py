"""The tokens of a tile: what is in its rings."""

from mho.hw.tile.tokens.model import TokensModel
from mho.hw.tile.tokens.tokens import WRONGS, AskPort, Change, ChangedLayout, RingLayout, StateLayout, Tokens

__all__ = ["WRONGS", "AskPort", "Change", "ChangedLayout", "RingLayout", "StateLayout", "Tokens", "TokensModel"]
