"""Candidates for one layer, where they are tried, and what they gave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mho.compiler.calibration.quantisers import Quantiser
from mho.compiler.mapping import Placement
from mho.compiler.mapping.faults import FaultMaps, compensate
from mho.compiler.mapping.weights import Block, PairMap
from mho.compiler.model.layer import LinearLayer
from mho.compiler.program import DITHER
from mho.compiler.types import Float
from mho.macro_models import MacroModel, Masks
from mho.macro_models.devices import Device
from mho.macro_models.integer.operation import MvmOperation
from mho.macro_models.types import Indices, Integral

Kind = tuple[Device, int, float]
"""A chip: its device, its seed, the time since it was programmed."""

IDEAL_SHARE = 0.7
"""Weight of a perfect chip among those on which a candidate is tried."""


@dataclass(frozen=True)
class Draft:
    """A candidate for one layer: input codes, which input each row takes, conductances, and the operation.

    ``faults`` are those of the cores, which the conductances have to live with. ``gain`` multiplies the
    products, near 1, and ``shift`` is added to the bias: what ageing does to all conductances in the mean, and rounding
    to the mean of each output.
    """

    quantiser: Quantiser
    spread: Indices
    pairs: PairMap
    op: MvmOperation
    faults: FaultMaps = field(default_factory=dict)
    gain: float = 1.0
    shift: Float | float = 0.0

    def fill(self, targets: NDArray[np.float32], block: Block) -> None:
        """Writes the conductances of a block into a core's targets, in uS."""
        self.pairs.fill(targets, block)
        constant = np.flatnonzero(self.spread[block.first : block.first + len(block.rows)] == DITHER)
        if len(constant):
            self.pairs.dither(targets, block, constant, self.op.step_code)
        if block.core in self.faults:
            cells, spread = self.pairs.chip.cells, self.spread[block.first : block.first + len(block.rows)]
            faults, low, high = self.faults[block.core], cells.g_min_uS, cells.g_max_uS
            compensate(targets, block, spread, faults, self.pairs.map, low, high)


@dataclass(frozen=True)
class Trial:
    """What a candidate gave.

    ``outputs`` are those of the layer after its ReLU, of shape (chips, samples, outputs), ``error`` the squared error
    of each, of shape (outputs,); ``sums`` are the outputs before bias and ReLU, ``total`` is the squared error of the
    network's outputs if all other layers were exact, ``aged`` the part of it by drift; ``cycles`` the mean for one
    sample.
    """

    draft: Draft
    outputs: Float
    sums: Float
    error: Float
    total: float
    aged: float
    cycles: float


@dataclass(frozen=True, eq=False)
class Stand:
    """Where candidates are tried.

    ``placement`` says where layers are on each of the chips ``kinds``, ``masks`` are those of its cores and ``share``
    is the weight of each chip. ``outputs`` are those of a layer that are tried: all, or some by their number.
    """

    placement: Placement
    masks: Sequence[Masks]
    kinds: Sequence[Kind]
    share: Float
    outputs: Integral | slice = field(default_factory=lambda: slice(None))

    @classmethod
    def of(cls, placement: Placement, kinds: Sequence[Kind], outputs: Integral | slice = slice(None)) -> "Stand":
        """With the masks of the placement and the shares of the chips, the first of which is perfect."""
        chips = len(kinds) - 1
        share = np.array([IDEAL_SHARE] + [(1.0 - IDEAL_SHARE) / chips] * chips if chips else [1.0])
        return cls(placement, [_masks(placement, core) for core in range(placement.cores)], kinds, share, outputs)


@dataclass(frozen=True, kw_only=True)
class Site:
    """A layer by its number, and the samples on which its candidates are tried.

    ``layer`` is what it computes in floating point. A sample is a position of an image, in one of the layer's calls.
    ``inputs`` and ``wanted`` are inputs and outputs in floating point, of shape (samples, ...), ``values`` the inputs
    on each chip, of shape (chips, samples, inputs); of outputs and chips there are those of ``stand``. ``taken`` are
    the inputs that these outputs take, None for all.
    """

    index: int
    layer: LinearLayer
    inputs: Float
    wanted: Float
    values: Float
    stand: Stand
    taken: Integral | None = None


Chips = Callable[[int], dict[int, MacroModel]]
"""Chips that hold one layer, by their number: the model of each core by its own. Made when they are asked for."""


@dataclass
class Held:
    """What cores hold of a candidate, and the chips that hold it."""

    index: int
    draft: Draft
    stand: Stand
    step: int | None
    targets: dict[int, NDArray[np.float32]]
    chips: Chips

    def serves(self, index: int, draft: Draft, stand: Stand, step: int | None) -> bool:
        """Whether another candidate has the same cells: it may differ in its operation, gain and shift."""
        same = self.draft.pairs is draft.pairs and self.draft.spread is draft.spread
        return same and (self.index, self.step) == (index, step) and self.stand is stand


def _masks(placement: Placement, core: int) -> Masks:
    bl_skip, sl_skip = placement.dead_lines(core)
    return Masks(placement.word_lines(core), placement.converted_lines(core), bl_skip, sl_skip)
