"""What can go wrong on the host link, each as one sentence."""

from mho.hw.host.link.format import Status
from mho.macro_models.errors import ToolError

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
    status
        What became of it.
    done
        Accesses before it that were done.
    read
        Words that these have read, of 4 bytes each, little endian.
    """

    def __init__(self, sentence: str, address: int, status: Status, done: int = 0, read: bytes = b"") -> None:
        super().__init__(sentence)
        self.address, self.status, self.done, self.read = address, status, done, read

    def behind(self, done: int, read: bytes) -> "BusFault":
        """The same after further accesses, those of earlier requests."""
        return BusFault(str(self), self.address, self.status, done + self.done, read + self.read)
