"""A batch of work for one simulated core, in the words that its streams carry."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.macro_models import MacroModel
from mho.sim.programming.job import WriteJob, WriteOutcome

OP_WORDS = 4
"""Words of 32 bits that hold one operation descriptor."""


STREAMS = (
    ("mask_ready", "mask words"), ("op_ready", "operations"), ("i_ready", "input words"), ("o_valid", "output words"),
    ("status_done", "ends of an operation"),
)
"""What moves in a batch: the output of the core that lets it, and what it is."""


class Mode(IntEnum):
    """How the macro answers (``hdl/tnsa_shim.cpp``)."""

    CONST = 0
    """The comparator never flips; no model at all."""
    LAZY = 1
    """The model is called once a conversion."""
    PIN_LEVEL = 2
    """The model is called at every strobe."""

    @property
    def words(self) -> str:
        """The name, for people."""
        return self.name.lower().replace("_", " ")


class Outcome(IntEnum):
    """How a batch ended (``hdl/streams.cpp``)."""

    IDLE = 0
    RUNNING = 1
    COMPLETE = 2
    STUCK = 3
    TOO_MANY = 4


@dataclass(kw_only=True)
class Batch:
    """What goes into the core."""

    ops: NDArray[np.uint32]
    masks: NDArray[np.uint32]
    inputs: NDArray[np.uint32]
    """Descriptors of shape (operations, OP_WORDS), (address, data) of mask words, words of the input stream; uint32."""
    outputs: int
    """Words that are expected on the output stream."""
    operations: int
    """How often ``done`` is expected."""
    segments: int = 1
    """Conversions of an operation."""
    core: int = 0
    """Index of the macro model behind the pins."""
    mode: Mode = Mode.LAZY
    patience: int = 200_000
    """Cycles without any progress after which the core counts as stuck."""
    seed: int = 1
    gap: int = 0
    stall: int = 0
    hold: int = 0
    """Of 256 cycles, how many are idle on the inputs, on the output, and frozen by the macro, at random."""
    keep_charges: bool = False
    """Return the charges of each conversion at its first compare."""
    write: WriteJob | None = None
    """A run of write-verify that begins meanwhile."""

    def __post_init__(self) -> None:
        # C++ takes them as they lie.
        self.ops, self.masks, self.inputs = (
            np.ascontiguousarray(words, dtype=np.uint32) for words in (self.ops, self.masks, self.inputs))


@dataclass(kw_only=True)
class BatchResult:
    """What came out of the core."""

    outputs: NDArray[np.uint32]
    """Words of the output stream."""
    counters: NDArray[np.uint64]
    """Total, analog and held cycles as the RTL counts them, at each ``done``; shape (operations, 3)."""
    decrements: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Decrement strobes of each conversion, counted at the pins."""
    charges: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """Charges of each conversion at its first compare, of shape (conversions, lines), if they were asked for."""
    progress: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(STREAMS), dtype=np.int64))
    """How much of each of :data:`STREAMS` has moved; it tells of a core that is stuck."""
    outcome: Outcome = Outcome.IDLE
    error: bool = False
    """Whether ``status.error`` was seen."""
    failure: str = ""
    """Why the macro's body gave up, or nothing."""
    cpu_s: float = 0.0
    """Processor time that the simulator took, in seconds."""
    write: WriteOutcome | None = None
    """What the run of write-verify did."""
    cells: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))
    """Codes of the devices as commands of the core left them, ``[driven line, column]``; empty if none programs."""
    pulsed: Any = None
    """What pulses for all of them at once made of the cells behind the pins, if there were any: of the model that has
    them (``take``)."""

    def standstill(self, batch: Batch) -> str:
        """Which output of the core stands still, that with the least done; of two, the one that comes first."""
        totals = len(batch.masks), len(batch.ops), len(batch.inputs), batch.outputs, batch.operations
        left = [k for k, total in enumerate(totals) if self.progress[k] < total]
        if not left:
            return "status_busy stands at 1" if batch.write is None else "write_status_done stands at 0"
        k = min(left, key=lambda k: self.progress[k] / totals[k])
        return f"{STREAMS[k][0]} stands still after {self.progress[k]} of {totals[k]} {STREAMS[k][1]}"

    @classmethod
    def empty(cls, batch: Batch) -> "BatchResult":
        """Room for the results of ``batch``."""
        return cls(
            outputs=np.zeros(batch.outputs, dtype=np.uint32), counters=np.zeros((batch.operations, 3), dtype=np.uint64),
            write=None if batch.write is None else WriteOutcome.empty(batch.write),
        )


@dataclass(frozen=True)
class Work:
    """What the simulator process has of one batch: the result that it fills, and the model behind the pins."""

    batch: Batch
    result: BatchResult
    model: MacroModel | None
