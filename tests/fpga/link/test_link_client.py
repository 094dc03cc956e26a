"""The host's end of the link: everything once, in any weather; and what users read when something fails."""

import errno
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np
import pytest

from mho.fpga.backends import BAUD, connect_board
from mho.fpga.link.client import LinkClient, Poll, Read, Write
from mho.fpga.link.simulated import LinkBus
from mho.fpga.link.transport import BoardLost, BoardReset, BusFault, LinkError, SerialTransport
from mho.hw.host.link.format import LinkConfig, Status
from mho.macro_models.errors import InputError, ToolError
from mho.sim.chip.traffic import Expected
from tests.fpga.link.noisy_line import ByteNoise, MemoryTransport
from tests.fpga.link.probe import COUNTER, DIGEST, HANG, MEMORY_WORDS, WRITES, ProbeBus
from tests.fpga.link.trial import Trial
from tests.hw.host.link.link_device import LinkDevice

CFG = LinkConfig(size=512, address_width=16)


def nonces() -> Callable[[], int]:
    numbers = count(1)
    return lambda: next(numbers)


def board(
    rate: float = 0.0, seed: int = 0, cfg: LinkConfig = CFG, **options: Any
) -> tuple[LinkClient, LinkDevice, ProbeBus]:
    bus = ProbeBus()
    device = LinkDevice(cfg, bus)
    rng = np.random.default_rng(seed)
    line = MemoryTransport(device.feed, to_device=ByteNoise(rate, rng), to_host=ByteNoise(rate, rng), **options)
    return LinkClient(line, patience=60, nonce=nonces()), device, bus


@pytest.mark.parametrize(("rate", "delay", "transactions"), [
    (0, 0, 400), (1e-3, 0, 400), (0.004, 0, 400), (1e-3, 0.6, 400), (0.004, 2.5, 400),
    pytest.param(1e-3, 0, 1_000_000, marks=[pytest.mark.slow, pytest.mark.long]),
])
def test_every_access_once(rate: float, delay: float, transactions: int) -> None:
    rng = random.Random(5)
    # Answers that come after the request was sent again stay on the line and must not be taken for later ones.
    client, _, bus = board(rate, 3, delay=lambda: delay * rng.random() ** 4)
    client.open()
    trial = Trial(client, bus, random.Random(7), largest=40)
    for _ in range(transactions):
        trial.step()
    trial.check()
    assert (client.retries > 0) == (rate > 0 or delay > 0)


@pytest.mark.parametrize("size", [64, 128, 1024])
def test_long_bursts_are_cut(size: int) -> None:
    client, _, bus = board(cfg=LinkConfig(size=size, address_width=16))
    client.open()
    steps: list[tuple[int, int]] = []
    words = np.random.default_rng(0).integers(0, 2**32, MEMORY_WORDS, dtype=np.uint32)
    client.write(0, words, progress=lambda done, total: steps.append((done, total)))
    assert bus.memory == words.tolist()
    assert client.read(0, MEMORY_WORDS).tolist() == words.tolist()
    assert steps[-1] == (MEMORY_WORDS, MEMORY_WORDS)
    assert len(steps) > 1
    assert client.read(COUNTER, 1000, increment=False).tolist() == list(range(1000))
    client.write(DIGEST, np.arange(700), increment=False)
    assert client.read(WRITES)[0] == 700


def test_commands_together_in_order() -> None:
    client, _, _ = board()
    client.open()
    sent: list[bytes] = []
    write = client.transport.write

    def record(data: bytes) -> None:
        sent.append(data)
        write(data)

    client.transport.write = record
    first, _, polled, second = client.execute(
        [Read(COUNTER, 2, increment=False), Write(0, [7, 9], strobe=1), Poll(4, 8), Read(0, 2)]
    )
    assert first.tolist() == [0, 1]
    assert polled.tolist() == [9]
    assert second.tolist() == [7, 9]
    assert len(sent) == 1


