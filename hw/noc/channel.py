"""What connects two routers, or a router and its node."""

from typing import Any

from amaranth.hdl import ShapeLike

from mho.hw.ports import Bundle, In, Out


class Channel(Bundle):
    """A stream with a ``ready`` for each queue of the receiver.

    A payload moves in a cycle in which ``valid`` and the ``ready`` of the queue that it goes to are set. ``valid``
    looks at ``ready``, which comes from a flip-flop.

    Parameters
    ----------
    shape
        Of the payload.
    queues
        Of the receiver.
    """

    payload: Any = Out(lambda self: self.shape)
    """A flit, on channels between routers with the outputs that it wants next."""
    valid = Out(1)
    """There is one, and the receiver has room for it."""
    ready = In(lambda self: self.queues)
    """The receiver's queues with room."""

    def __init__(self, shape: ShapeLike, queues: int = 1) -> None:
        self.shape, self.queues = shape, queues
        super().__init__()


class Arrival(Bundle):
    """A stream that is always taken.

    Parameters
    ----------
    shape
        Of the payload.
    """

    payload: Any = Out(lambda self: self.shape)
    """What arrives."""
    valid = Out(1)
    """Something does."""

    def __init__(self, shape: ShapeLike) -> None:
        self.shape = shape
        super().__init__()
