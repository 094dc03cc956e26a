"""Random transactions on a probe, each compared with what it must do."""

import random
from collections.abc import Callable
from typing import Protocol

from mho.fpga.link.client import LinkClient, Read, Task, Write
from mho.fpga.link.transport import LinkError
from mho.macro_models.errors import ToolError
from tests.fpga.link.probe import COUNTER, DIGEST, MEMORY_WORDS, WRITES, ProbeBus

__all__ = ["ResettableLine", "Trial", "run_garbage", "run_resets"]


class Trial:
    """Transactions on a :class:`tests.fpga.link.probe.LinkProbe` or its reference.

    Parameters
    ----------
    client
        A session with it.
    bus
        What has happened to it so far; the bus itself, or None if that is out of reach.
    rng
        Draws the transactions.
    largest
        Words of a transaction.
    """

    def __init__(self, client: LinkClient, bus: ProbeBus | None, rng: random.Random, *, largest: int = 8) -> None:
        self.client, self.bus, self.rng, self.largest = client, bus, rng, largest
        self.expected = ProbeBus()
        self.transactions = 0

    def draw(self) -> Task:
        """The next transaction."""
        rng = self.rng
        what, count = rng.randrange(8), rng.choice((1, 1, 1, rng.randint(1, self.largest)))
        address = 4 * rng.randrange(MEMORY_WORDS - count)
        if what < 2:
            return Read(COUNTER, count, increment=False)
        if what < 4:
            return Write(DIGEST, [rng.getrandbits(32) for _ in range(count)], increment=False)
        if what < 6:
            return Write(address, [rng.getrandbits(32) for _ in range(count)], strobe=rng.choice((15, 15, 3)))
        return Read(address, count)

    def perform(self, task: Task) -> list[int]:
        """What ``task`` reads, and does to what is expected."""
        expected = self.expected
        if isinstance(task, Read):
            step = 4 if task.increment else 0
            return [expected.access(task.address + step * number, False, 0, 15)[1] for number in range(task.count)]
        assert isinstance(task, Write)
        step = 4 if task.increment else 0
        for number, word in enumerate(task.words):  # pyright: ignore[reportArgumentType, reportGeneralTypeIssues]
            expected.access(task.address + step * number, True, word, task.strobe)
        return []

    def step(self) -> None:
        """One transaction.

        Raises
        ------
        ToolError
            If it did not read what it had to.
        """
        task = self.draw()
        self.transactions += 1
        (words,) = self.client.execute([task])
        expected = self.perform(task)
        if words.tolist() != expected:
            raise ToolError(f"transaction {self.transactions}: {task} read {words.tolist()}, not {expected}")

    def synchronize(self, task: Task) -> bool:
        """After ``task`` failed and a session is open again: whether it was executed, once.

        Raises
        ------
        ToolError
            If it was executed in part or more than once.
        """
        before = self.observe()
        if before == self.state(self.expected):
            return False
        self.perform(task)
        if before != self.state(self.expected):
            raise ToolError(f"transaction {self.transactions}: {task} was not executed once")
        return True

    def observe(self) -> tuple[list[int], int, int]:
        """Memory, digest and writes of the probe, read over the link."""
        memory, digest, writes = self.client.execute([Read(0, MEMORY_WORDS), Read(DIGEST), Read(WRITES)])
        return memory.tolist(), int(digest[0]), int(writes[0])

    @staticmethod
    def state(bus: ProbeBus) -> tuple[list[int], int, int]:
        """The same of a reference."""
        return list(bus.memory), bus.digest, bus.writes

    def check(self) -> None:
        """Compare all that is left behind.

        Raises
        ------
        ToolError
            If something was lost or doubled.
        """
        state, counter = self.observe(), int(self.client.read(COUNTER)[0])
        if state != self.state(self.expected) or counter != self.expected.counter:
            raise ToolError(f"after {self.transactions} transactions the probe is not what it must be")
        self.expected.counter += 1
        if self.bus is not None and vars(self.bus) != vars(self.expected):
            raise ToolError(f"after {self.transactions} transactions the device did not do what it answered")


class ResettableLine(Protocol):
    """A line to a device that can be reset."""

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        ...

    def read(self, timeout: float) -> bytes:
        """What comes."""
        ...

    def run(self, cycles: int) -> None:
        """Let time pass."""
        ...

    def reset_link(self) -> None:
        """Reset the device's end of the link, not what it accesses."""
        ...


def run_resets(trial: Trial, line: ResettableLine, resets: int, *, longest: int = 4000) -> int:
    """Reset the device ``resets`` times, each up to ``longest`` cycles after a request was sent.

    Each interrupted request must be found to have been executed once or not at all, and the next session must go on.

    Returns
    -------
    int
        Requests that the reset made fail.

    Raises
    ------
    ToolError
        If a request was executed in part or twice, or the link did not recover.
    """
    failed = 0
    for _ in range(resets):
        send = line.write
        cycles = trial.rng.randrange(longest)

        def send_and_reset(data: bytes, send: Callable[[bytes], None] = send, cycles: int = cycles) -> None:
            send(data)
            line.run(cycles)
            line.reset_link()
            line.write = send  # type: ignore[method-assign] # once only

        line.write = send_and_reset  # type: ignore[method-assign]
        task = trial.draw()
        while isinstance(task, Read):
            task = trial.draw()
        try:
            trial.client.execute([task])
            trial.perform(task)
        except LinkError:
            failed += 1
            trial.client.recover()
            trial.synchronize(task)
        else:
            line.write = send  # type: ignore[method-assign]
            trial.client.recover()
        trial.check()
    return failed


def run_garbage(trial: Trial, line: ResettableLine, count: int) -> None:
    """Send ``count`` bytes of garbage, half of it with many flags and escapes; then all must be as before.

    Raises
    ------
    ToolError
        If it changed anything or the link hangs.
    """
    rng = trial.rng
    for _ in range(count // 1000):
        plain = rng.random() < 0.5
        line.write(rng.randbytes(1000) if plain else bytes(rng.choices((0x7E, 0x7D, 0x00, 0x5E, 0xFF), k=1000)))
        line.read(1e-4)
    trial.check()