def test_fault_names_the_address_and_the_session_goes_on() -> None:
    client, _, bus = board()
    client.open()
    sentence = r"^memory: access to 0x00000400: the bus of the board answered with an error$"
    with pytest.raises(BusFault, match=sentence) as caught:
        client.write(0x3F8, [1, 2, 3, 4])
    assert (caught.value.address, caught.value.done, caught.value.read) == (0x400, 2, b"")
    assert bus.memory[-2:] == [1, 2]
    with pytest.raises(BusFault, match=sentence) as caught:
        client.execute([Read(0x3F8), Write(0, np.arange(500) * 2, increment=False), Read(0x3FC, 2)])
    assert (caught.value.done, caught.value.status) == (502, Status.BUS_ERROR)
    assert caught.value.read == bytes([1, 0, 0, 0, 2, 0, 0, 0])
    with pytest.raises(BusFault, match=r"^memory: access to 0x00010000: the bus of the board answered with an error$"):
        client.read(0x10000)
    with pytest.raises(BusFault, match=r"^memory: access to 0x00000000: the bit that was waited for did not come$"):
        client.poll(0, 1, limit=1)
    with pytest.raises(BusFault, match=r"^memory: access to 0x00000002: the board refused the command$"):
        client.read(2)
    with pytest.raises(BusFault, match=r"^memory: access to 0x0000100c: the bus of the board did not answer$"):
        client.read(HANG)


def test_accesses_share_requests_up_to_one_that_must_fail() -> None:
    client, _, bus = board()
    client.open()
    before = client.sent
    end = 4 * MEMORY_WORDS
    accesses = [
        *(Expected(end - 8 + 4 * k, 5 + k, 15, k == 2, None) for k in range(3)),
        *(Expected(at, None, 15, False, None) for at in (end - 4, end - 8, end - 4)),
    ]
    assert LinkBus(client).answer(accesses) == [(False, 0), (False, 0), (True, 0), (False, 6), (False, 5), (False, 6)]
    assert bus.memory[-2:] == [5, 6]
    assert client.sent == before + 2


def test_an_access_that_must_not_fail_and_does_is_told() -> None:
    client, _, _ = board()
    client.open()
    accesses = [Expected(at, None, 15, False, None) for at in (COUNTER, 0x400, COUNTER, COUNTER)]
    assert LinkBus(client).answer(accesses) == [(False, 0), (True, 0), (False, 1), (False, 2)]
    assert LinkBus(client).answer([Expected(COUNTER, None, 15, True, None)]) == [(False, 3)]
    with pytest.raises(BusFault, match=r"the bus of the board did not answer$"):
        LinkBus(client).answer([Expected(HANG, None, 15, True, None)])


def test_reset_is_told_and_a_new_session_goes_on() -> None:
    client, device, _ = board()
    client.open()
    client.read(COUNTER, 3, increment=False)
    device.reset()
    with pytest.raises(BoardReset, match=r"^memory: the board was reset, or another program opened its link$"):
        client.read(COUNTER)
    with pytest.raises(LinkError, match=r"^memory: no session is open$"):
        client.read(COUNTER)
    client.recover()
    assert client.read(COUNTER)[0] == 3


def test_number_of_a_session_that_was_in_use_is_not_taken() -> None:
    client, _, bus = board()
    client.open()
    client.read(COUNTER)
    second_client = LinkClient(client.transport, nonce=nonces())  # begins with the same number
    second_client.open()
    assert second_client.read(COUNTER)[0] == 1
    with pytest.raises(BoardReset):
        client.read(COUNTER)
    assert bus.counter == 2


def test_interrupted_request_is_not_taken_for_the_next_one() -> None:
    client, _, _ = board()
    client.open()
    read = client.transport.read

    def interrupt(timeout: float) -> bytes:
        raise KeyboardInterrupt

    client.transport.read = interrupt
    with pytest.raises(KeyboardInterrupt):
        client.read(COUNTER)
    client.transport.read = read
    with pytest.raises(LinkError, match=r"^memory: no session is open$"):
        client.read(COUNTER)
    client.open()  # the answer of the interrupted request is still on the line
    assert client.read(COUNTER)[0] == 1


@pytest.mark.parametrize("turn_s", [0.6, 4.0])
def test_a_slow_line_is_learned(turn_s: float) -> None:
    client, _, bus = board(delay=lambda: turn_s)
    client.open()
    trial = Trial(client, bus, random.Random(1), largest=200)
    for _ in range(30):
        trial.step()
    trial.check()
    # Each request takes a turn, and few are sent before the turn is known.
    assert client.retries < 20
    assert client.transport.now() < 1.2 * turn_s * (client.answers + 4)
    assert client.pace.turn_s == pytest.approx(turn_s, rel=0.1)


@pytest.mark.parametrize("rate", [0.02, 0.04])
def test_requests_are_short_on_a_bad_line(rate: float) -> None:
    client, _, bus = board(rate, 2, delay=lambda: 0.001, byte_s=10 / 3e6)
    client.open()
    trial = Trial(client, bus, random.Random(1), largest=100)
    for _ in range(40):
        trial.step()
    trial.check()
    assert client.pace.room < 3 / rate
    assert client.patience * 10 > client.transport.now()


