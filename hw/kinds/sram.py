"""A digital core whose weights are bits: its reference, its hardware, and how long its operations take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Module, Signal, Value, signed
from numpy.typing import ArrayLike, NDArray

from mho.hw import ports
from mho.hw.config import Chip
from mho.hw.config.kinds.sram import SramChip
from mho.hw.core.digital.config import RowConfig
from mho.hw.core.digital.groups import ColumnGroups, group_drain
from mho.hw.core.digital.sequencer import Phase
from mho.hw.core.row_core import RowCore
from mho.hw.core.shape import Drain
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.host.core.blocks import RowBlocks
from mho.hw.host.core.map import core_map
from mho.hw.kinds import Energy
from mho.hw.macro.contract import ContractPins
from mho.macro_models.integer.operation import MAX_BITS, MOST_OUT_BITS, Masks, MvmOperation
from mho.macro_models.integer.sram import MOST_SHIFT, SramOperation

_DOCS = {
    "step_code": "What a code counts, of weights of 1: its highest bit is taken.",
    "out_bits": "Bits of an output, 1 to 15.",
}


@dataclass(frozen=True, kw_only=True)
class SramCoreConfig(RowConfig):
    """Static parameters of a :class:`SramCore`.

    Parameters
    ----------
    lines, columns
        Rows, and columns of bits: 8 to 256, multiples of 8.
    column_lines
        Bits of a weight.
    lanes
        Columns of weights whose sums leave the macro in a cycle.
    plane_cycles
        Cycles from a bit of all inputs until it is in the sums.
    ranged
        An operation gives the words that come with its descriptor, and no others.
    """

    operation_type = SramOperation

    lines: int
    columns: int = 256  # pyright: ignore[reportIncompatibleMethodOverride]
    column_lines: int = 4
    lanes: int
    plane_cycles: int
    ranged: bool = False

    @classmethod
    def from_chip(cls, chip: Chip, *, ranged: bool = False) -> "SramCoreConfig":
        """The core of a chip."""
        chip = SramChip.of(chip)
        return cls(
            lines=chip.lines, columns=chip.core.columns, column_lines=chip.core.weight_bits, lanes=chip.sum.lanes,
            plane_cycles=max(2, chip.clock.cycles(chip.sum.t_plane_ns)), ranged=ranged,
        )

    @property
    def most_out_bits(self) -> int:
        """An output is a sum."""
        return MOST_OUT_BITS

    @property
    def sum_bits(self) -> int:
        """Bits of a sum, in two's complement: all rows at the largest input, times the lowest weight."""
        return self.column_lines + MAX_BITS + (self.lines - 1).bit_length()

    @property
    def drain(self) -> Drain:
        """How a result leaves: shifted, then cut."""
        return group_drain(self, 2)

    @property
    def phases(self) -> tuple[Phase, ...]:
        """A bit of all inputs after the other."""
        return (Phase("sample", self.plane_cycles, planes=True),)


class SramPins(ContractPins):
    """Signature of the macro, seen from the digital side (``Out`` drives the macro). A strobe is one cycle long."""

    module = "sram_macro"
    strobes = ("sample", "capture")
    tables = {"sums": "group"}

    row_pos = ports.Out(lambda self: self.lines)
    row_neg = ports.Out(lambda self: self.lines)
    """The plane's bit of positive and of negative inputs; never both. They change in the cycle behind ``sample``."""
    wl_en = ports.Out(lambda self: self.cfg.rows)
    """Rows that are on in this product; those that are off are not driven."""
    sample = ports.Out(1)
    """Strobe: a plane begins; the one before, if there was one, is added to the sums, ``2**plane`` times."""
    plane = ports.Out((MAX_BITS - 1).bit_length())
    """Number of the plane, from the highest down to 0."""
    capture = ports.Out(1)
    """Strobe: the last plane is added, the sums go to what is read, and begin anew. The last cycle of a product."""
    step_code = ports.Out(16)
    op_id = ports.Out(64)
    """Step and number of this product. Left open in silicon."""
    group = ports.Out(lambda self: (self.cfg.group_rows - 1).bit_length())
    """Group of ``lanes`` columns of weights that is read; ``sums`` are those of the last cycle's group."""
    sums = ports.In(lambda self: self.cfg.lanes * self.cfg.sum_bits)
    """Sums of the group, two's complement, lowest column first."""
    hold = ports.In(1)
    """Freezes the sequencer's timer. For slow bodies; 0 in silicon."""

    def __init__(self, cfg: SramCoreConfig) -> None:
        self.cfg, self.lines = cfg, cfg.lines
        super().__init__()

    @property
    def constants(self) -> Mapping[str, int]:
        """Bits of a sum."""
        return {"SUM_BITS": self.cfg.sum_bits}


