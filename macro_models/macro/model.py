"""The model of a programmed core."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.arrays import variance_grid
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device, device_from_dict
from mho.macro_models.devices.checks import checked_causes
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import Masks, MvmOperation
from mho.macro_models.integer.random import NORMAL_ONE
from mho.macro_models.macro.product import BoundProduct, MvmResult
from mho.macro_models.types import Array, Indices, Integral, Reals

_KEYS = 32
"""Most keys that a core keeps."""


class MacroModel:
    """One programmed core. Everything random is drawn by counter: equal arguments give equal results, always.

    A kind has ``_begin``, which is called when everything below is set.

    Raises InputError if an argument is not as above.

    Parameters
    ----------
    config
        Geometry, grid of conductances and converters.
    target_uS
        Targets of the cells in uS, ``[driven line, converted line]``, at least 0; NaN is dead.
    device
        What cells do.
    seed
        Which chip: 0..2**32-1.
    core
        Which core of the chip: 0..2**24-1.
    time_s
        Seconds since the last programming pass.
    temp_C
        Temperature in degrees Celsius; :meth:`Device.warnings` says what the device makes of it.
    causes
        Imperfections that are switched on, of :data:`~mho.macro_models.devices.CAUSES`; all if not given.
    """

    CONFIG: ClassVar[type[Any]]
    """Class of the configurations."""
    OPERATION: ClassVar[type[MvmOperation]] = MvmOperation
    """Class of the operations."""

    config: Any

    def __init__(
        self, config: Any, target_uS: ArrayLike, *, device: Device, seed: int, core: int, time_s: float = 0.0,
        temp_C: float = 25.0, causes: frozenset[str] | None = None,
    ) -> None:
        target = config.checked_cells("target_uS", target_uS)
        if not 0.0 <= time_s < np.inf:
            raise InputError(f"time_s must be at least 0, not {time_s!r}")
        chosen = checked_causes(causes)
        drawn = programmed(target, device=device, seed=seed, core=core, time_s=time_s, temp_C=temp_C, causes=chosen)
        origin = None if drawn.origin_uS is None else config.codes(drawn.origin_uS)
        self._set(config, config.codes(drawn.g_uS), device, seed, core, time_s, temp_C, chosen, origin)
        self._begin()

    @classmethod
    def from_measured(
        cls, config: Any, measured_uS: ArrayLike, *, device: Device, seed: int, core: int, time_s: float = 0.0,
        causes: frozenset[str] | None = None,
    ) -> Self:
        """A core whose cells were measured, in uS, NaN for a dead cell: nothing is drawn for the cells themselves.

        ``time_s`` is when, in seconds since programming, for read noise that depends on it.
        """
        model = cls.__new__(cls)
        g = np.nan_to_num(config.checked_cells("measured_uS", measured_uS), nan=0.0)
        model._set(config, config.codes(g), device, seed, core, time_s, 25.0, checked_causes(causes), None)
        model._begin()
        return model

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The model that :meth:`state` described."""
        model = cls._restored(state)
        model._begin()
        return model

    @classmethod
    def _restored(cls, state: Mapping[str, Any]) -> Self:
        """The cells that :meth:`state` described, before ``_begin``."""
        model = cls.__new__(cls)
        model._set(
            cls.CONFIG.from_dict(state["config"]), np.ascontiguousarray(state["cells"], dtype=np.int32),
            device_from_dict(state["device"]), state["seed"], state["core"], state["time_s"], state["temp_C"],
            frozenset(state["causes"]),
            np.ascontiguousarray(state["origin"], dtype=np.int32) if "origin" in state else None,
        )
        return model

    def state(self) -> dict[str, Any]:
        """Everything that ``from_state`` needs: arrays ``cells`` and for some devices ``origin``, JSON types."""
        return {
            **({} if self.origin is None else {"origin": self.origin}),
            "config": self.config.to_dict(), "device": self.device.to_dict(), "seed": self.seed, "core": self.core,
            "time_s": self.time_s, "temp_C": self.temp_C, "causes": sorted(self.causes), "cells": self.cells,
        }

    def _set(
        self, config: Any, cells: Indices, device: Device, seed: int, core: int, time_s: float,
        temp_C: float, causes: frozenset[str], origin: Indices | None,
    ) -> None:
        if not 0 <= seed < 2**32:
            raise InputError(f"seed must be between 0 and 2**32 - 1, not {seed!r}")
        if not 0 <= core < 2**24:
            raise InputError(f"core must be between 0 and 2**24 - 1, not {core!r}")
        self.config = config
        self.device = device
        self.seed = seed
        self.core = core
        self.time_s = float(time_s)
        self.temp_C = float(temp_C)
        self.causes = causes
        driven, converted = config.cell_map.absent
        if driven.any() or converted.any():
            unused = ~driven[:, None] & ~converted
            cells, origin = np.where(unused, cells, 0), None if origin is None else np.where(unused, origin, 0)
        self.cells = cells
        """Codes of the cells, ``[driven line, converted line]``."""
        self.origin = origin
        """Codes of what programming left the cells with, where read noise goes by it; else None."""
        self._keys: OrderedDict[Any, Any] = OrderedDict()

    def _begin(self) -> None:
        """What a kind makes of the cells."""
        raise NotImplementedError

    def kept_key(self, name: Any, make: Callable[[], Any]) -> Any:
        """What conversions see of the array that ``name`` tells, such as the word lines that are on: made once."""
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = make()
            if len(self._keys) > _KEYS:
                self._keys.popitem(last=False)
        else:
            self._keys.move_to_end(name)
        return key

    def variances_of_cells(self) -> tuple[Reals, float] | None:
        """Read-noise variances of all cells in codes, for :data:`NORMAL_ONE`, see :func:`variance_grid`.

        Raises InputError if the device's noise is not one of each cell.
        """
        if (generator := self.device.read_noise.generator) != "cells":
            raise InputError(
                f"{self.device.name}: read_noise.generator must be cells for a core of kind {self.config.kind}, "
                f"not {generator}"
            )
        if "read-noise" not in self.causes:
            return None
        lsb = self.config.lsb_uS
        origin = None if self.origin is None else self.origin * lsb
        sigma = self.device.normal_noise_uS(self.cells * lsb, self.time_s, origin)
        return variance_grid((sigma / lsb / NORMAL_ONE) ** 2)

    def supports(self, op: MvmOperation) -> bool:
        """Whether this macro carries out such operations."""
        return isinstance(op, self.OPERATION)

    def checked_inputs(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> Integral:
        """Inputs of a product, of shape (batch, inputs of the direction).

        Raises InputError if they, the masks or the operation do not fit the core.
        """
        if not isinstance(op, self.OPERATION):
            raise InputError(
                f"operation must be {self.OPERATION.__name__} for a core of kind {self.config.kind}, "
                f"not {type(op).__name__}"
            )
        inputs, width = np.asarray(x), self.config.inputs(op.direction)
        if inputs.ndim != 2 or inputs.shape[1] != width or not np.issubdtype(inputs.dtype, np.integer):
            raise InputError(f"inputs must be integers of shape (batch, {width}), not {inputs.dtype} of {inputs.shape}")
        shape, lines = masks.bl_skip.shape + masks.sl_skip.shape, self.config.cell_map.shape
        if shape != lines:
            raise InputError(f"masks must be for {lines} lines, not {shape}")
        low, high = op.input_range
        if inputs.size and not (low <= inputs.min() and inputs.max() <= high):
            raise InputError(f"inputs must be between {low} and {high}, not {inputs.min()} to {inputs.max()}")
        return inputs

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Matrix-vector products of a batch.

        Raises InputError if shapes do not fit, or an input is out of range.

        Parameters
        ----------
        masks
            Masks of the core.
        x
            Integer codes within ``op.input_range``, of shape (batch, inputs of the direction).
        op_id
            Number of each vector's first conversion, of shape (batch,) or one for all; a second segment has the next.
        """
        raise NotImplementedError

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest product of a batch counts just to the end of the converter's range."""
        raise NotImplementedError

    def bind(
        self, op: MvmOperation, masks: Masks, rows: Integral, taken: Integral, inputs: int, columns: Integral
    ) -> "BoundProduct":
        """A product on given rows and columns; of a kind that has no more, the whole core is computed.

        Parameters
        ----------
        op, masks
            As of :meth:`mvm`.
        rows, taken
            Rows of weights, and which of ``inputs`` each takes; the last input is the constant.
        columns
            Converted lines whose codes are wanted, in their order.
        """
        return _Whole(self, op, masks, rows, taken, columns)


class _Whole:
    """A product by means of :meth:`MacroModel.mvm`."""

    def __init__(
        self, model: MacroModel, op: MvmOperation, masks: Masks, rows: Integral, taken: Integral,
        columns: Integral,
    ) -> None:
        self._model, self._op, self._masks = model, op, masks
        self._rows, self._taken, self._columns = rows, taken, columns

    def compute(self, x: Array, op_id: NDArray[np.uint64]) -> MvmResult:
        """See :meth:`BoundProduct.compute`."""
        vector = np.zeros((len(x), self._model.config.inputs(self._op.direction)), dtype=np.int16)
        vector[:, self._rows] = x[:, self._taken]
        result = self._model.mvm(self._op, self._masks, vector, op_id)
        # What clipped is counted for all columns of the core: an upper bound where a product has some.
        return MvmResult(result.codes[:, self._columns], result.steps, clipped=result.clipped)
