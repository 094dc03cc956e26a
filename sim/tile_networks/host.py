"""The host of a mesh from inside the simulator process (``hdl/mesh_host.cpp``), through ctypes.

The structures mirror those in C++; what they point to must live until the job has ended.
"""

import ctypes
from collections.abc import Iterable
from ctypes import POINTER, Structure, byref, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.compiler.types import Array
from mho.hw.host.link.tasks import Task
from mho.hw.noc.config import MeshConfig
from mho.hw.noc.flit import BodyLayout
from mho.hw.noc.interface.tables import credit_tag
from mho.hw.noc.registers.packet import host_address_bits
from mho.sim.tile_networks.plan import STATUS_READS, WRITE, Plan, task_requests


class Outcome(IntEnum):
    """How a job ended."""

    IDLE = 0
    RUNNING = 1
    COMPLETE = 2
    STUCK = 3
    REFUSED = 4


@dataclass(kw_only=True)
class MeshJob:
    """A plan as arrays."""

    numbers: dict[str, int]
    """Sizes by name."""
    arrays: dict[str, Array]
    """``requests``; ``source0`` .. the flits of each source."""
    sources: list[list[int]]
    sinks: list[list[int]]
    """(blocks, those that are ready, flits of a block, members, flow) of each source; of each sink (tag, flits, flits
    of an image if the host makes something of it on the way, else 0)."""

    @classmethod
    def from_plan(cls, plan: Plan, *, patience: int, report: int, tracing: bool, threads: int = 1) -> "MeshJob":
        """The job of a plan; ``threads`` take the edges of tiles."""
        ends = len(plan.tiles) * len(STATUS_READS)
        return cls(
            numbers=_numbers(plan.parts.mesh, plan.requests, ends, patience, report) | {
                "tracing": int(tracing), "threads": threads,
            },
            arrays={"requests": plan.requests, **{f"source{k}": end.flits for k, end in enumerate(plan.sources)}},
            sources=[[len(end.flits), end.ready, end.flits.shape[1], end.members, end.flow]
                     for end in plan.sources],
            sinks=[[end.tag, end.flits * end.blocks, end.image_flits * end.awaited] for end in plan.sinks],
        )

    @classmethod
    def from_tasks(cls, tasks: Iterable[Task], mesh: MeshConfig, *, patience: int, report: int) -> "MeshJob":
        """A job of accesses alone."""
        requests = np.array(task_requests(tasks), dtype=np.uint32)
        return cls(
            numbers=_numbers(mesh, requests, 0, patience, report), arrays={"requests": requests}, sources=[], sinks=[]
        )

    def __post_init__(self) -> None:
        # C++ takes them as they lie.
        self.arrays = {name: np.ascontiguousarray(array, np.uint32) for name, array in self.arrays.items()}