def test_requests_are_long_on_a_good_line() -> None:
    client, _, _ = board()
    client.open()
    client.write(0, np.arange(MEMORY_WORDS))
    before = client.answers
    client.write(0, np.arange(MEMORY_WORDS))
    assert client.answers - before == -(-MEMORY_WORDS // 124)


def lost(client: LinkClient, action: Callable[[], object]) -> str:
    begin = client.transport.now()
    with pytest.raises(BoardLost) as caught:
        action()
    assert client.transport.now() - begin <= 4 * client.patience + 0.01
    return str(caught.value)


def test_silent_board_is_given_up() -> None:
    client = LinkClient(MemoryTransport(lambda data: b""), patience=5)
    reason = r"\d+ requests in 5 s, not one byte came"
    sentence = rf"memory: the board does not answer \({reason}\); is it programmed, and is the rate right\?"
    assert re.fullmatch(sentence, lost(client, client.open))
    assert client.transport.now() == pytest.approx(5, abs=0.01)


def test_silence_loss_and_noise_are_told_apart() -> None:
    client, device, _ = board()
    client.open()
    client.read(COUNTER)
    client.transport.write = lambda data: None
    assert "does not answer after 2 answers (" in lost(client, lambda: client.read(COUNTER))
    client, _, _ = board(0.3)
    assert "the line damages too much (" in lost(client, client.open)
    noise = random.Random(1)
    client = LinkClient(MemoryTransport(lambda data: noise.randbytes(20)), patience=5)
    sentence = lost(client, client.open)
    assert re.search(r"(\d+) requests in 5 s, \d+ bytes came and no whole answer; of \1 requests in all 0", sentence)
    device.reset()


def test_garbage_neither_answers_nor_changes_anything() -> None:
    client, device, bus = board()
    client.open()
    client.write(0, [1, 2, 3])
    rng = random.Random(1)
    for _ in range(300):
        answer = device.feed(rng.randbytes(100) if rng.random() < 0.5 else bytes(rng.choices(b"\x7e\x7d\x00", k=100)))
        assert answer == b""
    assert (bus.counter, bus.writes, bus.memory[:4]) == (0, 0, [1, 2, 3, 0])
    assert client.read(0, 3).tolist() == [1, 2, 3]


class Pty:
    """A board at the other end of a pseudo-terminal."""

    def __init__(self, device: LinkDevice) -> None:
        self.master, slave = os.openpty()
        self.name = os.ttyname(slave)
        self._slave = slave
        self._device = device
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            while data := os.read(self.master, 4096):
                os.write(self.master, self._device.feed(data))
        except OSError:
            pass

    def unplug(self) -> None:
        os.close(self._slave)
        os.close(self.master)


@pytest.fixture
def pty() -> Iterator[Pty]:
    pytest.importorskip("serial")
    board = Pty(LinkDevice(CFG, ProbeBus()))
    yield board
    try:
        board.unplug()
    except OSError:
        pass
    board._thread.join(1)


def test_serial_port(pty: Pty) -> None:
    with connect_board(pty.name) as client:
        client.write(0, np.arange(MEMORY_WORDS))
        assert client.read(0, MEMORY_WORDS).tolist() == list(range(MEMORY_WORDS))
        with pytest.raises(ToolError, match=rf"^{pty.name}: another program has it open$"):
            connect_board(pty.name)


def test_unplugged_board_is_told(pty: Pty) -> None:
    client = LinkClient(SerialTransport(pty.name, BAUD), patience=1)
    client.open()
    pty.unplug()
    with pytest.raises(ToolError, match=rf"^{pty.name}: the board was unplugged or switched off$"):
        client.read(0)
    with pytest.raises(ToolError, match=rf"^{pty.name}: "):
        client.recover(wait=0.1)


def test_missing_port() -> None:
    pytest.importorskip("serial")
    with pytest.raises(ToolError, match=r"^/dev/ttyNONE7: no such port; ports that exist: "):
        connect_board("/dev/ttyNONE7")
    with pytest.raises(InputError, match=r"^port must be the name of a serial port such as /dev/ttyUSB1, not ''$"):
        connect_board("")
    with pytest.raises(InputError, match=r"^baud rate must be at least 1, not 0$"):
        connect_board("/dev/ttyNONE7", 0)


def test_permission_names_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    serial = pytest.importorskip("serial")

    def refuse(*_: object, **__: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port: Permission denied")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(ToolError, match=r"^/dev/ttyUSB1: no permission to open it; .*/70-mho\.rules .* MODE=\"0660\""):
        SerialTransport("/dev/ttyUSB1")
