"""Types of what JSON holds as the specifications by which a file is checked: what is declared once is also refused."""

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from mho.macro_models.files.schema import FLAG, JSON, TEXT, ListOf, Nullable, Number, Spec, Table, TableOf, Type, Whole
from mho.macro_models.files.schema import Optional as MayMiss

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
        return MayMiss(spec_of(arguments[0]))
    if origin is UnionType:
        return Nullable(spec_of(next(part for part in arguments if part is not NoneType)))
    if origin is tuple:
        return ListOf(spec_of(arguments[0]), len(arguments), len(arguments))
    if origin in (list, Sequence):
        return ListOf(spec_of(arguments[0]))
    if origin in (dict, Mapping):
        return JSON if arguments[1] is object else TableOf(spec_of(arguments[1]))
    raise TypeError(f"no file holds {kind}")
