"""What can go wrong on the host link, each as one sentence."""

from macro_models.errors import ToolError

__all__ = ["BoardLost", "BoardReset", "BusFault", "LinkError"]


class LinkError(ToolError):
    """Base of the failures of the link."""


class BoardLost(LinkError):
    """Nothing answers: unplugged, not programmed, another rate."""


class BoardReset(LinkError):
    """The board forgot the session: it was reset, or another program opened the link."""


class BusFault(LinkError):
    """An access failed on the board; those before it were done, those after it were not.

    Parameters
    ----------
    sentence
        What happened.
    address
        Byte address of the access.
    """

    def __init__(self, sentence: str, address: int) -> None:
        super().__init__(sentence)
        self.address = address
