"""Arrays that learn in cores of a chip: their updates are operations of these, on any backend."""

from dataclasses import replace
from typing import Any

import numpy as np

from mho.api.chip import Chip
from mho.hw.core.layout import pack, pack_inputs
from mho.macro_models import family
from mho.macro_models.devices import load_device
from mho.macro_models.devices.sections.update import Update
from mho.macro_models.errors import InputError, argument
from mho.macro_models.integer.draws import draw_key
from mho.macro_models.integer.update import ParallelUpdate, managed
from mho.macro_models.types import Integers, Reals
from mho.runs.backends import BackendOptions, Functional
from mho.train.crosspoint import CrosspointArray

_NUMBERS = 0x9E3779B97F4A7C15
"""Distance of the numbers of two updates that follow each other: odd, so that none comes twice."""


class ChipArray(CrosspointArray):
    """See :class:`CrosspointArray`; its cells are those of a core, which are moved by nothing but its trains."""

    def __init__(
        self, owner: "ChipArrays", core: int, law: Update, shape: tuple[int, int], rng: np.random.Generator,
        reference_error: float,
    ) -> None:
        super().__init__(law, shape, rng, reference_error=reference_error)
        self._owner, self._core, self._updates = owner, core, 0
        self._counts = np.zeros(shape, dtype=np.int64)
        self._key = draw_key(owner.seed, core)
        self.set(np.zeros(shape))

    def set(self, weights: Reals) -> None:
        """See :class:`CrosspointArray`; cells are then what their codes say."""
        super().set(weights)
        g_uS = np.full(self._owner.core_shape, self._law.g_min_uS)
        g_uS[: self.shape[0], : self.shape[1]] = self._g.reshape(self.shape)
        self._take(self._owner.put(self._core, self._law, g_uS))

    def pulse(self, pulses: Integers) -> int:
        """See :class:`CrosspointArray`; rows one after the other, and each as often as its most pulsed cell."""
        updates = list[tuple[ParallelUpdate, Integers]]()
        for row in np.flatnonzero(pulses.any(axis=1)):
            here = np.zeros(self.shape[0], dtype=np.int64)
            here[row] = 127
            for k in range(int(np.abs(pulses[row]).max())):
                signs = np.where(np.abs(pulses[row]) > k, np.sign(pulses[row]), 0)
                updates.append((ParallelUpdate(slots=1), np.concatenate([here, 127 * signs])))
        return self._carry_out(updates)

    def update(self, x: Reals, d: Reals, rate: float) -> int:
        """See :class:`CrosspointArray`."""
        update, codes = managed(x, d, rate / self.step)
        return self._carry_out([] if update is None else [(update, codes)])

    def _carry_out(self, updates: list[tuple[ParallelUpdate, Integers]]) -> int:
        descriptors, inputs = list[int](), list[list[int]]()
        for update, codes in updates:
            of_core = np.zeros(sum(self._owner.core_shape), dtype=np.int64)
            of_core[: self.shape[0]] = codes[: self.shape[0]]
            of_core[self._owner.core_shape[0] :][: self.shape[1]] = codes[self.shape[0] :]
            descriptors.append(pack(update, (self._key + self._updates * _NUMBERS) % 2**64))
            inputs.append(pack_inputs(of_core))
            self._updates += 1
        before = int(self._counts.sum())
        if updates:
            self._take(self._owner.update(self._core, descriptors, inputs))
        return int(self._counts.sum()) - before

    def _take(self, answering: Any) -> None:
        rows, columns = self.shape
        self._g, self._counts = (a[:rows, :columns].ravel() for a in (answering.g_uS, answering.counts))


class ChipArrays:
    """Gives out the cores of a chip as arrays of a rule, one after the other.

    Raises InputError if the chip has no such updates.

    Parameters
    ----------
    chip
        With ``programming.update``.
    backend
        What carries out updates: ``mho.Functional()`` or ``mho.Cosim()``, with the same bits.
    seed
        Which chip.

    Attributes
    ----------
    cycles, updates
        What was carried out, and how many cycles of the core it took.
    """

    def __init__(self, chip: Chip, backend: BackendOptions | None = None, *, seed: int = 0) -> None:
        self._chip, self.seed, self.cycles, self.updates = chip.description, seed, 0, 0
        if not getattr(getattr(self._chip, "programming", None), "update", False):
            raise InputError(f"{chip.name}: programming.update must be true for cells that are pulsed all at once")
        self._config: Any = self._chip.macro_config()
        self.core_shape: tuple[int, int] = self._config.cell_map.shape
        self._models = list[Any]()
        self._backend: Any = (backend or Functional()).open()
        if not hasattr(self._backend, "update"):
            raise InputError(f"{argument('backend')} must be functional or cosim to learn, not {self._backend.name}")

    def __call__(
        self, law: Update, shape: tuple[int, int], rng: np.random.Generator, *, reference_error: float = 0.0
    ) -> ChipArray:
        """The next core, with cells of this law. Raises InputError if there is none, or it is too small."""
        if len(self._models) == self._chip.cores or shape[0] > self.core_shape[0] or shape[1] > self.core_shape[1]:
            rows, columns = self.core_shape
            raise InputError(f"{self._chip.name}: arrays must be at most {self._chip.cores} of {rows} x {columns} "
                             f"cells, not {len(self._models) + 1} of {shape[0]} x {shape[1]}")
        self._models.append(None)
        return ChipArray(self, len(self._models) - 1, law, shape, rng, reference_error)

    def put(self, core: int, law: Update, g_uS: Reals) -> Any:
        """Have a core hold cells; what they are then (:class:`mho.macro_models.cells.answering.AnsweringCells`)."""
        device = replace(load_device("ideal"), update=law)
        model: Any = family(self._chip.core.kind).model.from_measured(
            self._config, g_uS, device=device, seed=self.seed, core=core)
        if (before := self._models[core]) is not None:  # pulses are numbered on
            model.take({"g_uS": model.answering.g_uS, "counts": before.answering.counts})
        self._models[core] = model
        if core == len(self._models) - 1:
            self._backend.open(self._chip, self._models)
        else:
            self._backend.put_core(core, model)
        return model.answering

    def update(self, core: int, descriptors: list[int], inputs: list[list[int]]) -> Any:
        """Carry out updates of a core; its cells then."""
        answering, cycles = self._backend.update(core, descriptors, inputs)
        self.cycles += cycles
        self.updates += len(descriptors)
        return answering

    def close(self) -> None:
        """Close the backend."""
        self._backend.close()
