"""A run of write-verify within a batch: what goes to the simulator process, and what comes back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mho.hw.core.write_verify.reference import PULSE
from mho.macro_models.cells.pulses import PulseArray

PARAMETER_WORDS = 8
"""Words of 32 bits for the parameters (``hdl/streams.cpp``)."""

COUNTERS = ("sets", "resets", "forms", "reads", "pulsed", "faults", "write_pass", "cycles_total", "cycles_hold")
"""What the engine says at the end of a run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WriteJob:
    """What is programmed."""

    array: PulseArray
    """The cells."""
    targets: NDArray[np.uint32]
    """Words of the target stream for one pass, of shape (cells,), uint32."""
    parameters: NDArray[np.uint32]
    """The parameters of the run, of shape (PARAMETER_WORDS,), uint32."""
    pins: NDArray[np.int64]
    widths: NDArray[np.int64]
    """Cycles that a SET, RESET and FORM pulse lasts at the pins, and cycles for which it stands, of shape (3,)."""
    passes: int
    """How often the targets are sent."""
    map_words: int
    """Words of the fault map."""
    wait_skipped: int
    """Cycles of each wait between two passes that are not simulated."""
    longest_cycles: int
    """Most cycles that a cell, or the wait between two passes, can take."""
    start_after: int = 0
    """Cycles from the begin of the batch to the start of the run."""
    stop_after: int = -1
    """Results after which the run is stopped; -1: never."""


@dataclass(kw_only=True, eq=False)
class WriteOutcome:
    """What the run did."""

    cells: NDArray[np.uint32]
    """Words of the result stream."""
    map: NDArray[np.uint32]
    """Words of the fault map at the end."""
    counters: NDArray[np.uint64]
    """Values of :data:`COUNTERS`."""
    pulses: NDArray[np.void]
    """Pulses as they were seen at the pins, of type :data:`mho.hw.core.write_verify.reference.PULSE`."""
    state: dict[str, Any]
    """What has changed of the cells; see :meth:`mho.macro_models.cells.pulses.PulseArray.set_state`."""

    @classmethod
    def empty(cls, job: WriteJob) -> "WriteOutcome":
        """Room for what ``job`` gives."""
        return cls(
            cells=np.zeros(job.passes * len(job.targets), dtype=np.uint32),
            map=np.zeros(job.map_words, dtype=np.uint32),
            counters=np.zeros(len(COUNTERS), dtype=np.uint64),
            pulses=np.zeros(0, dtype=PULSE),
            state={},
        )
