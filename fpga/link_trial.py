"""Random transactions on a probe, each compared with what it must do."""

import random

from fpga.link import LinkClient, Read, Task, Write
from fpga.link_probe import COUNTER, DIGEST, MEMORY_WORDS, WRITES, ProbeBus
from macro_models.errors import ToolError

__all__ = ["Trial"]


class Trial:
    """Transactions on a :class:`fpga.link_probe.LinkProbe` or its reference.

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
        found, counter = self.observe(), int(self.client.read(COUNTER)[0])
        if found != self.state(self.expected) or counter != self.expected.counter:
            raise ToolError(f"after {self.transactions} transactions the probe is not what it must be")
        self.expected.counter += 1
        if self.bus is not None and vars(self.bus) != vars(self.expected):
            raise ToolError(f"after {self.transactions} transactions the device did not do what it answered")