class SumGroups(ColumnGroups):
    """Makes codes of sums; see :class:`ColumnGroups` and :func:`mho.macro_models.integer.sram.rescaled`."""

    stages = ("read", "shifted")
    totals = ports.In(lambda self: self.cfg.lanes * self.cfg.sum_bits)
    """Those of the group of the last cycle."""
    step_code = ports.In(16)
    """With ``finish``: step of the product."""

    def exact(self, m: Module, group: Value) -> list[Signal]:
        """A cycle for the shift."""
        cfg, shifted = self.cfg, list[Signal]()
        shift = Signal(range(MOST_SHIFT + 1))
        half = Signal(MOST_SHIFT)
        with m.If(self.finish):
            m.d.sync += shift.eq(0)
            for exponent in range(1, MOST_SHIFT + 1):  # the last one that is set is the highest
                with m.If(self.step_code[exponent]):
                    m.d.sync += shift.eq(exponent)
        m.d.comb += half.eq((1 << shift) >> 1)
        for k in range(cfg.lanes):
            shifted.append(Signal(signed(cfg.sum_bits + 1), name=f"shifted_{k}"))
            m.d.sync += shifted[k].eq((2 * self.totals.word_select(k, cfg.sum_bits).as_signed() + half) >> shift)
        return shifted


class SramCore(RowCore):
    """See :class:`RowCore`."""

    @staticmethod
    def pins_of(cfg: SramCoreConfig, write: WriteVerifyConfig | None) -> SramPins:
        """Pins of the macro."""
        return SramPins(cfg)

    def unit(self) -> ColumnGroups:
        return SumGroups(self.cfg)

    def connect_pins(self, m: Module, unit: Any) -> None:
        """Sums of the macro."""
        m.d.comb += [unit.totals.eq(self.macro.sums), unit.step_code.eq(self.macro.step_code)]


@dataclass(frozen=True, kw_only=True)
class SramBlocks(RowBlocks):
    """See :class:`RowBlocks`."""

    core_type = SramCore

    cfg: SramCoreConfig

    @classmethod
    def from_chip(cls, chip: Chip, *, tiled: bool = False) -> "SramBlocks":
        """The core of a chip; ``tiled``: a program asks it for products."""
        cfg = SramCoreConfig.from_chip(chip, ranged=tiled)
        doc = "One digital array of bits, whose products are exact."
        return cls(cfg=cfg, registers=core_map(cfg, chip.sha256, doc=doc, docs=_DOCS, products=not tiled))


@dataclass(frozen=True, kw_only=True)
class SramEnergy(Energy):
    """Energy of operations: so much for each bit of an input times each bit of a weight, whatever they are."""

    product_pJ: float

    @classmethod
    def from_chip(cls, chip: Chip) -> "SramEnergy":
        """That of a chip's description."""
        return cls(product_pJ=SramChip.of(chip).energy.product_pJ)

    def operation(self, op: MvmOperation, masks: Masks, steps: ArrayLike) -> Mapping[str, NDArray[np.float64]]:
        """See :class:`mho.hw.kinds.Energy`: ``sums``."""
        products = op.planes * int(masks.word_lines(op).sum()) * int(masks.enabled(op).sum())
        return {"sums": np.full(np.shape(steps)[:-1], self.product_pJ * products)}


shape = timing = SramCoreConfig.from_chip
energy = SramEnergy.from_chip
core_blocks = SramBlocks.from_chip
