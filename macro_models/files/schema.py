"""What a file may hold, as data: names, types, ranges and shapes are checked at one place, before anything is used.

Every specification has ``read(where, value)``, which returns the value as it is kept, or raises an
:class:`~mho.macro_models.errors.InputError` that opens with ``where``, the file and the dotted field. Types of
what JSON holds are such specifications, too (:func:`spec_of`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, NotRequired, Protocol, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mho.macro_models.errors import InputError, nearest


class Spec(Protocol):
    """What a value may be."""

    def read(self, where: str, value: object) -> Any:
        """The value, checked."""
        ...


@dataclass(frozen=True)
class Number:
    """A finite number of a range."""

    low: float
    high: float

    def read(self, where: str, value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high:
            return float(value)  # NaN is in no range
        raise InputError(f"{where} must be a number from {self.low:g} to {self.high:g}, not {shown(value)}")


@dataclass(frozen=True)
class Whole:
    """An integer of a range."""

    low: int = 0
    high: int | None = None

    def read(self, where: str, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= self.low:
            if self.high is None or value <= self.high:
                return value
        limits = f"of at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"
        raise InputError(f"{where} must be a whole number {limits}, not {shown(value)}")


@dataclass(frozen=True)
class ListOf:
    """A list of items of one kind, kept as a tuple."""

    item: Spec
    least: int = 0
    most: int | None = None

    def read(self, where: str, value: object) -> tuple[Any, ...]:
        if isinstance(value, (list, tuple)) and len(value) >= self.least:
            if self.most is None or len(value) <= self.most:
                return tuple(self.item.read(f"{where}[{k}]", item) for k, item in enumerate(value))
        size = f" of at least {self.least}" if self.least else ""
        size = size if self.most is None else f" of {self.least} to {self.most}"
        raise InputError(f"{where} must be a list{size}, not {shown(value)}")


@dataclass(frozen=True)
class Choice:
    """One of some names, or of some numbers."""

    names: tuple[Any, ...]

    def read(self, where: str, value: object) -> Any:
        if not any(type(value) is type(name) and value == name for name in self.names):
            names = ", ".join(shown(name) for name in self.names)
            raise InputError(f"{where} must be {'one of ' if len(self.names) > 1 else ''}{names}, not {shown(value)}")
        return value


@dataclass(frozen=True)
class Text:
    """A string, of at least so many characters."""

    least: int = 0

    def read(self, where: str, value: object) -> str:
        if not isinstance(value, str) or len(value) < self.least:
            raise InputError(
                f"{where} must be a string{' that is not empty' if self.least else ''}, not {shown(value)}"
            )
        return value


@dataclass(frozen=True)
class Type:
    """A value of a type, whatever is in it."""

    kind: type
    name: str

    def read(self, where: str, value: object) -> Any:
        if not isinstance(value, self.kind):
            raise InputError(f"{where} must be {self.name}, not {shown(value)}")
        return value


TEXT, FLAG, JSON = Text(), Type(bool, "true or false"), Type(dict, "a table")


@dataclass(frozen=True)
class Optional:
    """A key of a :class:`Table` that may be missing: it is missing in what is read, too."""

    spec: Spec

    def read(self, where: str, value: object) -> Any:
        return self.spec.read(where, value)


@dataclass(frozen=True)
class Nullable:
    """A value that may be null."""

    spec: Spec

    def read(self, where: str, value: object) -> Any:
        return None if value is None else self.spec.read(where, value)


class Named(dict[str, float]):
    """Numbers by names, that are not changed: a part of what is compared and hashed."""

    def __hash__(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return hash(frozenset(self.items()))


@dataclass(frozen=True)
class Numbers:
    """A table of numbers of a range, by names that are checked where they are known."""

    number: Number

    def read(self, where: str, value: object) -> Named:
        table = JSON.read(where, value)
        return Named((name, self.number.read(f"{where}.{name}", item)) for name, item in table.items())


@dataclass(frozen=True)
class TableOf:
    """A table of items of one kind, by any names."""

    item: Spec

    def read(self, where: str, value: object) -> dict[str, Any]:
        return {name: self.item.read(f"{where}.{name}", item) for name, item in JSON.read(where, value).items()}


@dataclass(frozen=True)
class Table:
    """A table whose keys are known, all of them there unless they are :class:`Optional`; with ``rest`` others may be.

    ``where`` ends in a blank for the table that is the whole file.
    """

    keys: Mapping[str, Spec]
    rest: bool = False

    def read(self, where: str, value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise InputError(f"{where.rstrip()} must be a table, not {shown(value)}")
        prefix = where if where.endswith(" ") else f"{where}."
        for key in value:
            if key not in self.keys and not self.rest:
                raise InputError(self._unknown(prefix, key))
        for name, spec in self.keys.items():
            if name not in value and isinstance(spec, Nullable):
                raise InputError(f"{prefix}{name} must be there, null or not")
        return {
            name: spec.read(f"{prefix}{name}", value.get(name))
            for name, spec in self.keys.items() if name in value or not isinstance(spec, Optional)
        }

    def _unknown(self, prefix: str, key: str) -> str:
        file, _, path = prefix.rpartition(": ")
        near = nearest(key, self.keys)
        hint = f"did you mean {path}{near}?" if near else f"known are {', '.join(self.keys)}"
        return f"{file}: unknown key {path}{key}, {hint}"


@dataclass(frozen=True)
class Array:
    """An array of a type and a shape (None: any length), its numbers finite and within a range."""

    dtype: DTypeLike
    shape: tuple[int | None, ...]
    low: float = -math.inf
    high: float = math.inf

    def read(self, where: str, value: object) -> NDArray[Any]:
        if not isinstance(value, np.ndarray):
            raise InputError(f"{where} must be {self._text()}, not {shown(value)}")
        self.check(where, value.dtype, value.shape)
        if value.size and value.dtype.kind in "iuf":
            low, high = value.min(), value.max()  # NaN if one is
            if not (self.low <= low and high <= self.high and np.isfinite(low) and np.isfinite(high)):
                bad = value[~(np.isfinite(value) & (value >= self.low) & (value <= self.high))].flat[0]
                raise InputError(f"{where} must be finite and from {self.low:g} to {self.high:g}, not {bad:g}")
        return value

    def check(self, where: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Raises InputError unless type and shape are those."""
        fits = len(shape) == len(self.shape) and all(
            expected in (None, length) for length, expected in zip(shape, self.shape, strict=True)
        )
        if dtype != np.dtype(self.dtype) or not fits:
            raise InputError(f"{where} must be {self._text()}, not {dtype} of shape {list(shape)}")

    def _text(self) -> str:
        lengths = ", ".join("any" if n is None else str(n) for n in self.shape)
        return f"{np.dtype(self.dtype)} of shape [{lengths}]"


