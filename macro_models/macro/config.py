"""What everybody but a kind itself needs of a macro: its configuration."""

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mho.macro_models.cell_map import CellMap
from mho.macro_models.devices import Device
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, Direction, MvmOperation
from mho.macro_models.types import Array, Indices, Reals


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
