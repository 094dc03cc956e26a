"""A bench of verilated Verilog with streams that are fed from queues or caught, probes and replies."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mho.sim.build.bench import Bench, Command, Until, Words

__all__ = ["StreamBench"]

_WAIT = 0xFFFFFFFF


class StreamBench(Bench):
    """A running simulation, see :class:`mho.sim.build.bench.Bench`, whose streams are driven.

    Time passes only in its methods that run.
    """

    def __init__(self, folder: Path, *, reset_cycles: int = 4) -> None:
        super().__init__(folder, reset_cycles=reset_cycles)
        self._inputs: dict[str, int] = {}
        self._outputs: dict[str, int] = {}
        self._probes: list[tuple[str, ...]] = []

    def feed(self, stream: str, *, answer: str = "", latency: int = 0) -> None:
        """Feed a stream from queues; keep the lowest word of ``answer``, ``latency`` cycles after each."""
        self._inputs[stream] = len(self._inputs)
        self._tell(Command.INPUT, [*self._stream(stream), self._index.get(answer, 0), latency])

    def catch(self, stream: str, *, stall: int = 0) -> None:
        """Take what a stream of the design gives, with ``stall`` idle cycles behind each word."""
        self._outputs[stream] = len(self._outputs)
        self._tell(Command.OUTPUT, [*self._stream(stream), stall])

    def probe(self, *ports: str, changes: bool = False) -> int:
        """Note ports in cycles in which the first is not 0, or in which one has changed. Returns the probe's number."""
        self._probes.append(ports)
        self._tell(Command.PROBE, [int(changes), *(self._index[port] for port in ports)])
        return len(self._probes) - 1

    def reply(self, strobe: str, port: str, values: ArrayLike) -> None:
        """Give a port the next of ``values`` in each cycle in which another is not 0."""
        self._tell(Command.REPLY, np.concatenate([[self._index[strobe], self._index[port]], np.ravel(values)]))

    def queue(
        self, stream: str, payloads: Sequence[int] | Words, *, number: int = 0, pause: int = 0, repeat: bool = False
    ) -> None:
        """Append transfers to a queue: integers, or words of shape (transfers, words of the payload).

        ``pause`` are idle cycles before each; ``repeat`` begins the queue again at its end.
        """
        width = self._words(f"{stream}_payload")
        rows = (
            np.atleast_2d(payloads) if isinstance(payloads, np.ndarray)
            else np.array([self._split(f"{stream}_payload", value) for value in payloads], np.uint32).reshape(-1, width)
        )
        head = np.broadcast_to(np.array([self._inputs[stream], pause], dtype=np.uint32), (len(rows), 2))
        self._tell(Command.QUEUE, np.concatenate([[number, int(repeat)], np.hstack([head, rows]).ravel()]))

    def wait(self, port: str, value: int, cycles: int, *, number: int = 0) -> None:
        """Append to a queue that it waits until ``port`` has had ``value`` for some cycles."""
        self._tell(Command.QUEUE, [number, 0, _WAIT, 0, self._index[port], value, cycles])

    def run_until_sent(self, port: str = "", value: int = 0, cycles: int = 0, *, limit: int = 2**40) -> bool:
        """Until all queues are empty and ``port`` has had ``value`` for some cycles. Returns whether that came."""
        return self._run(limit, Until.SENT, self._index.get(port, 0), value, cycles)[0]

    def run_until(self, port: str, value: int, cycles: int = 1, *, limit: int = 2**40) -> bool:
        """Until ``port`` has had ``value`` for some cycles. Returns whether that came."""
        return self._run(limit, Until.PORT, self._index[port], value, cycles)[0]

    def run_until_seen(self, probe: int, count: int, *, limit: int = 2**40) -> bool:
        """Until a probe has noted so much since it was last taken. Returns whether that came."""
        return self._run(limit, Until.SEEN, probe, count * self._width(self._probes[probe]))[0]

    def sent(self, number: int = 0) -> Words:
        """Cycle of each transfer of a queue since this was last asked for."""
        return self._ask(Command.TAKE_SENT, [number])

    def caught(self, stream: str) -> Words:
        """Cycle and payload of what came of a stream since this was last asked for, of shape (transfers, 1 + words)."""
        words = self._ask(Command.TAKE_OUTPUT, [self._outputs[stream]])
        return words.reshape(-1, 1 + self._words(f"{stream}_payload"))

    def noted(self, probe: int) -> Words:
        """Cycle and words of the ports of a probe, of shape (notes, 1 + words), since this was last asked for."""
        return self._ask(Command.TAKE_PROBE, [probe]).reshape(-1, self._width(self._probes[probe]))

    def answers(self, stream: str) -> Words:
        """Answers of a stream that is fed, since this was last asked for."""
        return self._ask(Command.TAKE_ANSWERS, [self._inputs[stream]])

    def _width(self, ports: Sequence[str]) -> int:
        return 1 + sum(map(self._words, ports))

    def _words(self, port: str) -> int:
        return -(-self.ports[port] // 32)
