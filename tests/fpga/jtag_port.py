"""An ECP5 as its JTAG port shows it, behind the remote-bitbang protocol: what openFPGALoader loads arrives here."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

READ_ID, STATUS, ENABLE, DISABLE, BURST = 0xE0, 0x3C, 0xC6, 0x26, 0x7A
DONE_BIT, ENABLED_BIT = 1 << 8, 1 << 9

# IEEE 1149.1: the next state for TMS = 0 and TMS = 1.
NEXT = {
    "reset": ("idle", "reset"), "idle": ("idle", "select-dr"),
    "select-dr": ("capture-dr", "select-ir"), "capture-dr": ("shift-dr", "exit1-dr"),
    "shift-dr": ("shift-dr", "exit1-dr"), "exit1-dr": ("pause-dr", "update-dr"), "pause-dr": ("pause-dr", "exit2-dr"),
    "exit2-dr": ("shift-dr", "update-dr"), "update-dr": ("idle", "select-dr"),
    "select-ir": ("capture-ir", "reset"), "capture-ir": ("shift-ir", "exit1-ir"),
    "shift-ir": ("shift-ir", "exit1-ir"), "exit1-ir": ("pause-ir", "update-ir"), "pause-ir": ("pause-ir", "exit2-ir"),
    "exit2-ir": ("shift-ir", "update-ir"), "update-ir": ("idle", "select-dr"),
}


class JtagPort:
    """The registers of an ECP5 that loading uses."""

    def __init__(self, idcode: int) -> None:
        self.idcode = idcode
        self.burst: list[np.ndarray] = []
        self._state, self._clock, self._tdo = "reset", 0, 0
        self._instruction = READ_ID
        self._shift, self._width = 0, 0
        self._enabled = self._done = False

    @property
    def received(self) -> bytes:
        """What was shifted in as a bitstream, each byte highest bit first."""
        bits = np.concatenate(self.burst) if self.burst else np.zeros(0, np.uint8)
        return np.packbits(bits[: len(bits) // 8 * 8]).tobytes()

    def take(self, data: bytes) -> bytes:
        """Characters of the protocol, and what is answered to them."""
        answer, at = bytearray(), 0
        while at < len(data):
            if self._state == "shift-dr" and self._instruction == BURST:
                at = self._take_burst(data, at)
                if at == len(data):
                    break
            letter = data[at]
            at += 1
            if 0x30 <= letter <= 0x37:
                self._pins(letter >> 2 & 1, letter >> 1 & 1, letter & 1)
            elif letter == ord("R"):
                answer.append(0x30 + self._tdo)
        return bytes(answer)

    def _take_burst(self, data: bytes, at: int) -> int:
        """Bits of the bitstream up to the one that ends the burst, all at once."""
        letters = np.frombuffer(data, np.uint8, offset=at)
        stop = np.flatnonzero((letters & 0x38 != 0x30) | (letters & 2 != 0))
        letters = letters[: stop[0]] if len(stop) else letters
        clock = letters >> 2 & 1
        rising = clock > np.concatenate(([self._clock], clock[:-1]))
        self.burst.append((letters & 1)[rising])
        if len(letters):
            self._clock = int(clock[-1])
        return at + len(letters)

    def _pins(self, clock: int, mode: int, data: int) -> None:
        if clock and not self._clock:
            if self._state == "shift-dr" and self._instruction == BURST:
                self.burst.append(np.array([data], np.uint8))
            elif self._state in ("shift-dr", "shift-ir"):
                self._shift = self._shift >> 1 | data << self._width - 1
            self._enter(NEXT[self._state][mode])
        elif self._clock and not clock:
            self._tdo = self._shift & 1 if self._state in ("shift-dr", "shift-ir") else 0
        self._clock = clock

    def _enter(self, state: str) -> None:
        self._state = state
        if state == "reset":
            self._instruction = READ_ID
        elif state == "capture-ir":
            self._shift, self._width = 1, 8
        elif state == "update-ir":
            self._instruction = self._shift
            self._enabled = self._instruction == ENABLE or (self._enabled and self._instruction != DISABLE)
        elif state == "capture-dr":
            status = self._done * DONE_BIT | self._enabled * ENABLED_BIT
            self._shift, self._width = {READ_ID: (self.idcode, 32), STATUS: (status, 32)}.get(self._instruction, (0, 8))
        elif state == "update-dr" and self._instruction == BURST:
            self._done = True


@contextmanager
def serve_jtag(idcode: int) -> Iterator[tuple[JtagPort, str]]:
    """A port that one client can connect to, and its address."""
    port = JtagPort(idcode)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                while data := client.recv(1 << 20):
                    if answer := port.take(data):
                        client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, number = server.getsockname()
        yield port, f"{host}:{number}"
        thread.join(timeout=30)
