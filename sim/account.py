"""What a run keeps account of while its codes stream by: cycles, ranges, clipped inputs, codes of some images.

Several threads may tell of their images at once: what they tell is counted first, and added up by one at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from mho.compiler.program import DITHER, Call, Layer, Mvm, Program
from mho.hw.config import Chip
from mho.hw.kinds import energy, timing
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Masks, MvmOperation
from mho.macro_models.integer.tally import tally
from mho.macro_models.integer.vector import padded
from mho.macro_models.macro import constant_input

Codes = dict[tuple[int, int], NDArray[np.int16]]


def code_bytes(program: Program) -> int:
    """Memory that the output codes of one image take."""
    return sum(2 * layer.positions * len(m.columns) for layer in program.layers for m in layer.mvms)


BINS = 64
"""Intervals of the spread of codes."""
SPREAD_CODES = 1 << 20
"""Codes of a layer of which the spread is counted: those of the first images."""


@dataclass(frozen=True, kw_only=True)
class CodeSpread:
    """How often codes are in each of the equal parts of the converter's range, from -top to top in half steps."""

    top: int
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LayerFigures:
    """Figures of a layer over all images of a run."""

    columns: int
    """Columns that its products convert, at each of ``positions`` of an image."""
    positions: int
    least: int
    largest: int
    """Output codes, in half steps."""
    saturated: float
    """Share of codes at the end of the converter's range, 0..1; of two segments, of the high one."""
    clipped: int
    inputs: int
    """How many of its inputs were beyond what its input codes reach."""
    limited: int
    """How many of its outputs the converters clipped before there was a code, where models say that."""
    codes: CodeSpread
    """How its codes spread over the converter's range."""
    energy_pJ: Mapping[str, float]
    """Energy of the macros for all images, by what takes it; empty where the description knows none."""


