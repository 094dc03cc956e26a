"""A session with a board that may be lost and found again, for the backends that are at the end of its serial line."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mho.fpga.link.client import LinkClient
from mho.fpga.link.transport import BusFault, LinkError, SerialTransport, Transport
from mho.macro_models.errors import InputError, argument
from mho.sim.backend import Observed

if TYPE_CHECKING:
    from mho.sim.backend import Note

BAUD = 3_000_000
"""Of the boards, unless they are built otherwise."""

_WAIT_S = 0.5
"""After which a request is sent again: longer than a board, also a simulated one, usually takes."""

_ATTEMPTS = 5

_SLOW_S = 0.2
"""Time to an answer from which on a user is told."""

_T = TypeVar("_T")


def connect_board(port: str, baud: int = BAUD, *, transport: Transport | None = None) -> LinkClient:
    """A session with a board.

    Raises
    ------
    InputError, ToolError
        If the port cannot be opened, or no board answers.
    """
    if not port:
        raise InputError("port must be the name of a serial port such as /dev/ttyUSB1, not ''")
    client = LinkClient(SerialTransport(port, baud) if transport is None else transport, wait=_WAIT_S)
    try:
        client.open()
    except BaseException:
        client.close()
        raise
    return client


class BoardSession:
    """The line to a board, and what is done again after the board was lost.

    Parameters
    ----------
    port, baud, wait, note, transport
        As of :class:`mho.fpga.backends.core.FpgaBackend`.
    again
        Called when a board was found again, before what was going on is begun anew.

    Attributes
    ----------
    reloads
        Times that a board was lost and found again.
    """

    def __init__(
        self, port: str, baud: int, *, again: Callable[[], None], note: "Note | None", wait: float,
        transport: Transport | None,
    ) -> None:
        self.port, self._baud, self._note, self._wait, self._transport = port, baud, note, wait, transport
        self._again, self._client, self.reloads = again, None, 0

    _client: LinkClient | None

    @property
    def client(self) -> LinkClient:
        """The line, opened when it is first asked for."""
        if self._client is None:
            self._client = connect_board(self.port, self._baud, transport=self._transport)
        return self._client

    def tell_if_slow(self) -> None:
        """Say so where an answer takes long."""
        turn_s = self.client.pace.turn_s
        if self._note is not None and turn_s > _SLOW_S:
            self._note(f"{self.port}: an answer takes {turn_s:.1f} s, and every request waits for the one before")

    def persist(self, action: Callable[[], _T]) -> _T:
        """What ``action`` gives, however often the board has to be loaded again for it."""
        for attempt in range(_ATTEMPTS):
            if attempt and self._client is not None:
                self._client.recover(self._wait)  # what does not come back in that time is lost
            try:
                if attempt:
                    self._again()
                    self.reloads += 1
                return action()
            except BusFault:
                raise
            except LinkError as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                if self._note is not None:
                    self._note(f"{error}; it will be loaded again")
        raise AssertionError

    def observed(self, clock_hz: int, cycles: int | None) -> Observed:
        """What is known of the board at the end of the line."""
        return Observed(
            clock_MHz=clock_hz / 1e6, cycles=cycles, port=self.port, baud=self._baud, reloads=self.reloads
        )

    def close(self) -> None:
        """End the session and give the port back."""
        if self._client is not None:
            self._client.close()
        self._client = None


class SerialBackend:
    """What the backends at the end of a serial line have in common."""

    name = "fpga"
    reports = ("progress", "note")
    _session: BoardSession

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """Refuse to do without a port; see :meth:`mho.sim.backend.Backend.check`."""
        if not options.get("port"):
            raise InputError(
                f"the backend fpga needs {argument('port')}, the serial port of the board, as in /dev/ttyUSB1"
            )

    @property
    def reloads(self) -> int:
        """Times that a board was lost and found again."""
        return self._session.reloads