def shown(value: object) -> str:
    """A value as a file spells it, cut where it is long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else f"{value:g}"
    if isinstance(value, (list, tuple)):
        text = "[" + ", ".join(shown(item) for item in value[:20]) + ("]" if len(value) <= 20 else ", ...]")
    elif isinstance(value, str):
        text = f'"{value[:60]}"'
    elif isinstance(value, int):
        # Turning large integers into decimals takes long, or is refused.
        text = str(value) if value.bit_length() < 200 else f"an integer of {value.bit_length()} bits"
    else:
        text = "a table" if isinstance(value, Mapping) else "nothing" if value is None else str(value)[:100]
    return text if len(text) <= 60 else text[:57] + "..."


_PLAIN: dict[object, Spec] = {
    float: Number(-1e300, 1e300), int: Whole(-(2**63), 2**63), str: TEXT, bool: FLAG, object: Type(object, "anything"),
}


def spec_of(kind: Any) -> Spec:
    """What a value of a type may be: finite numbers, whole numbers of 64 bits, and tables that may have further keys.

    ``kind`` is a ``TypedDict``, a list or sequence, a pair, a mapping by names, a number, text, a truth value,
    ``object`` for anything, or one of these or None.
    """
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_typeddict(kind):
        hints = get_type_hints(kind, include_extras=True)
        return Table({name: spec_of(hint) for name, hint in hints.items()}, rest=True)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        return Optional(spec_of(arguments[0]))
    if origin is UnionType:
        return Nullable(spec_of(next(part for part in arguments if part is not NoneType)))
    if origin is tuple:
        return ListOf(spec_of(arguments[0]), len(arguments), len(arguments))
    if origin in (list, Sequence):
        return ListOf(spec_of(arguments[0]))
    if origin in (dict, Mapping):
        return JSON if arguments[1] is object else TableOf(spec_of(arguments[1]))
    raise TypeError(f"no file holds {kind}")
