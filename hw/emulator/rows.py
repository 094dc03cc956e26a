"""A macro of rows and columns behind its pins, whose converters are thresholds."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from amaranth.hdl import C, Const, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory

from mho.hw.config import Chip
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.kind import BoardOptions, EmulatorKind, Integers
from mho.hw.emulator.macro import EmulatedMacro
from mho.macro_models.errors import InputError
from mho.macro_models.integer.operation import MAX_BITS, Masks, MvmOperation


@dataclass(frozen=True, kw_only=True)
class RowEmulatorConfig(EmulatorConfig):
    """Static parameters of a :class:`mho.hw.emulator.rows.RowMacro`, of a :class:`mho.hw.core.row_core.RowCore`.

    Raises InputError if a value is out of range.

    Parameters
    ----------
    blocks, conversions, g_bits, digit_bits, lanes, slots
        As those of :class:`EmulatorConfig`. Codes of a group are at the pins beside each other.
    code_bits
        Bits of a code, two's complement; the lowest one is that of a sum below all thresholds.
    row_groups
        Groups of rows that are driven one after the other.
    each_step
        Each step that rows are driven in is converted; else all are, at the strobe ``convert``.
    tables
        Thresholds of so many converters are held; each has as many columns beside each other.
    """

    code_bits: int
    row_groups: int = 1
    each_step: bool = False
    tables: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        shared, rest = divmod(self.conversions, self.tables)
        if rest or (self.tables > 1 and shared & (shared - 1)):
            raise InputError(
                f"tables must be for a power of two of {self.conversions} conversions each, not {self.tables!r}"
            )

    @property
    def rows(self) -> int:
        return self.core.rows

    @property
    def summed_bits(self) -> int:
        """Of all of an input, where steps are not converted."""
        return self.digit_bits if self.each_step else MAX_BITS

    @property
    def slot_words(self) -> int:
        """Thresholds of all converters."""
        return 1 << (self.tables - 1).bit_length() + self.code_bits


class RowMacro(EmulatedMacro):
    """An :class:`EmulatedMacro` whose sums are converted together at the strobe ``convert``, or each step alone.

    A conversion searches a column's code among the ascending thresholds of its converter, a bit a cycle: any converter
    whose code does not fall with its input is such a table. Codes are in one of two banks; the strobe that shows them
    swaps these.

    Of the pins there must be ``row_pos``, ``row_neg``, ``sample``, ``plane``, ``convert`` (unless each step is
    converted), ``capture``, ``group``, ``codes`` and ``hold``. A table has ``2**code_bits`` words for each converter;
    the code of index k is that of sums from the threshold k on, and 0 is not used. A tag is a step code.
    """

    cfg: RowEmulatorConfig

    def wanted(self) -> Value:
        return self.pins.step_code

    def shifts(self) -> Value:
        groups = self.cfg.row_groups
        return Const(1) if groups == 1 else self.pins.plane[: groups.bit_length() - 1].all()

    def begins(self, m: Module) -> tuple[Value, Value]:
        cfg, pins = self.cfg, self.pins
        if cfg.each_step:
            self.after_sum, self.accumulates = "Recall", False
        start, convert = pins.sample, Const(0) if cfg.each_step else pins.convert
        m.d.comb += pins.hold.eq(self.held)
        self._convert = convert
        self._fresh = Signal()
        self._bank = Signal()
        with m.If((start if cfg.each_step else convert) & ~self.tables.known):
            m.d.sync += self.error.eq(1)
        with m.If(self._fresh & (pins.capture | start if cfg.each_step else pins.capture)):
            m.d.sync += [self._bank.eq(~self._bank), self._fresh.eq(0)]
        return start, convert

    def add_idle(self, m: Module) -> None:
        with m.If(self._convert):
            m.next = "Recall"

    def add_states(self, m: Module) -> None:
        cfg, column, code_bits = self.cfg, self.column, self.cfg.code_bits
        bit = Signal(range(max(code_bits, 2)))
        position = Signal(code_bits)
        candidate = Signal(code_bits)
        above = Signal()
        shared = cfg.conversions // cfg.tables
        table = column >> shared.bit_length() - 1 if cfg.tables > 1 else Const(0, 1)
        writes = self._show(m, position)
        m.d.comb += [
            self.tables.place.eq(table << code_bits | candidate), above.eq(self.value >= self.tables.entry[0]),
        ]
        with m.State("Recall"):
            # The sum of the column and the first threshold come in the next cycle.
            m.d.comb += candidate.eq(1 << code_bits - 1)
            m.d.sync += [position.eq(0), bit.eq(code_bits - 1)]
            m.next = "Search"
        with m.State("Search"):
            code = position | Mux(above, C(1, code_bits) << bit, 0)
            m.d.comb += candidate.eq(code | (C(1, code_bits) << bit >> 1))
            m.d.sync += [position.eq(code), bit.eq(bit - 1)]
            with m.If(bit == 0):
                m.next = "Code"
        with m.State("Code"):
            m.d.comb += writes.eq(1)
            m.d.sync += column.eq(column + 1)
            m.next = "Recall"
            with m.If(column == cfg.conversions - 1):
                m.d.sync += [self._fresh.eq(1), self.begun.eq(0)]
                m.next = "Idle"

    def _show(self, m: Module, position: Value) -> Signal:
        """Codes of the group at the pins, of the bank that is shown; a strobe that writes a code to the other one."""
        cfg, pins, column = self.cfg, self.pins, self.column
        lanes, rows = len(pins.codes) // cfg.code_bits, 1 << len(pins.group)
        lane_bits = (lanes - 1).bit_length()
        writes = Signal()
        m.submodules.codes = codes = Memory(shape=len(pins.codes), depth=2 * rows, init=[])
        write = codes.write_port(granularity=cfg.code_bits)
        read = codes.read_port()
        # The lowest code is half of all below 0.
        code = position ^ (1 << cfg.code_bits - 1)
        m.d.comb += [
            read.en.eq(1), read.addr.eq(self._bank << len(pins.group) | pins.group), pins.codes.eq(read.data),
            write.addr.eq(~self._bank << len(pins.group) | column >> lane_bits), write.data.eq(code.replicate(lanes)),
            write.en.eq(Mux(writes, C(1, lanes) << (column[:lane_bits] if lane_bits else Const(0, 1)), 0)),
        ]
        return writes


_TILE_WORDS = 4096
"""Words of a region of the load port for which a core in a tile has addresses."""


class RowEmulator(EmulatorKind):
    """Base of ``EMULATOR`` of a kind on :class:`mho.hw.core.row_core.RowCore`.

    A kind says :meth:`weights` and :meth:`thresholds` of its model and, where it is otherwise than one code a column
    of which all steps are converted together, :meth:`fields`.
    """

    config_type = RowEmulatorConfig
    macro_type = RowMacro

    @abstractmethod
    def thresholds(self, model: Any, op: MvmOperation) -> Integers:
        """Least sums that have the codes above the lowest one, of shape (tables, 2**code_bits - 1), ascending.

        Of an operation they may depend on the step code alone.
        """

    @staticmethod
    def bisected(codes: Callable[[Integers], Integers], bits: int, low: int, high: int) -> Integers:
        """Thresholds of converters, by their ``codes`` of the same sums, (sums,) to (sums, tables): these rise.

        Beyond ``low`` and ``high`` codes do not change.
        """
        levels = np.arange(1 - (1 << bits - 1), 1 << bits - 1)
        tables = codes(np.zeros(1, dtype=np.int64)).shape[1]
        below, reached = (np.full((tables, len(levels)), bound) for bound in (low - 1, high + 1))
        while (reached - below > 1).any():
            middle = (below + reached) // 2
            middle_codes = codes(middle.ravel()).reshape(*middle.shape, tables)
            table = np.arange(tables)[:, None]
            enough = middle_codes[table, np.arange(len(levels)), table] >= levels
            below, reached = np.where(enough, below, middle), np.where(enough, middle, reached)
        never, always = np.iinfo(np.int64).max, np.iinfo(np.int64).min
        return np.where(reached > high, never, np.where(reached <= low, always, reached))

    def fields(self, chip: Chip, core: Any) -> dict[str, Any]:
        return {"conversions": core.outputs, "code_bits": core.converter.bits, "g_bits": chip.core.g_bits + 1}

    def check(self, cfg: RowEmulatorConfig, model: Any) -> None:
        """Refuse weights that are wider than those of the emulator; see :class:`EmulatorKind`."""
        weights, top = self.weights(model), 2 ** (cfg.g_bits - 1)
        if weights.shape != (cfg.rows, cfg.conversions) or weights.min() < -top or weights.max() >= top:
            raise InputError(
                f"the emulator holds {cfg.rows} x {cfg.conversions} weights of {cfg.g_bits} bits, not "
                f"{' x '.join(map(str, weights.shape))} of {weights.min()} to {weights.max()}"
            )

    def config(self, board: BoardOptions, *, ranged: bool = False) -> RowEmulatorConfig:
        """In a tile of as many slots as there are addresses for."""
        cfg = super().config(board, ranged=ranged)
        return replace(cfg, slots=min(cfg.slots, max(_TILE_WORDS // cfg.slot_words, 1))) if ranged else cfg

    def table(self, cfg: RowEmulatorConfig, model: Any, op: MvmOperation, masks: Masks) -> Integers:
        """Thresholds; those that no sum reaches are all alike."""
        top, width = 2 ** (cfg.sum_bits - 1), 1 << cfg.code_bits
        thresholds = np.clip(self.thresholds(model, op), -top, top - 1)
        return np.pad(thresholds, ((0, cfg.slot_words // width - len(thresholds)), (1, 0))).ravel()

    def operations(self, chip: Chip, model: Any, masks: Masks) -> Sequence[MvmOperation]:
        """Few and many bits, signed or not, word lines and columns that are off; codes over the whole range."""
        operations, rng = [], np.random.default_rng(1)
        for number, (bits, signed) in enumerate(((4, True), (chip.input_bits, False), (2, True))):
            op = replace(chip.operation(in_bits=bits, in_signed=signed), wl_select=number, line_select=number + 3)
            low, high = op.input_range
            step = model.full_scale(op, masks, rng.integers(low, high + 1, (4, model.config.inputs(op.direction))))
            operations.append(replace(op, step_code=int(np.clip(np.rint(step), *chip.step_codes)), relu=number == 2))
        return operations
