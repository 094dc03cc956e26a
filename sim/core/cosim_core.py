"""One core in a simulation: batches of operations and jobs of writing, and what they gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.hw.config import Chip
from mho.hw.core.masks import MaskFile
from mho.hw.core.shape import CoreShape
from mho.hw.kinds import core_blocks
from mho.macro_models import MacroModel, Masks
from mho.macro_models.integer.operation import MvmOperation
from mho.sim.core.batch import OP_WORDS, Batch, BatchResult, Mode
from mho.sim.core.commands import Operated
from mho.sim.core.kinds import simulated
from mho.sim.core.process import Simulation
from mho.sim.core.words import MaskImage, input_words, op_words, output_codes, reserved_words
from mho.sim.programming.job import WriteJob, WriteOutcome

UNCOUNTED = -1
"""Decrements of a conversion that nobody has counted."""


@dataclass(frozen=True, kw_only=True)
class CoreRun:
    """What a batch gave."""

    codes: NDArray[np.int16]
    """Output codes of shape (batch, lines)."""
    steps: NDArray[np.int64]
    """Decrement strobes at the pins, of shape (batch, segments); :data:`UNCOUNTED` behind a user's own model."""
    cycles: NDArray[np.int64]
    """What the core's counters grew by: total, analog and held cycles, of shape (batch, 3). The total holds what the
    operation waited for the result before it to be read."""
    error: bool
    """Whether ``status.error`` is set."""
    cpu_s: float
    """Processor time of the simulator, in seconds."""
    charges: NDArray[np.int64]
    """Charges of each conversion, of shape (batch * segments, lines), if they were asked for."""
    write: WriteOutcome | None = None
    """What a run of write-verify did meanwhile."""


class CosimCore:
    """One simulated core: streams in, streams out.

    Parameters
    ----------
    image
        What is written into its memory of masks.
    """

    @classmethod
    def of(cls, simulation: Simulation, chip: Chip) -> "CosimCore":
        """The simulated core of a chip, of any kind."""
        return cls(simulation, core_blocks(chip).cfg, simulated(chip).image)

    def __init__(self, simulation: Simulation, cfg: CoreShape, image: type[MaskImage] = MaskImage) -> None:
        self.simulation = simulation
        self.cfg = cfg
        self._masks = image(cfg)
        self._counters = np.zeros((1, 3), dtype=np.int64)
        self._patience = 8 * (cfg.longest_cycles + 1024)

    def run(self, *args: Any, **options: Any) -> CoreRun:
        """Stream a batch through the core; arguments of :meth:`batch`."""
        batch = self.batch(*args, **options)
        return self.finish(batch, self.simulation.run(batch))

    def batch(
        self, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike, *, core: int = 0,
        mode: Mode = Mode.LAZY, gap: int = 0, stall: int = 0, hold: int = 0, seed: int = 1, keep_charges: bool = False,
        illegal: bool = False, write: WriteJob | None = None
    ) -> Batch:
        """What streams through the core for a batch with its numbers as in :meth:`mho.sim.backend.Backend.mvm`.

        It takes into account the masks of the batches before it, so it is to be run, and in their order.

        ``gap``, ``stall``, ``hold`` and ``keep_charges`` as in :class:`mho.sim.core.batch.Batch`; ``illegal`` sends a
        descriptor of a reserved mode first; ``write`` is a run of write-verify that begins meanwhile.
        """
        ids = np.broadcast_to(np.asarray(op_id, dtype=np.uint64), (len(x),))
        ops = op_words(op, ids)
        if illegal:
            ops = np.concatenate([reserved_words(op), ops])
        return Batch(
            ops=ops, masks=self._masks.update(op, masks, self.simulation.models.get(core)), inputs=input_words(x),
            outputs=len(x) * self.cfg.output_words, operations=len(x), segments=op.segments, core=core,
            mode=mode, patience=self._patience_of(write, max(gap, stall, hold)), gap=gap,
            stall=stall, hold=hold, seed=seed, keep_charges=keep_charges, write=write,
        )

    @property
    def settings(self) -> MaskFile:
        """What the memory of masks, and whatever registers there are beside it, hold."""
        return self._masks.file

    def put_model(self, core: int, model: MacroModel) -> None:
        """Have this model behind the pins of ``core``."""
        self.simulation.put_core(core, model)

    def operate(
        self, descriptors: Sequence[int], inputs: Sequence[Sequence[int]], settings: Sequence[tuple[int, int]], *,
        core: int = 0, gap: int = 0, stall: int = 0, hold: int = 0, seed: int = 1, patience: int = 4_000_000,
        outputs: int | None = None,
    ) -> Operated:
        """What descriptors give that take whatever words, and give as many as an operation each, or ``outputs`` in all.

        ``settings`` are writes ahead of them that :attr:`settings` knows already; ``patience`` is in cycles.
        """
        ops = [[descriptor >> 32 * k & 0xFFFFFFFF for k in range(OP_WORDS)] for descriptor in descriptors]
        result = self.simulation.run(Batch(
            ops=np.array(ops, dtype=np.uint32), masks=np.array(settings, dtype=np.uint32).reshape(-1, 2),
            inputs=np.array([word for words in inputs for word in words], dtype=np.uint32),
            outputs=len(ops) * self.cfg.output_words if outputs is None else outputs, operations=len(ops), core=core,
            mode=Mode.LAZY, patience=patience, gap=gap, stall=stall, hold=hold, seed=seed,
        ))
        before, self._counters = self._counters, result.counters[-1:].astype(np.int64)
        words = result.outputs.reshape(len(ops) if outputs is None else -1, self.cfg.output_words)
        cycles = (self._counters - before)[0].tolist()
        return Operated(words=words, cells=result.cells, pulsed=result.pulsed, cycles=cycles)

    def finish(self, batch: Batch, result: BatchResult) -> CoreRun:
        """What a batch of :meth:`batch` gave."""
        counters = np.concatenate([self._counters, result.counters.astype(np.int64)])
        self._counters = counters[-1:]
        # A user's own model behind the pins counts nothing.
        steps = result.decrements if len(result.decrements) else np.full(batch.operations * batch.segments, UNCOUNTED)
        return CoreRun(
            codes=output_codes(result.outputs, self.cfg.outputs),
            steps=steps.reshape(-1, batch.segments),
            cycles=np.diff(counters, axis=0),
            error=result.error,
            cpu_s=result.cpu_s,
            charges=result.charges,
            write=result.write,
        )

    def program(self, job: WriteJob, *, gap: int = 0, stall: int = 0, hold: int = 0, seed: int = 1) -> WriteOutcome:
        """Run write-verify alone."""
        nothing = np.zeros(0, dtype=np.uint32)
        batch = Batch(
            ops=nothing.reshape(0, OP_WORDS), masks=nothing.reshape(0, 2), inputs=nothing, outputs=0, operations=0,
            mode=Mode.CONST, patience=self._patience_of(job, max(gap, stall, hold)), gap=gap,
            stall=stall, hold=hold, seed=seed, write=job,
        )
        outcome = self.simulation.run(batch).write
        assert outcome is not None
        return outcome

    def _patience_of(self, job: WriteJob | None, idle: int) -> int:
        patience = self._patience + (0 if job is None else job.longest_cycles)
        return patience * (1 if idle < 128 else 64)
