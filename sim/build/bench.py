"""A bench for verilated Verilog: one C++ program (``sim/hdl/bench.cpp``) that drives the ports of a design as told.

What is at the ports is described here, as data: the master of a bus, a serial line. The program can feed and catch
streams, too, which tests do. Time passes only in :meth:`Bench.run`, :meth:`Bench.request` and :meth:`Bench.listen`.
"""

import json
import struct
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mho.macro_models.errors import ToolError
from mho.rtl_gen.verilog.ports import module_ports
from mho.sim.build.children import Child
from mho.sim.build.toolchain import HDL, cached_build, hash_files
from mho.sim.build.verilate import FAST, compiler_key, verilate

_SOURCES = [HDL / name for name in ("bench.cpp", "bench_bus.h", "bench_design.h", "bench_line.h", "port.h")]
_PORTS = "ports.json"

Words = NDArray[np.uint32]


def build_bench(
    folder: Path, text: str, top: str, sources: Sequence[Path] = (), *, options: Sequence[str] = (), fast: str = FAST
) -> Path:
    """Compile a design and the bench around it into ``folder``, which is returned.

    Parameters
    ----------
    text
        Verilog with the top, whose clock is ``clk``.
    top
        Name of the top.
    sources
        Further Verilog.
    options, fast
        As in :func:`mho.sim.build.verilate.verilate`.
    """
    design_ports = module_ports(text, top) or {}
    ports = {name: port.width or 1 for name, port in design_ports.items() if name != "clk"}
    listed = ", ".join(f"{{{bits}, &top.{name}}}" for name, bits in ports.items())
    (folder / "ports.h").write_text(f'#include "Vtop.h"\n#define PORTS(top) {{{listed}}}\n')
    (folder / _PORTS).write_text(json.dumps(ports))
    (folder / "design.v").write_text(text)
    verilate(folder, [folder / "design.v", *sources, *_SOURCES], top=top, options=options, fast=fast)
    return folder


def bench_key(top: str, sources: Sequence[Path] = (), *, options: Sequence[str] = (), fast: str = FAST) -> list[str]:
    """What decides, beside the Verilog, what :func:`build_bench` makes."""
    return [top, *options, fast, hash_files([*sources, Path(__file__), *_SOURCES]), *compiler_key()]


def cached_bench(
    kind: str, key: Sequence[str], write: Callable[[], str], top: str, sources: Sequence[Path] = (), *,
    options: Sequence[str] = (), fast: str = FAST,
) -> Path:
    """The folder of :func:`build_bench`, from the cache or built now.

    Parameters
    ----------
    kind
        What it is called in the cache.
    key
        What decides what ``write`` gives.
    write
        Gives the Verilog. It is called only if there is something to build.
    top, sources, options, fast
        As in :func:`build_bench`.
    """
    return cached_build(
        kind, [*key, *bench_key(top, sources, options=options, fast=fast)],
        lambda folder: build_bench(folder, write(), top, sources, options=options, fast=fast),
    )


class Command(IntEnum):
    """What the program is told."""

    SET, GET, INPUT, OUTPUT, PROBE, REPLY, QUEUE, RUN, TAKE_SENT, TAKE_OUTPUT, TAKE_PROBE, TAKE_ANSWERS = range(12)
    BUS, REQUEST, LINE, SEND, LISTEN = range(12, 17)


class Until(IntEnum):
    """What the program runs until."""

    LIMIT, SENT, PORT, SEEN, HEARD = range(5)