def _numbers(
    mesh: MeshConfig, requests: NDArray[np.uint32], ends: int, patience: int, report: int
) -> dict[str, int]:
    return {
        "answers": int((requests[:, 2] != WRITE).sum()), "end": ends, "patience": patience, "report": report,
        "tracing": 0, "address_bits": host_address_bits(mesh), "payload_words": mesh.payload_bits // 32,
        "body_words": -(-BodyLayout(mesh).size // 32), "credit_tag": credit_tag(mesh), "tiles": mesh.nodes,
    }


@dataclass(kw_only=True)
class MeshResult:
    """What a job gave."""

    progress: dict[str, int]
    """``outcome``, ``cycles``, ``first`` (cycle of the first flit of the host), ``lost``, ``errors``, ``unknown``."""
    answers: NDArray[np.uint32]
    """What was read: on the way, then at the end."""
    payloads: list[NDArray[np.uint32]]
    arrivals: list[NDArray[np.uint64]]
    """Of each sink the words of its flits, (flits, words), and their cycles."""
    ops: list[NDArray[np.uint64]]
    words: list[NDArray[np.uint32]]
    """Of each tile the numbers of the operations of its core, and the words that came of them."""
    retired: NDArray[np.uint64]
    states: NDArray[np.uint64]
    """(cycle, tile, address of the instruction); (cycle, tile, who is at work: bits load, vector, send, array)."""
    cells: list[NDArray[np.int64]] = field(default_factory=list)
    """Of each tile the codes of the cells as commands of its core left them, ``[driven line, line]``; empty where none
    was programmed."""
    failure: str = ""
    """Why a macro model failed, nothing if all is well."""

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return Outcome(self.progress["outcome"])


_PROGRESS = ("outcome", "running", "cycles", "first", "lost", "errors", "unknown")


class _Source(Structure):
    _fields_ = [("flits", c_void_p), ("blocks", c_int64), ("ready", c_int64),
                *((name, c_int32) for name in ("block_flits", "members", "flow", "pad"))]


class _Sink(Structure):
    _fields_ = [("words", c_void_p), ("cycles", c_void_p), ("flits", c_int64), ("tag", c_int32), ("heard", c_int32)]


class _Job(Structure):
    _fields_ = [
        *((name, c_void_p) for name in ("requests", "answers", "sources", "sinks")),
        *((name, c_int64) for name in ("request_count", "end_count", "source_count", "sink_count", "patience",
                                       "report")),
        *((name, c_int32) for name in ("send_words", "body_words", "address_bits", "payload_words", "credit_tag",
                                       "tracing")),
    ]


class _Event(Structure):
    _fields_ = [("cycle", c_uint64), ("tile", c_uint32), ("value", c_uint32)]


class MeshHost:
    """The host in this process."""

    def __init__(self, library: Any) -> None:
        self._library = library
        for name in ("arrived", "ops", "words", "events"):
            getattr(library, f"mho_host_{name}").restype = c_int64
        self._kept: list[Any] = []

    def start(self, job: MeshJob) -> None:
        """Begin a job, with a reset of the mesh."""
        numbers, words = job.numbers, job.numbers["payload_words"]
        self._job = job
        self._answers = np.zeros(numbers["answers"], np.uint32)
        self._payloads = [np.zeros((flits, words), np.uint32) for _, flits, _ in job.sinks]
        self._arrivals = [np.zeros(flits, np.uint64) for _, flits, _ in job.sinks]
        # What the host makes on the way is written into these.
        self._flits = flits = [np.require(job.arrays[f"source{k}"], requirements=["C", "W"])
                               for k in range(len(job.sources))]
        self._ready = [ready for _, ready, *_ in job.sources]
        self._heard = [0] * len(job.sinks)
        sources = (_Source * max(len(flits), 1))(*(
            _Source(queue.ctypes.data, *facts, 0) for queue, facts in zip(flits, job.sources, strict=True)))
        sinks = (_Sink * max(len(job.sinks), 1))(*(
            _Sink(payload.ctypes.data, arrival.ctypes.data, count, tag, shown)
            for payload, arrival, (tag, count, shown) in zip(self._payloads, self._arrivals, job.sinks, strict=True)))
        record = _Job(
            requests=job.arrays["requests"].ctypes.data, answers=self._answers.ctypes.data,
            sources=ctypes.addressof(sources), sinks=ctypes.addressof(sinks),
            request_count=len(job.arrays["requests"]), end_count=numbers["end"], source_count=len(flits),
            sink_count=len(job.sinks), patience=numbers["patience"], report=numbers["report"],
            send_words=flits[0].shape[2] if flits else 1, tracing=numbers["tracing"],
            **{name: numbers[name] for name in ("body_words", "address_bits", "payload_words", "credit_tag")},
        )
        self._kept = [sources, sinks, flits]
        # Where the chip is one design, as some tests have it, there are no tiles apart.
        take_threads = getattr(self._library, "mho_tiles_threads", None)
        if take_threads is not None and "threads" in numbers:
            take_threads(numbers["threads"])
        self._library.mho_host_start(byref(record))

    def progress(self) -> dict[str, int]:
        """Where the job is, by the names of ``MeshResult.progress`` and ``running``."""
        numbers = np.zeros(len(_PROGRESS), np.int64)
        self._library.mho_host_progress(c_void_p(numbers.ctypes.data))
        return dict(zip(_PROGRESS, numbers.tolist(), strict=True))

    def arrived(self) -> list[int]:
        """Flits that have come of each sink."""
        return [self._library.mho_host_arrived(k) for k in range(len(self._job.sinks))]

    def fresh(self) -> dict[int, NDArray[np.uint32]]:
        """Words of flits of images that have come since the last time, of sinks of which the host makes something."""
        words = {}
        for k, ((_, _, image), flits) in enumerate(zip(self._job.sinks, self.arrived(), strict=True)):
            end = flits // image * image if image else 0
            if end > self._heard[k]:
                words[k] = self._payloads[k][self._heard[k] : end]
                self._heard[k] = end
        return words

    def give(self, source: int, flits: NDArray[np.uint32]) -> None:
        """The next blocks of a source, (blocks, flits, words)."""
        first = self._ready[source]
        self._flits[source][first : first + len(flits)] = flits
        self._ready[source] += len(flits)
        self._library.mho_host_allow(c_int32(source), c_int64(self._ready[source]))

    def finish(self) -> MeshResult:
        """What the job gave."""
        progress = self.progress()
        del progress["running"]
        tiles, counts = range(self._job.numbers["tiles"]), self.arrived()
        return MeshResult(
            progress=progress, answers=self._answers,
            payloads=[received[:count] for received, count in zip(self._payloads, counts, strict=True)],
            arrivals=[received[:count] for received, count in zip(self._arrivals, counts, strict=True)],
            ops=[self._copied("ops", k, c_uint64) for k in tiles],
            words=[self._copied("words", k, c_uint32) for k in tiles],
            retired=self._events(0), states=self._events(1),
        )

    def _copied(self, name: str, tile: int, kind: Any) -> Array:
        pointer = POINTER(kind)()
        count = getattr(self._library, f"mho_host_{name}")(tile, byref(pointer))
        return np.ctypeslib.as_array(pointer, shape=(count,)).copy() if count else np.zeros(0, np.dtype(kind))

    def _events(self, states: int) -> NDArray[np.uint64]:
        pointer = POINTER(_Event)()
        count = self._library.mho_host_events(states, byref(pointer))
        if not count:
            return np.zeros((0, 3), np.uint64)
        kind = np.dtype([("cycle", "<u8"), ("tile", "<u4"), ("value", "<u4")])
        address = ctypes.addressof(pointer.contents)
        rows = np.frombuffer((ctypes.c_char * (count * kind.itemsize)).from_address(address), dtype=kind)
        return np.column_stack([rows[name].astype(np.uint64) for name in kind.names or ()])
