"""Hardware of the made-up kind, on the blocks of :mod:`mho.hw.core.digital`."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib.wiring import In, Out

from mho.hw.config.kinds.plain import PlainOperation  # pyright: ignore[reportMissingImports]
from mho.hw.core.digital.config import ColumnConverter, RowConfig
from mho.hw.core.digital.groups import ColumnGroups
from mho.hw.core.digital.sequencer import Phase
from mho.hw.core.layout import CODE_WIDTH
from mho.hw.core.row_core import RowCore
from mho.hw.host.core.blocks import RowBlocks
from mho.hw.host.core.map import core_map
from mho.hw.macro.contract import ContractPins
from mho.hw.ports import In as PortIn


@dataclass(frozen=True, kw_only=True)
class PlainCoreConfig(RowConfig):
    """Static parameters of a core."""

    operation_type = PlainOperation

    lines: int
    width: int
    converter: ColumnConverter
    lanes: int
    sample_cycles: int
    ranged: bool = False

    @classmethod
    def from_chip(cls, chip: Any, *, ranged: bool = False) -> "PlainCoreConfig":
        return cls(
            lines=chip.core.rows, width=chip.core.columns, lanes=chip.sar.lanes, ranged=ranged,
            sample_cycles=max(2, chip.clock.cycles(chip.sar.t_sample_ns)),
            converter=ColumnConverter(
                bits=chip.sar.bits, code_cycles=chip.sar.bits * chip.clock.cycles(chip.sar.t_bit_ns)
            ),
        )

    @property
    def columns(self) -> int:
        return self.width

    @property
    def phases(self) -> tuple[Phase, ...]:
        return Phase("sample", self.sample_cycles, planes=True), Phase("convert", self.converter.cycles)


class PlainPins(ContractPins):
    """Rows of one plane, strobes of it, of a conversion and of its result; codes of a group, read as a memory is."""

    module = "plain_macro"
    strobes = ("sample", "convert", "capture")
    watched = ("group",)

    def __init__(self, cfg: PlainCoreConfig) -> None:
        self.cfg, self.lines = cfg, cfg.lines
        super().__init__({
            "row_pos": Out(cfg.lines), "row_neg": Out(cfg.lines), "wl_en": Out(cfg.rows), "sample": Out(1),
            "plane": Out(3), "convert": Out(1), "capture": Out(1), "step_code": Out(16), "op_id": Out(64),
            "group": Out((cfg.group_rows - 1).bit_length()), "codes": In(cfg.lanes * cfg.converter.bits), "hold": In(1),
        })


class ConvertedGroups(ColumnGroups):
    """Reads the codes of converters, ``cfg.lanes`` columns a cycle, and gives out two outputs a word.

    See :class:`ColumnGroups`. An output is 2 c + 1 half steps of a code c, at most those of the operation's bits in
    magnitude, 0 of a negative one with ReLU, and 0 where a column is not enabled. ``cfg.converter`` says the codes.
    """

    converted = PortIn(lambda self: self.cfg.lanes * self.cfg.converter.bits)
    """Codes of the group of the last cycle, lowest column first."""

    def exact(self, m: Module, group: Value) -> list[Signal]:
        """A cycle after their group was at the pins."""
        bits, exact = self.cfg.converter.bits, list[Signal]()
        for k in range(self.cfg.lanes):
            exact.append(Signal(signed(CODE_WIDTH), name=f"exact_{k}"))
            m.d.comb += exact[k].eq(2 * self.converted.word_select(k, bits).as_signed() + 1)
        return exact


class PlainCore(RowCore):
    """See :class:`RowCore`."""

    @staticmethod
    def pins_of(cfg: PlainCoreConfig, write: Any) -> PlainPins:
        return PlainPins(cfg)

    def unit(self) -> ColumnGroups:
        return ConvertedGroups(self.cfg)

    def connect_pins(self, m: Module, unit: Any) -> None:
        m.d.comb += unit.converted.eq(self.macro.codes)


@dataclass(frozen=True, kw_only=True)
class PlainBlocks(RowBlocks):
    """See :class:`RowBlocks`."""

    core_type = PlainCore

    cfg: PlainCoreConfig

    @classmethod
    def from_chip(cls, chip: Any, *, tiled: bool = False) -> "PlainBlocks":
        cfg = PlainCoreConfig.from_chip(chip, ranged=tiled)
        return cls(cfg=cfg, registers=core_map(cfg, chip.sha256, doc="One plain array.", products=not tiled))


shape = timing = PlainCoreConfig.from_chip
core_blocks = PlainBlocks.from_chip