class _LayerAccount:
    """Sums of one layer."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.top = max(_top(m.op) for m in layer.mvms)
        self.spread = np.zeros(BINS, dtype=np.int64)
        self.least, self.largest = np.iinfo(np.int16).max, np.iinfo(np.int16).min
        self.full = self.codes = self.clipped = self.inputs = self.counted = self.limited = 0

    def add(self, mvm: Mvm, codes: NDArray[np.int16], lock: Lock) -> None:
        top, least, largest = _top(mvm.op), int(codes.min()), int(codes.max())
        full = int((np.abs(codes) >= top).sum()) if max(-least, largest) >= top else 0
        with lock:
            left = SPREAD_CODES - self.counted
            taken = codes[: max(0, -(-left // codes.shape[1]))]
            self.counted += taken.size
        spread = self._spread(taken) if taken.size else 0
        with lock:
            self.spread += spread
            self.least, self.largest = min(self.least, least), max(self.largest, largest)
            self.full += full
            self.codes += codes.size

    def _spread(self, codes: NDArray[np.int16]) -> NDArray[np.int64]:
        each = tally(codes, self.top)
        return np.bincount(np.arange(len(each)) * BINS // len(each), weights=each, minlength=BINS).astype(np.int64)

    def figures(self, energy_pJ: Mapping[str, float]) -> LayerFigures:
        return LayerFigures(
            columns=sum(len(m.columns) for m in self.layer.mvms), positions=self.layer.positions, least=self.least,
            largest=self.largest, saturated=self.full / max(self.codes, 1), clipped=self.clipped, inputs=self.inputs,
            limited=self.limited,
            codes=CodeSpread(top=self.top, counts=tuple(self.spread.tolist())), energy_pJ=energy_pJ,
        )


class _Done:
    """Sums of one product: of vectors, of the decrements of each segment, of what drives each of its rows."""

    def __init__(self, mvm: Mvm) -> None:
        self.mvm, self.vectors = mvm, 0
        self.steps = np.zeros(mvm.op.segments, dtype=np.int64)
        self.driven = np.zeros(len(mvm.rows), dtype=np.int64)


def _top(op: MvmOperation) -> int:
    """Largest code of an operation, in half steps; of two segments, that of the high one."""
    top = 2 * op.max_steps + 1
    return top if op.segments == 1 else top << LSB_SEGMENT_BITS


class RunAccount:
    """Account of one run of a program on some images.

    Parameters
    ----------
    program, images
        What runs, and on how many images in all.
    keep
        Of how many images, from the first on, codes are kept.
    chip, masks
        The chip, None where nobody asks what its macros take, and the masks of its cores.
    targets_uS
        Cells of each core, in uS; with none they conduct as cells in the mean do.

    Attributes
    ----------
    cycles
        Clock cycles of each image, all products one after the other, of shape (images,).
    seconds
        Wall-clock time of all products.
    core_cycles
        Clock cycles in which operations were issued at the macro of each core, of shape (cores,).
    exact
        Whether these, and energies, are of the decrements that were made, and not of as many as may have been.
    codes_by_layer
        Codes that were kept: of each layer (images, positions * columns), product by product; 0 of images that it does
        not compute.
    """

    def __init__(
        self, program: Program, images: int, keep: int, chip: Chip | None = None, masks: Sequence[Masks] = (),
        targets_uS: Sequence[NDArray[np.floating]] = (),
    ) -> None:
        self.program, self.keep = program, min(keep, images)
        self._timing, self._energy = (None, None) if chip is None else (timing(chip), energy(chip))
        self._masks, self.exact = masks, True
        self._row_uS = [] if chip is None else [
            chip.macro_config().cell_map.per_row(np.nan_to_num(g.astype(np.float64)).sum(axis=1)) for g in targets_uS
        ]
        self.core_cycles = np.zeros(len(masks), dtype=np.int64)
        self._done: dict[int, _Done] = {}
        self.cycles = np.zeros(images, dtype=np.int64)
        self.seconds = 0.0
        self._layers = [_LayerAccount(layer) for layer in program.layers]
        self.codes_by_layer: dict[int, NDArray[np.int16]] = {}
        self._codes: Codes = {}
        self._batch, self._lock = slice(0, 0), Lock()

    def begin(self, first: int, lanes: NDArray[np.int16], clipped: int = 0) -> None:
        """A batch begins, the first image of it number ``first`` of the run.

        ``lanes`` are the program's input; so many of them were ``clipped``.
        """
        self._batch = slice(first, first + len(lanes))
        taker = self.program.takers.get(0)
        if taker is not None:
            self.clipped(taker, clipped, lanes.size)

    def codes_of(self, call: Call, mvm: Mvm, first: int, codes: NDArray[np.int16]) -> None:
        """See :class:`mho.sim.backend.Account`."""
        self._layers[call.layer].add(mvm, codes, self._lock)
        positions = len(call.patches)
        image, position = divmod(first, positions)
        image += self._batch.start
        if image < self.keep:
            with self._lock:
                rows = self._room(call.layer)[mvm.operation]
            rows = rows.reshape(self.keep, self.program.layers[call.layer].positions, -1)[:, call.positions]
            end = image + -(-len(codes) // positions) * call.turns
            rows = rows[image : end : call.turns, position : position + len(codes)]
            rows[:] = codes[: rows.shape[0] * rows.shape[1]].reshape(rows.shape)

    def _room(self, layer: int) -> dict[int, NDArray[np.int16]]:
        """Where the codes of a layer are kept, by the numbers of its operations: parts of one array."""
        if layer not in self.codes_by_layer:
            one = self.program.layers[layer]
            sizes = [one.positions * len(m.columns) for m in one.mvms]
            held = self.codes_by_layer[layer] = np.zeros((self.keep, sum(sizes)), dtype=np.int16)
            for mvm, size, end in zip(one.mvms, sizes, np.cumsum(sizes), strict=True):
                self._codes[layer, mvm.operation] = held[:, end - size : end]
        return {at: codes for (k, at), codes in self._codes.items() if k == layer}

    def spent(self, cycles: NDArray[np.int64], seconds: float) -> None:
        """See :class:`mho.sim.backend.Account`."""
        images = self._batch.stop - self._batch.start
        self.cycles[self._batch] += cycles.astype(np.int64).reshape(images, -1).sum(axis=1)
        self.seconds += seconds

    def driven(self, call: Call, codes: NDArray[np.int16]) -> NDArray[np.int64] | None:
        """See :class:`mho.sim.backend.Account`."""
        by_element = self.driven_by(codes)
        if by_element is None or self._energy is None:
            return None
        layer = self.program.layers[call.layer]
        pads, index = padded(call.patches, call.pad, len(by_element))
        constant = np.array([*pads, constant_input(layer.mvms[0].op)])
        beyond = len(codes) * self._energy.weight(np.abs(constant.astype(np.int64)))
        inputs = np.concatenate([by_element, beyond[:-1]])[index].sum(axis=0)
        return np.where(layer.spread == DITHER, len(call.patches) * beyond[-1], inputs[layer.spread])

    def driven_by(self, rows: NDArray[np.int16]) -> NDArray[np.int64] | None:
        """See :class:`mho.sim.backend.Account`."""
        if self._energy is None:
            return None
        magnitudes = np.abs(rows)
        each = self._energy.weight(np.arange(1 + int(magnitudes.max(initial=0)))).astype(np.uint8)
        return each[magnitudes].sum(axis=0, dtype=np.int64)

    def converted(
        self, mvm: Mvm, steps: NDArray[np.int64], driven: NDArray[np.int64] | None, exact: bool = True
    ) -> None:
        """See :class:`mho.sim.backend.Account`."""
        if self._timing is None:
            return
        # Where the sum alone is known, it stands in the first place: times and energies are linear in the steps.
        each = np.zeros((len(steps), mvm.op.segments), dtype=np.int64)
        each[:, : steps.shape[1]] = steps
        cycles = int(self._timing.analog_cycles(mvm.op, each).sum())
        with self._lock:
            self.exact &= exact
            self.core_cycles[mvm.core] += cycles
            done = self._done.setdefault(id(mvm), _Done(mvm))
            done.vectors += len(each)
            done.steps += each.sum(axis=0)
            if driven is not None:
                done.driven += driven[mvm.first : mvm.first + len(mvm.rows)]

    def _energy_of(self, layer: Layer) -> dict[str, float]:
        """What the macros took for a layer, by what takes it; of sums, so that batches change no digit."""
        taken: dict[str, float] = {}
        for done in (self._done[id(mvm)] for mvm in layer.mvms if id(mvm) in self._done):
            if self._energy is None:
                continue
            mvm, masks = done.mvm, self._masks[done.mvm.core]
            fixed, whole = (self._energy.operation(mvm.op, masks, steps) for steps in (0 * done.steps, done.steps))
            each = {name: float((done.vectors - 1) * fixed[name] + whole[name]) for name in whole}
            conducts = self._row_uS[mvm.core][mvm.rows] if self._row_uS else None
            each |= self._energy.inputs(mvm.op, masks, done.vectors, done.driven, conducts)
            taken = {name: taken.get(name, 0.0) + value for name, value in each.items()}
        return taken

    def limited(self, layer: int, count: int) -> None:
        """See :class:`mho.sim.backend.Account`."""
        with self._lock:
            self._layers[layer].limited += count

    def clipped(self, layer: int, count: int, total: int) -> None:
        """See :class:`mho.sim.backend.Account`."""
        with self._lock:
            self._layers[layer].clipped += count
            self._layers[layer].inputs += total

    @property
    def codes(self) -> Codes:
        """Codes that were kept: (layer, operation) -> (images, positions * columns)."""
        return self._codes

    @property
    def layers(self) -> tuple[LayerFigures, ...]:
        """Figures of each layer."""
        return tuple(one.figures(self._energy_of(one.layer)) for one in self._layers)
