"""What a host asks of the core behind it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import wiring

from mho.hw.core.layout import INPUTS_PER_WORD
from mho.hw.core.port import VectorPort
from mho.hw.core.write_verify import WriteVerifyConfig
from mho.hw.host.registers import RegisterMap
from mho.macro_models.integer.operation import Direction

__all__ = ["HostedCore"]


@dataclass(frozen=True, kw_only=True)
class HostedCore(ABC):
    """A core as its host knows it.

    Parameters
    ----------
    cfg
        Configuration of the core: a :class:`mho.hw.core.shape.CoreShape`.
    registers
        What the host answers to.
    write
        Configuration of write-verify, if the core programs its cells by :mod:`mho.hw.core.write_verify`.
    """

    cfg: Any
    registers: RegisterMap
    write: WriteVerifyConfig | None = None

    @property
    @abstractmethod
    def port(self) -> VectorPort:
        """The vector port."""

    @abstractmethod
    def op_check(self) -> wiring.Component:
        """What decides whether a descriptor is legal: ``op`` and ``legal``; other inputs are members of ``trim``."""

    def input_words(self, op: Any) -> Value:
        """Words of the input stream that a descriptor takes."""
        backward, forward = (self.cfg.inputs(way) // INPUTS_PER_WORD for way in (Direction.BACKWARD, Direction.FORWARD))
        return Mux(op.backward, backward, forward) if self.cfg.two_way else Const(forward)

    def connect(self, m: Module, bank: Any, core: Any) -> None:  # noqa: B027 (most kinds have none)
        """Connect the registers that only this kind has, in the module ``m`` of a host.

        ``bank`` is the :class:`mho.hw.host.bank.RegisterBank`, ``core`` what has the members of the port, flipped.
        """
