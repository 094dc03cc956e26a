"""A core whose columns share converters: its pins, its digital part, and what it is generated from."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

from mho.hw import ports
from mho.hw.config import Chip
from mho.hw.config.chip import LINES
from mho.hw.config.kinds.array import ArrayChip
from mho.hw.core.digital.groups import ColumnGroups
from mho.hw.core.digital.loader import CodeLoader
from mho.hw.core.reference import CoreReference
from mho.hw.core.row_core import CoreParts, RowCore
from mho.hw.core.write_verify.config import WriteVerifyConfig, WriteVerifyParameters, write_pins
from mho.hw.host.core.blocks import RowBlocks
from mho.hw.host.core.map import core_map
from mho.hw.kinds.array.config import ArrayCoreConfig
from mho.hw.kinds.array.update import (
    UPDATE_DOCS,
    UPDATE_PINS,
    ParallelUpdates,
    UpdatedReference,
    UpdateLoader,
    UpdateOpCheck,
)
from mho.hw.macro.contract import ContractPins
from mho.macro_models.integer.update import UPDATE_MODE


class ArrayPins(ContractPins):
    """Signature of the macro, seen from the digital side (``Out`` drives the macro).

    Everything that the macro sees comes from flip-flops. A strobe is one cycle long. Where the core programs its cells,
    the members of :class:`mho.hw.macro.contract.WritePins` follow.

    Parameters
    ----------
    write
        Configuration of write-verify; None: cells are programmed from outside.
    """

    module = "array_macro"
    tables = {"codes": "group"}

    row_pos = ports.Out(lambda self: self.lines * self.cfg.digit_bits)
    row_neg = ports.Out(lambda self: self.lines * self.cfg.digit_bits)
    """Digits that rows are driven with, lowest row first: of positive and of negative inputs; never both of a row. They
    change in the cycle behind ``sample``."""
    wl_en = ports.Out(lambda self: self.cfg.rows, when=lambda self: self.cfg.word_lines)
    """Those that are on in this product."""
    update = ports.Out(1, when=lambda self: self.cfg.update_cycles)
    """Strobe: pulses of a parallel update begin; with them ``row_pulse`` and ``column_pulse``."""
    update_reset = ports.Out(1, when=lambda self: self.cfg.update_cycles)
    """Their polarity, from the strobe to their end: 0, cells move up; 1, they move down."""
    row_pulse = ports.Out(lambda self: self.cfg.rows, when=lambda self: self.cfg.update_cycles)
    column_pulse = ports.Out(lambda self: self.cfg.columns, when=lambda self: self.cfg.update_cycles)
    """Lines that have half of the amplitude, rows and columns of opposite signs, for the width of a pulse: a cell where
    both do moves by a step, one that sees half stays."""
    sample = ports.Out(1)
    """Strobe: a step begins. Where each step is converted, codes of the step before go to what is read."""
    plane = ports.Out(lambda self: max(self.cfg.drive_steps - 1, 1).bit_length())
    """Number of the step: of the digit, times the groups of rows, and of the group. Its last is 0."""
    convert = ports.Out(1, when=lambda self: not self.cfg.digital)
    """Where all steps are converted together. Strobe: what was integrated is converted, from the next sample on
    integration begins anew."""
    capture = ports.Out(1)
    """Strobe: codes of the last step go to what is read. The last cycle of a product."""
    step_code = ports.Out(16)
    """Step of the converters, in 2**-14 of the most that they take."""
    op_id = ports.Out(64)
    """Number of this product. Left open in silicon."""
    group = ports.Out(lambda self: (self.cfg.group_rows - 1).bit_length())
    """Group of ``lanes`` columns of weights that is read; ``codes`` are those of the last cycle's group."""
    codes = ports.In(lambda self: self.cfg.lanes * self.cfg.codes * self.cfg.converter.bits)
    """Codes of the group, two's complement, lowest column first; of two arrays that of the first is the lower."""
    hold = ports.In(1)
    """Freezes the sequencer's timer. For slow bodies; 0 in silicon."""

    def __init__(self, cfg: ArrayCoreConfig, write: WriteVerifyConfig | None = None) -> None:
        self.cfg, self.lines, self.write = cfg, cfg.lines, write
        self.verify_bits = None if write is None else write.verify_bits
        super().__init__({} if write is None else write_pins(write).members)

    @property
    def strobes(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See :class:`ContractPins`."""
        return tuple(name for name in ("update", "sample", "convert", "capture", "verify") if name in self.members)

    @property
    def constants(self) -> Mapping[str, int]:
        """Bits of a digit, groups of rows, whether each step is converted."""
        return {"DIGIT_BITS": self.cfg.digit_bits, "ROW_GROUPS": self.cfg.row_groups, "DIGITAL": int(self.cfg.digital)}

    @property
    def write_names(self) -> tuple[str, ...]:
        """Names of the pins of programming, if there are any."""
        return () if self.write is None else tuple(write_pins(self.write).members)


class ShiftAdd(ColumnGroups):
    """Adds up the codes of steps; see :class:`ColumnGroups` and :meth:`mho.macro_models.kinds.array.ArrayModel.mvm`."""

    sums = True
    converted = ports.In(lambda self: self.cfg.lanes * self.cfg.codes * self.cfg.converter.bits)
    """Codes of the group of the last cycle, lowest column first."""
    first = ports.In(1)
    shift = ports.In(1)
    """With ``part`` or ``finish``: nothing was added before; what was counts for a digit more."""
    less = ports.In(1, when=lambda self: self.cfg.chop)
    """With them, if ``cfg.chop``: rows were driven the other way, so that codes are subtracted."""

    def exact(self, m: Module, group: Value) -> list[Signal]:
        """A cycle after their group was at the pins; their sums are read while it is."""
        cfg = self.cfg
        width = cfg.converter.bits + 2 + (cfg.drive_steps - 1).bit_length() + cfg.digit_bits * (8 // cfg.digit_bits)
        m.submodules.sums = sums = Memory(shape=cfg.lanes * width, depth=cfg.group_rows, init=[])
        write = sums.write_port()
        read = sums.read_port()
        first = Signal()
        shift = Signal()
        less = Signal()
        totals = list[Signal]()
        with m.If(self.part | self.finish):
            m.d.sync += [first.eq(self.first), shift.eq(self.shift)]
            if cfg.chop:
                m.d.sync += less.eq(self.less)
        m.d.comb += [
            read.addr.eq(self.row), read.en.eq(1), write.addr.eq(group), write.en.eq(self._arrives),
        ]
        for k in range(cfg.lanes):
            added = self._half_steps(k)
            if cfg.chop:
                added = Mux(less, -added, added)
            before, total = (Signal(signed(width), name=f"{name}_{k}") for name in ("before", "total"))
            m.d.comb += [
                before.eq(read.data.word_select(k, width)),
                total.eq(Mux(first, 0, Mux(shift, before << cfg.digit_bits, before)) + added),
                write.data.word_select(k, width).eq(total),
            ]
            totals.append(total)
        return totals

    def _half_steps(self, k: int) -> Value:
        """Half steps of the code of a lane: of two arrays those of the difference."""
        cfg, bits = self.cfg, self.cfg.converter.bits
        codes = [self.converted.word_select(cfg.codes * k + j, bits).as_signed() for j in range(cfg.codes)]
        if cfg.codes == 2:
            return 2 * (codes[0] - codes[1])
        return 2 * codes[0] + (bits == 1)


class ArrayCore(RowCore):
    """See :class:`RowCore`."""

    def __init__(self, cfg: ArrayCoreConfig, write: WriteVerifyConfig | None = None) -> None:
        super().__init__(cfg, write)
        self._updates: Any = ParallelUpdates(cfg) if cfg.update_cycles else None

    @staticmethod
    def pins_of(cfg: ArrayCoreConfig, write: WriteVerifyConfig | None) -> ArrayPins:
        """Pins of the macro."""
        return ArrayPins(cfg, write)

    def unit(self) -> ColumnGroups:
        """What makes codes of the results of the macro."""
        return ShiftAdd(self.cfg)

    def connect_pins(self, m: Module, unit: Any) -> None:
        """Codes of the macro, and which step they are of: the one before a strobe, the last one at the end."""
        cfg, pins = self.cfg, self.macro
        m.d.comb += unit.converted.eq(pins.codes)
        if not cfg.digital:
            m.d.comb += unit.first.eq(1)
            return
        begun = Signal()
        only = Signal()
        step = Signal.like(pins.plane)
        with m.If(pins.sample):
            m.d.sync += [begun.eq(1), only.eq(~begun), step.eq(pins.plane)]
        with m.If(unit.finish):
            m.d.sync += begun.eq(0)
        groups = cfg.row_groups.bit_length() - 1
        m.d.comb += [
            unit.part.eq(pins.sample & begun), unit.first.eq(only),
            # The first group of a digit.
            unit.shift.eq(step[:groups].all() if groups else 1),
        ]
        if cfg.chop:
            m.d.comb += unit.less.eq(step[0] if groups else ~only)

    def loader(self) -> CodeLoader[ArrayCoreConfig]:
        """See :class:`RowCore`."""
        return UpdateLoader(self.cfg) if self.cfg.update_cycles else super().loader()

    def counted(self, parts: CoreParts) -> Any:
        """See :class:`GroupedCore`."""
        products = parts.sequencer
        if not self.cfg.update_cycles:
            return products
        updates = self._updates
        return SimpleNamespace(
            running=products.running | updates.running, analog=products.analog | updates.pulsing)

    def _connect_engine(self, m: Module, engine: Any, isolation: Any, granted: Value) -> Value:
        busy = super()._connect_engine(m, engine, isolation, granted)
        return busy | self._updates.running if self.cfg.update_cycles else busy

    def divide(self, m: Module, parts: CoreParts, full: Value) -> tuple[Value, Value, Value]:
        """See :class:`RowCore`; an update begins when no product is at the pins."""
        products = super().divide(m, parts, full)
        if not self.cfg.update_cycles:
            return products
        (masks, loader, sequencer, *_), updates, pins = parts, self._updates, self.macro
        m.submodules.updates = updates
        is_update, rows = loader.staged.mode == UPDATE_MODE, masks.driven[: self.cfg.rows]
        live = Cat(rows, masks.enabled) & self.write_status.enabled.replicate(self.cfg.loaded)
        m.d.comb += [
            updates.accept.eq(loader.accept), updates.number.eq(loader.staged.op_id),
            updates.full.eq(full & is_update & ~sequencer.running), updates.settings.eq(loader.staged.step_code),
            updates.live.eq(live), updates.hold.eq(pins.hold),
            *(plane.eq(code) for plane, code in zip(updates.planes, loader.planes, strict=True)),
        ]
        for name in UPDATE_PINS:  # as those of programming
            driven = getattr(updates, name)
            m.d.comb += getattr(pins, name).eq(driven & self._allows.replicate(len(driven)))
        if self.cfg.word_lines:
            with m.If(updates.begins):
                m.d.sync += pins.wl_en.eq(masks.wl)
        waits, take, done = products
        return waits & ~is_update, take | updates.done, done | updates.done


_DOCS = {
    "step_code": "Step of the converters, in 2**-14 of the most that they take.",
    "out_bits": "Bits of an output, 1 to 15.",
}


@dataclass(frozen=True, kw_only=True)
class ArrayBlocks(RowBlocks):
    """See :class:`RowBlocks`."""

    core_type = ArrayCore

    cfg: ArrayCoreConfig

    def op_check(self) -> wiring.Component:
        """See :class:`RowBlocks`."""
        return UpdateOpCheck(out_bits=self.cfg.most_out_bits) if self.cfg.update_cycles else super().op_check()

    def input_words(self, op: Any) -> Value:
        """See :class:`RowBlocks`."""
        words = super().input_words(op)
        return Mux(op.mode == UPDATE_MODE, self.cfg.most_input_words, words) if self.cfg.update_cycles else words

    def reference(self, model: Any) -> CoreReference:
        """See :class:`RowBlocks`."""
        return UpdatedReference(self.cfg, model) if self.cfg.update_cycles else super().reference(model)

    @classmethod
    def from_chip(cls, chip: Chip, *, tiled: bool = False) -> "ArrayBlocks":
        """The core of a chip; ``tiled``: a program asks it for products."""
        cfg, engine = ArrayCoreConfig.from_chip(chip, ranged=tiled), ArrayChip.of(chip).programming.engine
        registers = core_map(
            cfg, chip.sha256, doc="One array whose columns share converters.",
            docs=_DOCS | (UPDATE_DOCS if cfg.update_cycles else {}), products=not tiled,
            parameters=WriteVerifyParameters.from_chip(chip) if engine else None,
            roomy=chip.lines > LINES[1], pulses=ArrayChip.of(chip).programming.pulses,
        )
        return cls(cfg=cfg, registers=registers, write=WriteVerifyConfig.from_chip(chip) if engine else None)
