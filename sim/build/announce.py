"""Says that a simulator is being built while it happens: the first run of a design takes half a minute, or minutes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["announce_build", "announced_builds"]

Note = Callable[[str], None]

_note: ContextVar[Note | None] = ContextVar("note of builds", default=None)


@contextmanager
def announced_builds(note: Note | None) -> Iterator[None]:
    """Builds within are told to ``note``, unless somebody around hears of them already."""
    if note is None or _note.get() is not None:
        yield
        return
    token = _note.set(note)
    try:
        yield
    finally:
        _note.reset(token)


def announce_build(what: str) -> None:
    """Tell whoever hears of builds that one begins."""
    if (note := _note.get()) is not None:
        note(f"building {what}, which is kept for the next time ...")
