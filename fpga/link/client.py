"""The host's end of the link to a board: words read and written once each, whatever the line does to the bytes."""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.fpga.link.transport import HEADS, BoardLost, BoardReset, BusFault, LinkError, Pace, Transport
from mho.hw.host.link.format import (
    COMMAND_BYTES,
    CRC_BYTES,
    REPLY_HEAD_BYTES,
    REQUEST_HEAD_BYTES,
    VERSION,
    FrameReader,
    Kind,
    Reply,
    Status,
    encode_request,
)
from mho.hw.host.link.tasks import Piece, Poll, Read, Task, Write
from mho.macro_models.errors import ToolError

Progress = Callable[[int, int], None]
"""Called with the words that are done and the words there are."""

LARGEST = 4096
"""Bytes of the largest buffer that a device may have."""

_REASONS = {
    Status.BUS_ERROR: "the bus of the board answered with an error",
    Status.TIMEOUT: "the bus of the board did not answer",
    Status.REFUSED: "the board refused the command",
    Status.EXPIRED: "the bit that was waited for did not come",
}


class LinkClient:
    """A session with a board. Each request is executed once, or the failure is told.

    After any failure but :class:`BusFault` it is unknown whether the last request was executed; the session is then
    closed, and :meth:`open` begins another.

    Raises LinkError from all methods, if the board is lost, was reset, or an access failed.

    Parameters
    ----------
    transport
        What carries the bytes.
    patience
        Seconds without an answer after which the board is given up; four times that at most, where answers took long.
    wait
        Seconds after which the first request is sent again, beside its time on the line; later ones as answers come.
    nonce
        Gives the numbers of sessions, of 32 bits, never the same twice.
    """

    def __init__(
        self, transport: Transport, *, patience: float = 10.0, wait: float = 0.1,
        nonce: Callable[[], int] = lambda: secrets.randbits(32),
    ) -> None:
        self.transport, self.patience = transport, patience
        self.pace = Pace(transport.byte_s, wait, patience)
        self.sent = self.retries = self.answers = self.received = 0
        """Requests that were sent, those among them that were sent again, answers and bytes that came."""
        self._nonce = nonce
        self._session: int | None = None
        self._sequence = 0
        self._size = 0
        self._frames = FrameReader(REPLY_HEAD_BYTES, REPLY_HEAD_BYTES + LARGEST)

    def open(self) -> None:
        """Begin a session; whatever is still on the line from an earlier one is ignored from here on."""
        self._session = None
        self.transport.reopen()
        self._frames.clear()
        while True:
            session = self._nonce()
            reply = self._exchange(session, 0, Kind.OPEN, b"")
            version, self._size = reply.words & 0xFF, 1 << (reply.words >> 8)
            if version != VERSION:
                raise LinkError(f"{self.transport.name}: the board speaks version {version} of the link, not {VERSION}")
            # Else the very same number was in use before.
            if reply.sequence == 0:
                self._session, self._sequence = session, 0
                return

    def recover(self, wait: float = 30.0) -> None:
        """Begin a session after a failure, also with a board that has to be plugged in again.

        Parameters
        ----------
        wait
            Seconds to wait for the board.
        """
        end = self.transport.now() + wait
        while True:
            try:
                return self.open()
            except ToolError:
                # Also where the port itself is not there, or not yet for this user.
                if self.transport.now() >= end:
                    raise
            time.sleep(0.2)

    def close(self) -> None:
        """End the session and give the line back."""
        self._session = None
        self.transport.close()

    def __enter__(self) -> "LinkClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(
        self, address: int, count: int = 1, *, increment: bool = True, progress: Progress | None = None
    ) -> NDArray[np.uint32]:
        """The ``count`` words from ``address`` on, or read ``count`` times from ``address``."""
        (words,) = self.execute([Read(address, count, increment)], progress=progress)
        return words

    def write(
        self, address: int, words: ArrayLike, *, increment: bool = True, strobe: int = 0xF,
        progress: Progress | None = None,
    ) -> None:
        """Write ``words`` from ``address`` on, or one after the other to ``address``."""
        self.execute([Write(address, words, increment, strobe)], progress=progress)

    def poll(self, address: int, mask: int, limit: int = 255) -> int:
        """The first word at ``address`` that has a bit of ``mask``."""
        (words,) = self.execute([Poll(address, mask, limit)])
        return int(words[0])

    def execute(self, tasks: Iterable[Task], *, progress: Progress | None = None) -> list[NDArray[np.uint32]]:
        """Execute commands in their order, in as few requests as hold them.

        Raises BusFault if an access failed; those after it were not done. It has what those before it have read.

        Returns
        -------
        list of NDArray
            The words that each command read.
        """
        if self._session is None:
            raise LinkError(f"{self.transport.name}: no session is open")
        tasks = list(tasks)
        total, done = sum(task.size for task in tasks), 0
        read: list[list[bytes]] = [[] for _ in tasks]
        for group in self._groups(tasks):
            try:
                body = self._request([piece for _, piece in group])
            except BusFault as fault:
                raise fault.behind(done, b"".join(part for parts in read for part in parts)) from None
            at = 0
            for number, piece in group:
                read[number].append(body[at : at + 4 * piece.reply_words])
                at += 4 * piece.reply_words
                done += piece.words
            if progress is not None:
                progress(done, total)
        return [np.frombuffer(b"".join(parts), "<u4").astype(np.uint32, copy=False) for parts in read]

    def _groups(self, tasks: list[Task]) -> Iterator[list[tuple[int, Piece]]]:
        """What fits in one request and its reply, and comes through the line as it was until then."""
        room = self._size - REQUEST_HEAD_BYTES - CRC_BYTES

        def most() -> int:
            return min((room - COMMAND_BYTES) // 4, max((self.pace.room - HEADS) // 4, 1))

        group: list[tuple[int, Piece]] = []
        length = words = 0
        for number, task in enumerate(tasks):
            for piece in task.pieces(most):
                length += len(piece.data)
                words += piece.reply_words
                if group and (length > room or 4 * words > self._size or HEADS + length + 4 * words > self.pace.room):
                    yield group
                    group, length, words = [], len(piece.data), piece.reply_words
                group.append((number, piece))
        if group:
            yield group

    def _request(self, pieces: list[Piece]) -> bytes:
        """Have ``pieces`` executed; the words that were read."""
        session, sequence = self._session, (self._sequence + 1) & 0xFF
        assert session is not None
        # Until the answer is there it is unknown what the board did; the next request must not look like this one.
        self._session = None
        reply = self._exchange(session, sequence, Kind.EXECUTE, b"".join(piece.data for piece in pieces))
        if reply.status in (Status.NO_SESSION, Status.OUT_OF_SEQUENCE):
            raise BoardReset(f"{self.transport.name}: the board was reset, or another program opened its link")
        self._session, self._sequence = session, sequence
        if reply.status != Status.OK:
            raise self._fault(reply, pieces)
        return reply.body

    def _fault(self, reply: Reply, pieces: list[Piece]) -> BusFault:
        left, address = reply.words, 0
        for piece in pieces:
            address = (piece.address + piece.step * left) & 0xFFFFFFFF
            if left < piece.words:
                break
            left -= piece.words
        status = Status(reply.status)
        sentence = f"{self.transport.name}: access to {address:#010x}: {_REASONS.get(status, 'the board failed')}"
        return BusFault(sentence, address, status, reply.words, reply.body)

    def _exchange(self, session: int, sequence: int, kind: Kind, body: bytes) -> Reply:
        """Send a request until it is answered."""
        line, pace, opening = self.transport, self.pace, kind is Kind.OPEN
        frame = encode_request(session, sequence, kind, body)
        begin, received = line.now(), self.received
        last = begin + max(self.patience, min(64 * pace.turn_s, 4 * self.patience))
        attempts = 0
        while (sent := line.now()) < last:
            line.write(frame)
            attempts += 1
            end = min(sent + pace.wait(len(frame) + 2 * max(self._size, 64)), last)
            while (left := end - line.now()) > 0:
                for reply in self._replies(line.read(left)):
                    if reply.session != session:
                        continue
                    if opening == (reply.status == Status.OPENED) and (opening or reply.sequence == sequence):
                        pace.answered(line.now() - sent, len(frame) + HEADS // 2 + len(reply.body), attempts)
                        self.sent, self.retries = self.sent + attempts, self.retries + attempts - 1
                        self.answers += 1
                        return reply
                    pace.late()
            pace.missed()
        self.sent, self.retries = self.sent + attempts, self.retries + attempts - 1
        raise self._lost(attempts, line.now() - begin, self.received - received)

    def _replies(self, data: bytes) -> list[Reply]:
        self.received += len(data)
        return [Reply.decode(content) for content in self._frames.feed(data)]

    def _lost(self, requests: int, seconds: float, received: int) -> BoardLost:
        """Nothing came, or something did that was no answer."""
        name, tries = self.transport.name, f"{requests} requests in {seconds:.0f} s"
        if not received:
            before = f" after {self.answers} answers" if self.answers else ""
            return BoardLost(
                f"{name}: the board does not answer{before} ({tries}, not one byte came); is it programmed, and is the "
                "rate right?"
            )
        return BoardLost(
            f"{name}: the line damages too much ({tries}, {received} bytes came and no whole answer; of {self.sent} "
            f"requests in all {self.answers} were answered, {self._frames.damaged} answers were damaged); is the rate "
            "right, and the cable?"
        )
