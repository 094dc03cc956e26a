"""The device's end of the host link: the hardware does what the reference does, on any bytes."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped
from hypothesis import given, settings
from hypothesis import strategies as st

from mho.hw.host.link.endpoint import LinkTarget
from mho.hw.host.link.format import Command, Kind, LinkConfig, Status, encode_command, encode_request
from tests.fpga.link.probe import COUNTER, DIGEST, HANG, LinkProbe, ProbeBus
from tests.hw.amaranth_bench import simulate
from tests.hw.host.link.link_device import LinkDevice, encode_reply

CFG = LinkConfig(size=64, address_width=16, timeout=20)
SESSION = 0x1234567E


class Bench(wiring.Component):
    i: Any
    o: Any

    def __init__(self) -> None:
        self.target = LinkTarget(CFG)
        super().__init__({name: self.target.signature.members[name] for name in ("i", "o")})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.target = self.target
        m.submodules.probe = probe = LinkProbe(CFG.address_width)
        connect(m, outside=flipped(self.i), target=self.target.i)
        connect(m, outside=flipped(self.o), target=self.target.o)
        connect(m, target=self.target.bus, probe=probe.bus)
        return m


def run(data: bytes, stall: int = 0) -> bytes:
    """What the hardware sends after ``data``, once it is idle."""
    dut, sent = Bench(), bytearray()

    async def bench(ctx: Any) -> None:
        idle, rest, wait = 0, list(reversed(data)), 0
        while rest or idle < 1800:
            ctx.set(dut.i.valid, bool(rest))
            ctx.set(dut.i.payload, rest[-1] if rest else 0)
            ctx.set(dut.o.ready, wait == 0)
            wait = wait - 1 if wait else stall
            _, _, ready, given_, byte = await ctx.tick().sample(dut.i.ready, dut.o.valid & dut.o.ready, dut.o.payload)
            idle += 1
            if ready and rest:
                rest.pop()
                idle = 0
            if given_:
                sent.append(byte)
                idle = 0

    simulate(dut, bench, deadline=2_000_000)
    return bytes(sent)


def expected(data: bytes) -> bytes:
    return LinkDevice(CFG, ProbeBus()).feed(data)


ADDRESSES = (0, 4, 8, 0x3FC, 0x400, COUNTER, DIGEST, 2, 0x10000, 0xFFFFFFFC)


def commands(rng: random.Random) -> bytes:
    """A body of a few commands, most of them legal."""
    body = b""
    for _ in range(rng.randrange(4)):
        command = rng.choice([1, 2, 2, 3, 1, 0] if rng.random() < 0.2 else [1, 2])
        count = rng.choice([0, 1, 1, 2, 3, 9, 17]) if command != 3 else 1
        words = {1: 0, 2: count, 3: 1}.get(command, 0)
        data = rng.choice([rng.randbytes(4 * words), bytes([0x7E]) * 4 * words])
        address = rng.choice(ADDRESSES[:7] if rng.random() < 0.9 else (*ADDRESSES, HANG))
        increment, strobe = rng.random() < 0.5, rng.choice([15, 15, rng.randrange(16)])
        body += encode_command(command, address, count, data, increment=increment, strobe=strobe)
    return body[: rng.randrange(len(body) + 1)] if rng.random() < 0.1 else body


def traffic(rng: random.Random, requests: int) -> bytes:
    """Requests in a session, some of them repeated, out of turn, or damaged; and garbage."""
    data, sequence = encode_request(SESSION, 0, Kind.OPEN), 0
    for _ in range(requests):
        what = rng.random()
        if what < 0.6:
            sequence = (sequence + 1) & 0xFF
        elif what < 0.65:
            sequence = rng.randrange(256)
        kind = Kind.OPEN if what > 0.97 else 7 if what > 0.95 else Kind.EXECUTE
        session = rng.randrange(2**32) if what > 0.9 else SESSION
        frame = bytearray(encode_request(session, sequence, kind, commands(rng)))
        if rng.random() < 0.15:
            at = rng.randrange(len(frame))
            frame[at : at + 1] = rng.choice([b"", bytes([frame[at]]) * 2, bytes([frame[at] ^ 1 << rng.randrange(8)])])
        data += bytes(frame)
        if rng.random() < 0.1:
            data += bytes(rng.choices([0x7E, 0x7D, 0x00, 0x5E, 0xFF], k=rng.randrange(100)))
    return data


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0, 3])
def test_hardware_is_the_reference_on_traffic(stall: int) -> None:
    data = traffic(random.Random(stall), 40)
    assert run(data, stall) == expected(data) != b""


@pytest.mark.slow
@settings(max_examples=8)
@given(st.lists(st.one_of(
    st.binary(max_size=90), st.lists(st.sampled_from([0x7E, 0x7D, 0x5D]), max_size=90).map(bytes),
    st.builds(encode_request, st.just(SESSION), st.integers(0, 3), st.integers(0, 3), st.binary(max_size=70)),
    st.integers(0, 2**32).map(lambda seed: traffic(random.Random(seed), 4)),
), max_size=4).map(b"".join))
def test_hardware_is_the_reference_on_any_bytes(data: bytes) -> None:
    assert run(data) == expected(data)


@pytest.mark.slow
def test_hanging_access_ends_and_the_link_stays_alive() -> None:
    hang = encode_command(Command.READ, HANG, 1)
    read = encode_command(Command.READ, 0, 1)
    data = encode_request(SESSION, 0, Kind.OPEN)
    data += encode_request(SESSION, 1, Kind.EXECUTE, read + hang + read)
    data += encode_request(SESSION, 2, Kind.EXECUTE, read)
    answers = encode_reply(SESSION, 0, Status.OPENED, CFG.opened)
    answers += encode_reply(SESSION, 1, Status.TIMEOUT, 1, bytes(4)) + encode_reply(SESSION, 2, Status.TIMEOUT, 0)
    assert expected(data) == answers
    assert run(data) == answers


@pytest.mark.slow
def test_repeated_request_is_answered_and_not_executed() -> None:
    request = encode_request(SESSION, 1, Kind.EXECUTE, encode_command(Command.READ, COUNTER, 3, increment=False))
    again = encode_request(SESSION, 2, Kind.EXECUTE, encode_command(Command.READ, COUNTER, 1))
    data = encode_request(SESSION, 0, Kind.OPEN) + 3 * request + encode_request(SESSION, 0, Kind.OPEN) + request + again
    words = b"".join(number.to_bytes(4, "little") for number in range(4))
    opened = encode_reply(SESSION, 0, Status.OPENED, CFG.opened)
    reply = encode_reply(SESSION, 1, Status.OK, 3, words[:12])
    answers = opened + 3 * reply + encode_reply(SESSION, 1, Status.OPENED, CFG.opened) + reply
    answers += encode_reply(SESSION, 2, Status.OK, 1, words[12:])
    assert expected(data) == answers
    assert run(data) == answers


@pytest.mark.parametrize(("sequence", "session", "status"), [
    (2, SESSION, Status.OUT_OF_SEQUENCE), (255, SESSION, Status.OUT_OF_SEQUENCE), (1, 5, Status.NO_SESSION),
])
def test_what_is_not_next_is_not_executed(sequence: int, session: int, status: Status) -> None:
    bus = ProbeBus()
    device = LinkDevice(CFG, bus)
    device.feed(encode_request(SESSION, 0, Kind.OPEN))
    body = encode_command(Command.READ, COUNTER, 1)
    answer = device.feed(encode_request(session, sequence, Kind.EXECUTE, body))
    assert answer == encode_reply(session, sequence, status, 0)
    assert bus.counter == 0


def test_reset_closes_the_session() -> None:
    device = LinkDevice(CFG, ProbeBus())
    device.feed(encode_request(SESSION, 0, Kind.OPEN))
    device.reset()
    request = encode_request(SESSION, 1, Kind.EXECUTE)
    assert device.feed(request) == encode_reply(SESSION, 1, Status.NO_SESSION, 0)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"size": 100}, r"^Size must be a power of two from 64 to 4096, not 100$"),
    ({"address_width": 2}, r"^Address width must be between 3 and 32, not 2$"),
    ({"timeout": 0}, r"^Timeout must be between 1 and 1048576 cycles, not 0$"),
])
def test_configuration_out_of_range(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        LinkConfig(**change)
