"""What everybody but a kind itself needs of a macro: its configuration, the model of a programmed core, its body.

A product of a program is bound to a programmed core once, then computed for batch after batch. What does not change
from batch to batch is done when it is bound: which rows take which input, which columns are converted, what the
constant input of a dithered row adds. A kind whose model can use that has a method ``bind``; for any other the whole
core is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.cell_map import CellMap
from mho.macro_models.devices.device import Device
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction, Masks, MvmOperation
from mho.macro_models.types import Array, Flags, Indices, Integers, Integral, Reals


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


class MacroConfig(Protocol):
    """What the models of a kind take from a chip description."""

    kind: ClassVar[str]
    """Name of the kind: that of its modules in the folders ``kinds``."""

    @property
    def lines(self) -> int:
        """Physical lines on each side of the array."""
        ...

    @property
    def cell_map(self) -> CellMap:
        """How signed weights are held by cells."""
        ...

    def inputs(self, direction: Direction) -> int:
        """Input codes of a product."""
        ...

    def load(self, g: Array, *, axis: int, unit_uS: float = 1.0) -> Array:
        """What a decrement is a fraction of: step code 2**14 takes it from an accumulated product.

        ``g`` are conductances of the cells of converted lines whose word line is on, of which ``axis`` goes along a
        line, in units of ``unit_uS``; the result has the same unit.
        """
        ...

    def limit(self, step_code: int) -> float | None:
        """Largest accumulated product, in codes, that one conversion takes at a step code before its converter clips.

        A product beyond it has a wrong code whatever the output bits. None: only the code itself has a range.
        """
        ...

    def active_causes(self, device: Device) -> frozenset[str]:
        """Causes of the macro itself, "wire" and "adc", that can change anything with this device."""
        ...


def conversions_of(config: MacroConfig, op: MvmOperation, codes: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """What each conversion of an operation takes of input codes, whole numbers of any shape: their segments.

    A kind whose converters see codes in other parts has a method ``conversions`` of its configuration.
    """
    own_parts = getattr(config, "conversions", None)
    if own_parts is not None:
        return own_parts(op, codes)
    if op.segments == 1:
        return [codes]
    high = np.trunc(codes * codes.dtype.type(2.0**-LSB_SEGMENT_BITS))
    return [high, codes - high * codes.dtype.type(2**LSB_SEGMENT_BITS)]


def most_steps(config: MacroConfig, op: MvmOperation) -> int:
    """Steps of the largest code of one conversion of an operation.

    A kind whose outputs are sums of conversions has a method ``most_steps`` of its configuration.
    """
    own_steps = getattr(config, "most_steps", None)
    return op.max_steps if own_steps is None else own_steps(op)


class MacroModel(Protocol):
    """One programmed core. Everything random is drawn by counter: equal arguments give equal results, always."""

    def __init__(
        self, config: Any, target_uS: ArrayLike, *, device: Device, seed: int, core: int, time_s: float = 0.0,
        temp_C: float = 25.0, causes: frozenset[str] | None = None,
    ) -> None:
        """Program cells to ``target_uS`` (NaN is dead), and read them ``time_s`` seconds later."""
        ...

    @classmethod
    def from_measured(
        cls, config: Any, measured_uS: ArrayLike, *, device: Device, seed: int, core: int, time_s: float = 0.0,
        causes: frozenset[str] | None = None,
    ) -> Self:
        """A core whose cells were measured, in uS, NaN for a dead cell: nothing is drawn for the cells themselves.

        ``time_s`` is when, in seconds since programming, for read noise that depends on it.
        """
        ...

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The model that :meth:`state` described."""
        ...

    @property
    def config(self) -> Any:
        """The :class:`MacroConfig`."""
        ...

    @property
    def cells(self) -> Indices:
        """Codes of the cells, of the shape of the targets."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`from_state` needs: ``cells`` and whatever else is an array, the rest JSON types."""
        ...

    def supports(self, op: MvmOperation) -> bool:
        """Whether this macro carries out such operations."""
        ...

    def mvm(self, op: MvmOperation, masks: Masks, x: ArrayLike, op_id: ArrayLike) -> MvmResult:
        """Matrix-vector products of a batch.

        Parameters
        ----------
        masks
            Masks of the core.
        x
            Integer codes within ``op.input_range``, of shape (batch, inputs of the direction).
        op_id
            Number of each vector's first conversion, of shape (batch,) or one for all; a second segment has the next.

        Raises
        ------
        InputError
            If shapes do not fit, or an input is out of range.
        """
        ...

    def full_scale(self, op: MvmOperation, masks: Masks, x: ArrayLike) -> float:
        """Step code at which the largest product of a batch counts just to the end of the converter's range."""
        ...


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


def bind(
    model: MacroModel, op: MvmOperation, masks: Masks, rows: Integral, taken: Integral,
    inputs: int, columns: Integral,
) -> BoundProduct:
    """A product of ``model``.

    Parameters
    ----------
    op, masks
        As of :meth:`MacroModel.mvm`.
    rows, taken
        Rows of weights, and which of ``inputs`` each takes; the last input is the constant.
    columns
        Converted lines whose codes are wanted, in their order.
    """
    own_bind = getattr(model, "bind", None)
    if own_bind is None:
        return _Whole(model, op, masks, rows, taken, columns)
    return own_bind(op, masks, rows, taken, inputs, columns)


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