class Bench:
    """A running simulation of a design.

    Raises ToolError from all methods, if the simulation ended.

    Parameters
    ----------
    folder
        From :func:`build_bench` or :func:`cached_bench`.
    reset_cycles
        How long the reset is held in the beginning.

    Attributes
    ----------
    ports
        Bits of each port.
    """

    def __init__(self, folder: Path, *, reset_cycles: int = 4) -> None:
        self.ports: dict[str, int] = json.loads((folder / _PORTS).read_text())
        self._index = {name: k for k, name in enumerate(self.ports)}
        self._process = Child([folder / "simulator"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reset_cycles = reset_cycles

    def reset(self) -> None:
        """Hold the reset, ``rst`` or ``rst_n`` of one that is low, with what has been put at the ports."""
        port, low = ("rst_n", 1) if "rst_n" in self.ports else ("rst", 0)
        if low:
            # What has a gated clock is reset by the edge alone.
            self.set(port, low)
            self.run(1)
        self.set(port, 1 - low)
        self.run(self._reset_cycles)
        self.set(port, low)

    def set(self, port: str, value: int) -> None:
        """Put a value at an input."""
        self._tell(Command.SET, [self._index[port], *self._split(port, value)])

    def get(self, port: str) -> int:
        """The value of a port."""
        return int.from_bytes(self._ask(Command.GET, [self._index[port]]).astype("<u4").tobytes(), "little")

    def run(self, limit: int) -> None:
        """Let so many cycles pass."""
        self._run(limit, Until.LIMIT)

    def bus(self, request: str, response: str, address_bits: int) -> None:
        """Be the master of a bus."""
        self.set(f"{response}_ready", 1)
        ports = [*self._stream(request), *self._stream(response)[:2]]
        self._tell(Command.BUS, [*ports, address_bits])

    def request(self, commands: bytes) -> Words:
        """Execute commands of the host link on the bus: status, accesses done, cycles (two words), words read."""
        return self._ask(Command.REQUEST, self._packed(commands))

    def line(self, rx: str, tx: str, period: int) -> None:
        """Be the other end of a serial line, whose bits last ``period`` sixteenths of a cycle."""
        self._tell(Command.LINE, [self._index[rx], self._index[tx], period])

    def send(self, data: bytes) -> None:
        """Send bytes over the line, behind what is still being sent."""
        self._tell(Command.SEND, self._packed(data))

    def listen(self, limit: int) -> tuple[int, bytes]:
        """Wait until bytes have come over the line and it is idle: cycles that passed, and the bytes."""
        cycles = self._run(limit, Until.HEARD)[1]
        words = self._ask(Command.LISTEN, [])
        return cycles, words[1:].astype("<u4").tobytes()[: words[0]]

    def close(self) -> None:
        """End the simulation."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self._process.end(1.0)

    def _split(self, port: str, value: int) -> list[int]:
        if value >> self.ports[port]:
            raise ValueError(f"{port} has {self.ports[port]} bits and cannot be {value}")
        return [value >> 32 * k & 0xFFFFFFFF for k in range(-(-self.ports[port] // 32))]

    def _stream(self, name: str) -> list[int]:
        return [self._index[f"{name}_{part}"] for part in ("payload", "valid", "ready")]

    @staticmethod
    def _packed(data: bytes) -> Words:
        padded = data + bytes(-len(data) % 4)
        return np.concatenate([np.array([len(data)], np.uint32), np.frombuffer(padded, "<u4").astype(np.uint32)])

    def _run(self, limit: int, until: Until, *condition: int) -> tuple[bool, int]:
        padding = [0] * (3 - len(condition))
        words = self._ask(Command.RUN, [limit & 0xFFFFFFFF, limit >> 32, until, *condition, *padding])
        return bool(words[0]), int(words[1]) | int(words[2]) << 32

    def _tell(self, command: Command, words: Sequence[int] | NDArray[np.integer]) -> None:
        data = np.asarray(words, dtype="<u4").tobytes()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(struct.pack("<II", command, len(data) // 4) + data)
            self._process.stdin.flush()
        except (OSError, ValueError):
            self._ended()

    def _ask(self, command: Command, words: Sequence[int] | NDArray[np.integer]) -> Words:
        self._tell(command, words)
        assert self._process.stdout is not None
        head = self._process.stdout.read(4)
        if len(head) < 4:
            self._ended()
        data = self._process.stdout.read(4 * int.from_bytes(head, "little"))
        return np.frombuffer(data, "<u4").astype(np.uint32, copy=False)

    def _ended(self) -> NoReturn:
        raise ToolError("the simulation ended") from None
