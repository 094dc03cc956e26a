"""Ports of a block, declared once: what Amaranth makes of them and what a type checker knows of them.

A port is an attribute of the class, made by :func:`In`, :func:`Out` or :func:`array`. What it is made of may depend on
the instance: then it is a function of that, which sees what ``__init__`` has set before it calls
``super().__init__()``, of most blocks nothing but their configuration::

    class Adder(Component[AdderConfig]):
        a = In(8)
        total = Out(lambda self: unsigned(self.cfg.width))
        terms = array(In(stream.Signature(8)), lambda self: self.cfg.terms_at_a_time)

A text below a port says what it carries; the generated Verilog repeats it. To a type checker ``total`` is a signal,
``terms`` a list of streams, and a port whose signature is a :class:`Bundle` has the members of that, so that a name
that is not there is found before anything is elaborated.
"""

from collections.abc import Callable, Mapping
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from amaranth.hdl import Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import Flow, Member

_Bundle = TypeVar("_Bundle", bound="Bundle")
_Config = TypeVar("_Config")
_Interface = TypeVar("_Interface")
_Plain = int | range | Shape | type
_Count = int | Callable[[Any], int]
_Condition = Callable[[Any], bool] | None


class _Port:
    """A port as its class declares it, until an instance makes a member of it."""

    def __init__(
        self, flow: Flow, shape: Any, when: _Condition, init: int | None = None, counts: tuple[_Count, ...] = ()
    ) -> None:
        self.flow, self.shape, self.when, self.init, self.counts = flow, shape, when, init, counts

    def member(self, owner: Any) -> Member | None:
        """What it is in an instance; None where that has no such port."""
        if self.when is not None and not self.when(owner):
            return None
        shape = _of(owner, self.shape)
        member = self.flow(shape) if self.init is None else self.flow(shape, init=self.init)  # pyright: ignore[reportCallIssue]
        return member.array(*(_of(owner, count) for count in self.counts)) if self.counts else member


def _of(owner: Any, value: Any) -> Any:
    return value(owner) if isinstance(value, FunctionType) else value


@overload
def In(shape: _Plain | Callable[[Any], _Plain], *, when: _Condition = ..., init: int = ...) -> Signal: ...
@overload
def In(shape: stream.Signature | Callable[[Any], stream.Signature], *, when: _Condition = ...) -> stream.Interface: ...
@overload
def In(shape: _Bundle | Callable[[Any], _Bundle], *, when: _Condition = ...) -> _Bundle: ...
@overload
def In(shape: data.Layout | Callable[[Any], data.Layout], *, when: _Condition = ...) -> data.View: ...
@overload
def In(shape: wiring.Signature | Callable[[Any], wiring.Signature], *, when: _Condition = ...) -> Any: ...
def In(shape: Any, *, when: _Condition = None, init: int | None = None) -> Any:
    """A port that others drive.

    Parameters
    ----------
    shape
        What it carries: a shape, a layout or a signature, or a function of the instance that gives one.
    when
        Whether an instance has it; without, all have.
    init
        What it is where nobody drives it, and after reset.
    """
    return _Port(Flow.In, shape, when, init)


@overload
def Out(shape: _Plain | Callable[[Any], _Plain], *, when: _Condition = ..., init: int = ...) -> Signal: ...
@overload
def Out(shape: stream.Signature | Callable[[Any], stream.Signature], *, when: _Condition = ...) -> stream.Interface: ...
@overload
def Out(shape: _Bundle | Callable[[Any], _Bundle], *, when: _Condition = ...) -> _Bundle: ...
@overload
def Out(shape: data.Layout | Callable[[Any], data.Layout], *, when: _Condition = ...) -> data.View: ...
@overload
def Out(shape: wiring.Signature | Callable[[Any], wiring.Signature], *, when: _Condition = ...) -> Any: ...
def Out(shape: Any, *, when: _Condition = None, init: int | None = None) -> Any:
    """A port that the block drives; parameters as of :func:`In`."""
    return _Port(Flow.Out, shape, when, init)


def array(port: _Interface, *counts: _Count) -> list[_Interface]:
    """So many of a port, in each dimension: numbers, or functions of the instance."""
    one = cast(Any, port)
    return cast(Any, _Port(one.flow, one.shape, one.when, one.init, counts))


class _Declares:
    """Takes the ports of a class out of its attributes, where those of its instances are to be."""

    _declared: dict[str, _Port] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        inherited: dict[str, _Port] = {}
        own = {name: value for name, value in vars(cls).items() if isinstance(value, _Port)}
        for name in own:
            delattr(cls, name)
        for base in reversed(cls.__mro__[1:]):
            inherited |= vars(base).get("_declared", {})
        cls._declared = inherited | own

    @classmethod
    def _members(cls, owner: Any) -> dict[str, Member]:
        members = {name: port.member(owner) for name, port in cls._declared.items()}
        return {name: member for name, member in members.items() if member is not None}


class Component(_Declares, wiring.Component, Generic[_Config]):
    """A block whose ports are attributes of its class.

    Parameters
    ----------
    cfg
        What its ports and its inside depend on, of the type in brackets behind the name of this class.
    members, behind
        Ports before and behind those, such as are those of another block.
    """

    def __init__(
        self, cfg: _Config = None, members: Mapping[str, Any] = {}, behind: Mapping[str, Any] = {}
    ) -> None:
        self.cfg = cfg
        super().__init__({**members, **self._members(self), **behind})

    @classmethod
    def ports_for(cls, cfg: _Config) -> dict[str, Member]:
        return cls._members(SimpleNamespace(cfg=cfg))


class SizedSignature(wiring.Signature):
    """A signature that is a class: equal to another of that class whose attributes, and so its members, are equal."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __repr__(self) -> str:
        sizes = (repr(value) for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({', '.join(sizes)})"


class Bundle(_Declares, SizedSignature):
    """Ports that belong together, seen from one of both ends: a signature whose members are attributes of its class.

    Parameters
    ----------
    members
        Further ones behind those, such as are those of another bundle.
    """

    if TYPE_CHECKING:
        # What is made of it has its ports and this: to a type checker it is the signature itself.
        @property
        def signature(self) -> wiring.Signature: ...

    def __init__(self, members: Mapping[str, Any] = {}) -> None:
        super().__init__({**self._members(self), **members})
