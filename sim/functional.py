"""The functional backend: the numpy models alone. It needs nothing that is not Python."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.compiler.layer_run import LayerRun
from mho.compiler.program import Call, Mvm, Program, batch_size
from mho.hw.config import Chip
from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.kinds import Timing, core_blocks, timing
from mho.macro_models import MacroModel, Masks
from mho.macro_models.cells.pulses import PulseArray
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.macro import MvmResult
from mho.sim.backend import Account, BackendResult, HostScheduled, check_threads, of_all, opened
from mho.sim.programming.write_verify import ProgramRun, PulseRun, reference_pulses, reference_run

KEPT_CELLS = 1 << 22
"""Pairs of cells of a program whose products are kept ready from batch to batch."""

PIECE = 1 << 20
"""Numbers of the largest value of a piece, if they are fewer, for which it has more images."""

TURNS = 8
"""Pieces of a batch for each thread: at the end of a batch threads wait for the last of them."""

SMALLEST = 8
"""Times that the last pieces of a batch are smaller."""


class _Part:
    """What one thread tells of its images, the first of them number ``first`` of the batch."""

    def __init__(self, account: Account, first: int) -> None:
        self._account, self._first = account, first
        self.converted, self.clipped, self.limited = account.converted, account.clipped, account.limited
        self.driven, self.driven_by = account.driven, account.driven_by
        self.spending: list[tuple[NDArray[np.int64], float]] = []

    def codes_of(self, call: Call, mvm: Mvm, first: int, codes: NDArray[np.int16]) -> None:
        self._account.codes_of(call, mvm, first + self._first * len(call.patches), codes)

    def spent(self, cycles: NDArray[np.int64], seconds: float) -> None:
        self.spending.append((cycles, seconds))


class FunctionalBackend(HostScheduled):
    """Runs operations on :class:`~mho.macro_models.MacroModel`; cycles are those that the RTL would take.

    ``threads`` share the images of a batch.
    """

    name = "functional"

    @classmethod
    def check(cls, options: dict[str, Any]) -> None:
        """See :meth:`mho.sim.backend.Backend.check`."""
        check_threads(options)

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._cores: list[MacroModel] = []
        self._cfg: Timing | None = None
        self._chip: Chip | None = None
        self._binding = Lock()
        self._bound_to: Program | None = None
        self._bound: dict[int, LayerRun] = {}
        self._keeps = False

    def open(self, chip: Chip, cores: Sequence[MacroModel]) -> None:
        """Take a chip and its programmed cores."""
        self._cfg = timing(chip)
        self.rows = chip.macro_config().cell_map.rows
        self._chip = chip
        self._cores = list(cores)
        self._bound_to = None

    def put_core(self, core: int, model: MacroModel) -> None:
        """Have a core hold other cells from now on."""
        self._cores[core] = model
        self._bound_to = None

    def mvm(self, core: int, op: MvmOperation, masks: Masks, x: NDArray[np.integer], op_id: ArrayLike) -> BackendResult:
        """Run ``op`` on a batch; see :class:`mho.sim.backend.Backend`."""
        cfg = opened(self._cfg)
        result = self._cores[core].mvm(op, masks, x, op_id)
        return BackendResult(
            codes=result.codes,
            steps=result.steps,
            cycles=cfg.cycles(op, result.steps),
            analog=cfg.analog_cycles(op, result.steps),
        )

    def run(
        self, program: Program, masks: Sequence[Masks], lanes: NDArray[np.int16], images: NDArray[np.integer],
        account: Account,
    ) -> NDArray[np.int16]:
        """Run a program on a batch of images; see :class:`mho.sim.backend.Backend`."""
        parts = np.split(np.arange(len(lanes)), self._ends(program, len(lanes)))
        heard = [_Part(account, int(part[0])) for part in parts] if len(parts) > 1 else []
        if not heard:
            return self._run(program, masks, lanes, images, account)
        with ThreadPoolExecutor(self._threads) as pool:
            made = list(pool.map(
                lambda part, own, within: within.run(self._run, program, masks, lanes[part], images[part], own),
                parts, heard, [copy_context() for _ in parts],
            ))
        for spent in zip(*(own.spending for own in heard), strict=True):
            account.spent(np.concatenate([cycles for cycles, _ in spent]), sum(seconds for _, seconds in spent))
        return np.concatenate(made)

    def batch(self, program: Program, most: int) -> int:
        """See :meth:`mho.sim.backend.Backend.batch`."""
        return min(most, self._piece(program, most) * (self._threads * TURNS if self._threads > 1 else 1))

    def _piece(self, program: Program, most: int) -> int:
        """Images that a thread takes at once: of small networks more, since steps take their time of any number."""
        made = [len(call.patches) * program.layers[call.layer].outputs for call in program.calls]
        largest = max(len(program.input.scale), *made)
        return max(batch_size(program, most), min(most, PIECE // largest))

    def _ends(self, program: Program, images: int) -> list[int]:
        """Where pieces of a batch end, but the last: smaller ones towards the end, since threads wait for the last."""
        if self._threads == 1 or images < 2:
            return []
        most, ends = self._piece(program, images), [0]
        least = max(1, most // SMALLEST)
        while ends[-1] < images:
            left = images - ends[-1]
            ends.append(ends[-1] + min(left, most, max(least, -(-left // (2 * self._threads)))))
        return ends[1:-1]

    def _run(
        self, program: Program, masks: Sequence[Masks], lanes: NDArray[np.int16], images: NDArray[np.integer],
        account: Account,
    ) -> NDArray[np.int16]:
        cfg = opened(self._cfg)

        def run_layer(
            call: Call, codes: NDArray[np.int16], notice: Callable[[int, int], None] | None
        ) -> NDArray[np.int16]:
            layer, start, own = program.layers[call.layer], time.perf_counter(), call.own(images)
            if not own.size:
                return np.zeros((len(codes), layer.outputs * len(call.patches)), np.int16)
            vectors = len(own) * len(call.patches)
            taken = {m.operation: np.empty((vectors, m.op.segments), dtype=np.int64) for m in layer.mvms}

            def hear(mvm: Mvm, first: int, found: MvmResult) -> None:
                taken[mvm.operation][first : first + len(found.steps)] = found.steps
                place = own[first // len(call.patches)] * len(call.patches) + first % len(call.patches)
                account.codes_of(call, mvm, int(place), found.codes)
                if found.clipped is not None and found.clipped.any():
                    account.limited(call.layer, int(found.clipped.sum()))

            lanes = self._layer(program, call, masks).run(codes, images, hear, notice)
            seconds, driven = (time.perf_counter() - start) / len(layer.mvms), account.driven(call, codes[own])
            for mvm in layer.mvms:
                account.spent(of_all(cfg.cycles(mvm.op, taken[mvm.operation]), own, len(codes)), seconds)
                account.converted(mvm, taken[mvm.operation], driven)
            return lanes

        return program.run_layers(lanes, run_layer, account.clipped)

    def _layer(self, program: Program, call: Call, masks: Sequence[Masks]) -> LayerRun:
        """A layer, bound to the cores: kept from batch to batch as long as not too much is."""

        def bind() -> LayerRun:
            return LayerRun(call, program.layers[call.layer], self._cores, masks)

        # By one thread; the others wait for it, for less than it would take them.
        with self._binding:
            if self._bound_to is not program:
                cells = sum(len(m.rows) * len(m.columns) for layer in program.layers for m in layer.mvms)
                self._bound, self._bound_to, self._keeps = {}, program, cells <= KEPT_CELLS
            if self._keeps and id(call) not in self._bound:
                same = next((run for run in self._bound.values() if run.call.layer == call.layer), None)
                self._bound[id(call)] = bind() if same is None else same.of(call)
            found = self._bound.get(id(call))
        return bind() if found is None else found

    def program(
        self, core: int, array: PulseArray, targets: NDArray[np.integer], skip: NDArray[np.bool_] | None,
        parameters: WriteVerifyParameters,
    ) -> ProgramRun:
        """Program cells; see :class:`mho.sim.programming.write_verify.Programmer`."""
        return reference_run(opened(self._chip), array, targets, skip, parameters)

    def pulse(
        self, core: int, array: PulseArray, records: NDArray[np.void], parameters: WriteVerifyParameters
    ) -> PulseRun:
        """Give pulses to listed cells; see :class:`mho.sim.programming.write_verify.Pulser`."""
        return reference_pulses(opened(self._chip), array, records, parameters)

    def update(self, core: int, descriptors: Sequence[int], inputs: Sequence[Sequence[int]]) -> tuple[Any, int]:
        """Carry out operations that move all cells of a core at once, by their descriptors and the words of codes.

        Returns the cells as they are then (:class:`mho.macro_models.cells.answering.AnsweringCells`), and the cycles
        that it took. They give no output.
        """
        model: Any = self._cores[core]
        reference = core_blocks(opened(self._chip)).reference(model)
        for descriptor, words in zip(descriptors, inputs, strict=True):
            reference.run(descriptor, words)
        self._bound_to = None
        return model.answering, reference.cycles

    def close(self) -> None:
        """Forget the cores."""
        self._cores = []
        self._bound = {}
        self._cfg = self._chip = self._bound_to = None
