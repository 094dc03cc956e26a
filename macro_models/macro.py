"""What everybody but a kind itself needs of a macro: its configuration, the model of a programmed core, its body.

A product of a program is bound to a programmed core once, then computed for batch after batch. What does not change
from batch to batch is done when it is bound: which rows take which input, which columns are converted, what the
constant input of a dithered row adds.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.arrays import variance_grid
from mho.macro_models.cell_map import CellMap
from mho.macro_models.cells.programming import programmed
from mho.macro_models.devices import Device, device_from_dict
from mho.macro_models.devices.checks import checked_causes
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction, Masks, MvmOperation
from mho.macro_models.integer.random import NORMAL_ONE
from mho.macro_models.types import Array, Flags, Indices, Integers, Integral, Reals

_KEYS = 32
"""Most keys that a core keeps."""


@dataclass(frozen=True, eq=False)
class MvmResult:
    """What a batch of operations gives."""

    codes: NDArray[np.int16]
    """Output codes in half steps, of shape (batch, lines)."""
    steps: Integers
    """Decrements that the converter made, of shape (batch, segments)."""
    clipped: Integers | None = None
    """Outputs of each vector that the converter clipped before there was a code (:meth:`MacroConfig.limit`), of shape
    (batch,); None: no converter of the kind does."""


class MacroConfig:
    """What the models of a kind take from a chip description: the frozen dataclass of a kind has the fields.

    Conductances are integer codes.
    """

    kind: ClassVar[str]
    """Name of the kind: that of its modules in the folders ``kinds``."""
    g_bits: int
    g_min_uS: float
    g_max_uS: float
    g_full_scale_uS: float

    def check_grid(self) -> None:
        """Refuse a grid whose fields are out of range or order.

        Raises InputError, naming the field.
        """
        if not 2 <= self.g_bits <= 16:
            raise InputError(f"g_bits must be between 2 and 16, not {self.g_bits!r}")
        if not 0.0 <= self.g_min_uS < self.g_max_uS <= self.g_full_scale_uS:
            raise InputError(
                "g_min_uS, g_max_uS and g_full_scale_uS must be at least 0 and in this order, "
                f"not {self.g_min_uS:g}, {self.g_max_uS:g} and {self.g_full_scale_uS:g}"
            )

    @property
    def cell_map(self) -> CellMap:
        """Signed weights in the cells."""
        raise NotImplementedError

    def inputs(self, direction: Direction) -> int:
        """Input codes of a product: one a row of weights."""
        return self.cell_map.rows

    def load(self, g: Array, *, axis: int, unit_uS: float = 1.0) -> Array:
        """What a decrement is a fraction of: step code 2**14 takes it from an accumulated product.

        ``g`` are conductances of the cells of converted lines whose word line is on, of which ``axis`` goes along a
        line, in units of ``unit_uS``; the result has the same unit.
        """
        raise NotImplementedError

    def limit(self, step_code: int) -> float | None:
        """Largest accumulated product, in codes, that one conversion takes at a step code before its converter clips.

        A product beyond it has a wrong code whatever the output bits. None: only the code itself has a range.
        """
        return None

    def active_causes(self, device: Device) -> frozenset[str]:
        """Causes of the macro itself, "wire" and "adc", that can change anything with this device."""
        raise NotImplementedError

    def conversions(self, op: MvmOperation, codes: NDArray[np.floating]) -> list[NDArray[np.floating]]:
        """What each conversion of an operation takes of input codes, whole numbers of any shape: their segments."""
        if op.segments == 1:
            return [codes]
        high = np.trunc(codes * codes.dtype.type(2.0**-LSB_SEGMENT_BITS))
        return [high, codes - high * codes.dtype.type(2**LSB_SEGMENT_BITS)]

    def most_steps(self, op: MvmOperation) -> int:
        """Steps of the largest code of one conversion of an operation."""
        return op.max_steps

    @property
    def lsb_uS(self) -> float:
        """Conductance of one code, in uS."""
        return self.g_full_scale_uS / (2**self.g_bits - 1)

    def codes(self, g_uS: Reals) -> Indices:
        """Codes of conductances in uS, at least 0: rounded, and clipped to the largest code."""
        codes = np.asarray(g_uS / self.lsb_uS)
        np.rint(codes, out=codes)
        return np.minimum(codes, 2**self.g_bits - 1, out=codes).astype(np.int32)

    def checked_cells(self, name: str, values: ArrayLike) -> Reals:
        """Conductances of all cells in uS, ``[driven line, converted line]``.

        Raises InputError if their shape is not that of the cell map, or one is negative or infinite; ``name`` opens the
        sentence.
        """
        cells, shape = np.asarray(values, dtype=np.float64), self.cell_map.shape
        if cells.shape != shape:
            raise InputError(f"{name} must have shape {shape}, not {cells.shape}")
        # A comparison with NaN is false, and so is one of its extremes.
        if np.fmin.reduce(cells, axis=None) < 0.0 or np.fmax.reduce(cells, axis=None) == np.inf:
            wrong = cells[(cells < 0.0) | np.isinf(cells)]
            raise InputError(f"{name} must be at least 0 uS and finite, or NaN for a dead cell, not {wrong[0]:g}")
        return cells

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON types; its inverse is :meth:`from_dict`."""
        return {"kind": self.kind, **asdict(self)}  # pyright: ignore[reportArgumentType]: kinds are dataclasses

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The configuration that :meth:`to_dict` wrote."""
        values = {name: value for name, value in content.items() if name != "kind"}
        parts = {
            part.name: part.default_factory(**values[part.name])
            for part in fields(cls) if is_dataclass(part.default_factory)  # pyright: ignore[reportArgumentType]
        }
        return cls(**values | parts)


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


class PinLevelMacro(Protocol):
    """A programmed core behind its pins, strobe by strobe: the slow and plain truth."""

    @property
    def charge(self) -> Array:
        """Charges of all lines."""
        ...

    def precharge(self) -> None:
        """Discharge the integrators and forget the last conversion."""
        ...

    def sample(self, backward: bool, positive: Flags, negative: Flags, wl: Flags) -> None:
        """Sample the converted lines once and integrate."""
        ...

    def compare(self, latch: bool, op_id: int) -> Flags:
        """Lines whose charge is negative; ``latch`` keeps them as the direction of the decrements that follow."""
        ...

    def decrement(self, scale: int, step_code: int) -> None:
        """Take ``step_code << scale`` from the magnitude of the charge, in the latched direction."""
        ...

    def charge_in_steps(self, step_code: int) -> Reals:
        """Charge of each line in decrement steps of its own polarity; 0 before the first sample."""
        ...


class BoundProduct(Protocol):
    """One operation of one core on given rows and columns."""

    def compute(self, x: Array, op_id: NDArray[np.uint64]) -> MvmResult:
        """Codes of the columns, (batch, columns), and decrements, (batch, segments).

        ``x`` holds integers within ``op.input_range``, of shape (batch, inputs), in any type; its last column is
        :func:`constant_input`. ``op_id`` numbers the first conversion of each vector.
        """
        ...


def constant_input(op: MvmOperation) -> int:
    """Input of a row that takes a constant: 1 in each segment."""
    return 1 if op.segments == 1 else (1 << LSB_SEGMENT_BITS) + 1


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
