"""Converters that columns share: how long they take, what codes they give, and the part that makes outputs of these."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from amaranth.hdl import Module, Signal, Value, signed

from mho.hw.core.digital.groups import ColumnGroups
from mho.hw.core.layout import CODE_WIDTH
from mho.hw.ports import In
from mho.macro_models.errors import check_whole


@dataclass(frozen=True, kw_only=True)
class ColumnConverter(ABC):
    """A converter of columns, whose code is a two's complement number of ``bits`` bits: of c, what is above c steps.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    bits: int
    """Bits of a code, 1 to 15: an output is the odd number of half steps in the middle of a step, 16 bits wide."""
    columns: int = 1
    """Columns that it converts, one after the other."""

    def __post_init__(self) -> None:
        check_whole("bits", self.bits, 1, CODE_WIDTH - 1)
        check_whole("columns", self.columns, 1, 256)

    @property
    @abstractmethod
    def code_cycles(self) -> int:
        """Cycles of one code."""

    @property
    def cycles(self) -> int:
        """Cycles until all its columns have their codes."""
        return self.columns * self.code_cycles


@dataclass(frozen=True, kw_only=True)
class SarConverter(ColumnConverter):
    """Successive approximation: ``bit_cycles`` a bit."""

    bit_cycles: int = 1

    @property
    def code_cycles(self) -> int:
        """Cycles of one code."""
        return self.bits * self.bit_cycles


@dataclass(frozen=True, kw_only=True)
class RampConverter(ColumnConverter):
    """A ramp through all codes: ``step_cycles`` a step."""

    step_cycles: int = 1

    @property
    def code_cycles(self) -> int:
        """Cycles of one code."""
        return self.step_cycles << self.bits


@dataclass(frozen=True, kw_only=True)
class CountingConverter(ColumnConverter):
    """A counter from 0 up: a sign, then a step for each magnitude that there is, ``step_cycles`` each."""

    step_cycles: int = 1

    @property
    def code_cycles(self) -> int:
        """Cycles of one code."""
        return self.step_cycles * (1 + (1 << self.bits - 1))


class ConvertedGroups(ColumnGroups):
    """Reads the codes of converters, ``cfg.lanes`` columns a cycle, and gives out two outputs a word.

    See :class:`ColumnGroups`. An output is 2 c + 1 half steps of a code c, at most those of the operation's bits in
    magnitude, 0 of a negative one with ReLU, and 0 where a column is not enabled. ``cfg.converter`` says the codes.
    """

    converted = In(lambda self: self.cfg.lanes * self.cfg.converter.bits)
    """Codes of the group of the last cycle, lowest column first."""

    def exact(self, m: Module, group: Value) -> list[Signal]:
        """A cycle after their group was at the pins."""
        bits, exact = self.cfg.converter.bits, list[Signal]()
        for k in range(self.cfg.lanes):
            exact.append(Signal(signed(CODE_WIDTH), name=f"exact_{k}"))
            m.d.comb += exact[k].eq(2 * self.converted.word_select(k, bits).as_signed() + 1)
        return exact
