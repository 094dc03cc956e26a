"""Execution of a compiled network on a backend.

The executor is one, whatever carries out the matrix-vector products: it programs the cores, walks the layers batch by
batch, and does the integer arithmetic between two products itself. A result is a function of (network, device, time,
seed, image number), never of how images are cut into batches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compiler.compile import check_shape
from compiler.inputs import load_input
from compiler.network import Network
from compiler.program import Mvm, batch_size
from macro_models import MacroModel, Masks, family
from macro_models.devices import Device, load_device
from macro_models.exact.operation import LSB_SEGMENT_BITS
from sim.cells.instance import Cells

if TYPE_CHECKING:
    from sim.backend import Backend

__all__ = ["Execution", "build_cores", "core_masks", "execute", "float_outputs", "quantised_outputs"]

BATCH = 1024
"""Images that are in flight at once: what bounds the memory of a run."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What a run gave.

    Attributes
    ----------
    outputs
        The model's outputs in its units, of onnxruntime's shape and type.
    codes
        Output codes of every product, (layer, operation) -> (images, columns of the product) int16, in half steps; the
        columns are those that the product converts, in the network's order. Of a layer at several positions of an image
        (images, positions * columns), position by position. Empty unless they were asked for.
    ranges
        Per layer (least, largest, fraction of codes at the end of the converter's range; of two segments, of the high
        one).
    mvms
        Conversions of all cores.
    cycles
        Clock cycles of all products, one after the other, of shape (images,).
    """

    outputs: NDArray[Any]
    codes: dict[tuple[int, int], NDArray[np.int16]]
    ranges: tuple[tuple[int, int, float], ...]
    mvms: int
    cycles: NDArray[np.int64]


def build_cores(
    network: Network,
    *,
    device: Device | str | None = None,
    seed: int = 0,
    time_s: float = 0.0,
    temp_C: float = 25.0,
    causes: frozenset[str] | None = None,
    cells: Cells | None = None,
) -> list[MacroModel]:
    """The cores of a network, programmed: chip number ``seed`` of a device (None: the network's) after ``time_s``.

    With ``cells`` they are exactly those, relaxed since they were programmed; ``seed`` is theirs.

    Raises
    ------
    InputError
        If the device is unknown, or the cells were programmed for another network.
    """
    if device is None or isinstance(device, str):
        device = network.device if device is None else load_device(device)
    config, model = network.chip.macro_config(), family(network.chip.core.kind).model
    if cells is not None:
        cells.check_network(network)
        maps = cells.conductances(device, time_s=time_s, temp_C=temp_C, causes=causes)
        return [
            model.from_measured(config, g, device=device, seed=cells.seed, core=k, causes=causes)
            for k, g in enumerate(maps)
        ]
    return [
        model(
            config, core.targets_uS, device=device, seed=seed, core=index, time_s=time_s, temp_C=temp_C, causes=causes
        )
        for index, core in enumerate(network.cores)
    ]


def core_masks(network: Network) -> list[Masks]:
    """The masks of every core."""
    return [Masks(core.word_lines, core.converted_lines, core.bl_skip, core.sl_skip) for core in network.cores]


class _Run:
    """One run: sends products to the backend and keeps account of what comes back."""

    def __init__(self, network: Network, backend: "Backend", images: int, keep: bool) -> None:
        self.network, self.backend = network, backend
        self.cycles = np.zeros(images, dtype=np.int64)
        self.kept: dict[tuple[int, int], list[NDArray[np.int16]]] = {}
        self.keep = keep
        self.low = [0] * len(network.layers)
        self.high = [0] * len(network.layers)
        self.full = [0] * len(network.layers)
        self.total = [0] * len(network.layers)
        self.masks = core_masks(network)

    def batch(self, x: NDArray[np.floating], first: int, first_image: int) -> NDArray[np.float64]:
        """Outputs of the last layer for a batch that starts at index ``first`` of the run."""
        where = slice(first, first + len(x))
        images = np.arange(first_image + first, first_image + first + len(x), dtype=np.uint64)
        program = self.network.program
        return program.output.compute(program.run(program.input.compute(x), images, partial(self._mvm, where)))

    def _mvm(
        self, where: slice, index: int, mvm: Mvm, rows: NDArray[np.int16], op_id: NDArray[np.uint64]
    ) -> NDArray[np.integer]:
        vector = mvm.vector(rows, self.network.chip.lines // 2)
        result = self.backend.mvm(mvm.core, mvm.op, self.masks[mvm.core], vector, op_id)
        images = where.stop - where.start
        self.cycles[where] += np.asarray(result.cycles, dtype=np.int64).reshape(images, -1).sum(axis=1)
        codes = result.codes[:, mvm.columns]
        top = 2 * mvm.op.max_steps + 1
        top = top if mvm.op.segments == 1 else top << LSB_SEGMENT_BITS
        self.low[index] = min(self.low[index], int(codes.min()))
        self.high[index] = max(self.high[index], int(codes.max()))
        self.full[index] += int((np.abs(codes) >= top).sum())
        self.total[index] += codes.size
        if self.keep:
            self.kept.setdefault((index, mvm.operation), []).append(codes.astype(np.int16).reshape(images, -1))
        return codes


def execute(
    network: Network,
    backend: "Backend",
    x: Any,
    *,
    device: Device | str | None = None,
    seed: int = 0,
    time_s: float = 0.0,
    temp_C: float = 25.0,
    causes: frozenset[str] | None = None,
    cells: Cells | None = None,
    first_image: int = 0,
    keep_codes: bool = False,
    batch: int = BATCH,
    progress: Callable[[int, int], None] | None = None,
) -> Execution:
    """Runs inputs through a network on one chip.

    Parameters
    ----------
    network, backend
        What is run, and what carries out its products; it is opened here and closed by the caller.
    x
        Inputs in the model's units, of shape (images, ...), or what :func:`~compiler.inputs.load_input` reads.
    device, seed, time_s, temp_C, causes, cells
        As in :func:`build_cores`.
    first_image
        Number of the first image, which its noise depends on.
    keep_codes
        Whether to return the codes of all products.
    batch
        Images in flight at once, at most. It changes nothing but memory.
    progress
        Called with (images done, images).

    Raises
    ------
    InputError
        If the inputs are not what the model takes.
    """
    x = check_shape(load_input(x), network.model)
    cores = build_cores(network, device=device, seed=seed, time_s=time_s, temp_C=temp_C, causes=causes, cells=cells)
    backend.open(network.chip, cores)
    run = _Run(network, backend, len(x), keep_codes)
    batch = batch_size(network.layers, batch)
    outputs = []
    for first in range(0, len(x), batch):
        outputs.append(run.batch(x[first : first + batch], first, first_image))
        if progress:
            progress(min(first + batch, len(x)), len(x))
    return Execution(
        outputs=network.model.finish(np.concatenate(outputs)),
        codes={at: np.concatenate(parts) for at, parts in run.kept.items()},
        ranges=tuple(
            (low, high, full / total)
            for low, high, full, total in zip(run.low, run.high, run.full, run.total, strict=True)
        ),
        mvms=network.mvms_per_image * len(x),
        cycles=run.cycles,
    )


def float_outputs(network: Network, x: Any) -> NDArray[Any]:
    """The model in floating point: the first line of an error budget."""
    return network.model.compute(check_shape(load_input(x), network.model))


def quantised_outputs(network: Network, backend: "Backend", x: Any, **options: Any) -> Execution:
    """The network on ideal cells and converters: what quantisation alone does."""
    return execute(network, backend, x, device="ideal", time_s=0.0, **options)
