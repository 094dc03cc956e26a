"""Limits of what operators may make and take, which are checked before they are carried out.

There is a rule for each operator that may run (:mod:`.rules`); an operator without one does not run. A rule gives
bounds, not estimates: elements of all results, elements beside them while it runs, and the work in nanoseconds of one
core, as measured of ``onnx.reference`` and rounded up.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import onnx
from google.protobuf.message import Message
from onnx import TensorProto, helper

from mho.compiler.types import Array


def external_tensors(message: Any) -> Iterator[TensorProto]:
    """All of a message: constants of graphs inside of nodes, lists of tensors and sparse ones among them."""
    if isinstance(message, TensorProto):
        if message.data_location == TensorProto.EXTERNAL or message.external_data:
            yield message
        return
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for item in (value,) if isinstance(value, Message) else value:
                yield from external_tensors(item)


def location(tensor: TensorProto, key: str = "location") -> str:
    """What a tensor says of where its numbers are."""
    return next((e.value for e in tensor.external_data if e.key == key), "")


class TooLarge(ValueError):
    """More elements or work than are supported."""


MOST_ELEMENTS = 1 << 24
"""Elements of a value, without the batch: more than any chip can take."""
MOST_OF_ALL = 1 << 26
"""Elements of all values of a model, 0.5 GB in double precision; while one is made twice as many beside them."""
MOST_WORK = 5e9
"""Nanoseconds that a node may take where nothing else is said."""
LOOP = 5_000.0
"""Nanoseconds of a turn of a loop in Python, such as an element that is scattered."""
NODE = 50_000.0
"""Nanoseconds of any node."""


@dataclass(frozen=True)
class Bound:
    """Elements of the results, work in nanoseconds, elements that are there while it runs, results not counted."""

    elements: float
    work: float
    scratch: float = 0.0


@dataclass
class Budget:
    """Nanoseconds of work that are left of ``whole``, also within another budget."""

    whole: float
    left: float
    outer: "Budget | None" = None


_CURRENT: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def budget(work: float) -> Iterator[None]:
    """What operators do within takes ``work`` nanoseconds together, and no more than budgets around it leave."""
    token = _CURRENT.set(Budget(work, work, _CURRENT.get()))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def spend(work: float) -> None:
    """Takes work from the budgets in force.

    Raises TooLarge if there is less, before anything is done.
    """
    current = inner = _CURRENT.get() or Budget(MOST_WORK, MOST_WORK)
    while current is not None:
        if work > current.left:
            raise TooLarge(f"it needs some {work / 1e9:.2g} s of the {max(current.left, 0) / 1e9:.2g} s that are left "
                           f"of {current.whole / 1e9:.2g} s for the operators of a model")
        current = current.outer
    while inner is not None:
        inner.left -= work
        inner = inner.outer


def check(node: onnx.NodeProto, x: Sequence[Array | None], rule: "Rule", room: float) -> Bound:
    """The bound of a node, which is refused before it is carried out: ``room`` are the elements that it may make.

    Raises TooLarge if it makes too much, needs too much memory meanwhile, or takes too long.
    """
    bound = rule(Taken(node, x, {a.name: helper.get_attribute_value(a) for a in node.attribute}))
    if bound.elements > min(room, 2 * MOST_ELEMENTS) or bound.scratch > 2 * MOST_OF_ALL:
        raise TooLarge(f"it makes too much; at most {MOST_ELEMENTS} elements are supported, of all values "
                       f"{MOST_OF_ALL}")
    spend(bound.work + NODE + 10.0 * node.ByteSize())
    return bound


@dataclass(frozen=True)
class Taken:
    """A node with what it takes: None where an input is left out."""

    node: onnx.NodeProto
    x: Sequence[Array | None]
    attrs: dict[str, Any]

    def __getitem__(self, number: int) -> Array:
        """An input that must be there."""
        array = self.x[number] if number < len(self.x) else None
        if array is None:
            raise ValueError(f"its input {number} is left out")
        return array

    def get(self, number: int) -> Array | None:
        """An input, None where it is left out."""
        return self.x[number] if number < len(self.x) else None

    @property
    def there(self) -> list[Array]:
        """The inputs that are there."""
        return [a for a in self.x if a is not None]

    def whole(self, number: int) -> list[int]:
        """The numbers of an input that are whole."""
        return [int(v) for v in self[number].reshape(-1)]


Rule = Callable[[Taken], Bound]


def solid(shape: Sequence[int]) -> int:
    """Elements of a shape whose empty dimensions count as 1."""
    return math.prod(max(1, int(d)) for d in shape)


def size_of(*arrays: Array) -> int:
    # Text is objects of some hundred bytes.
    return sum(solid(a.shape) * (16 if a.dtype.kind in "OUS" else 1) for a in arrays)
