"""What a host writes into a core before products: masks, registers of the columns, trim registers, range."""

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.masks import MaskFile, MaskLayout
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.ports import In, Out
from mho.macro_models.integer.pwm.calibration import RANGE_BITS, Calibration
from mho.macro_models.integer.pwm.converter import TRIM_BITS, DigitalUnits, pack_trim, unpack_trim

COLUMN_BITS = 16
"""Bits of a column's registers: gain, then offset."""


class SettingsLayout(data.StructLayout):
    """A word and its address: ``mask * cfg.mask_words + word``, or one of the words from ``cfg.columns_at`` on."""

    def __init__(self, cfg: PwmCoreConfig) -> None:
        super().__init__({"addr": cfg.address_bits, "data": 32})


class SettingLayout(data.StructLayout):
    """A write of a setting by the core itself."""

    def __init__(self, cfg: PwmCoreConfig) -> None:
        super().__init__({"valid": 1, "addr": cfg.range_at.bit_length(), "data": TRIM_BITS})


class SettingsFile(MaskFile):
    """Reference of the settings: the masks, and what corrects the converters, after a number of writes."""

    def __init__(self, cfg: PwmCoreConfig) -> None:
        super().__init__(cfg)
        self._pwm = cfg
        self.gain = np.full(cfg.lines, cfg.gain_code, dtype=np.int32)
        self.offset = np.zeros(cfg.lines, dtype=np.int32)
        self.trim_words = np.zeros(cfg.lines, dtype=np.int64)
        self.range_code = 1 << RANGE_BITS
        self.writing = 0

    def write(self, addr: int, word: int) -> None:
        """Write one word. Addresses of nothing are ignored."""
        cfg = self._pwm
        if addr < cfg.columns_at:
            super().write(addr, word)
        elif (column := addr - cfg.columns_at) < cfg.lines:
            self.gain[column] = word & 0xFF
            self.offset[column] = (word >> 8 & 0xFF ^ 0x80) - 0x80
        elif 0 <= (column := addr - cfg.trims_at) < cfg.lines:
            self.trim_words[column] = word & (1 << TRIM_BITS) - 1
        elif addr == cfg.range_at:
            self.range_code = word & 0xFFFF
        elif addr == cfg.writing_at and cfg.engine:
            self.writing = word

    @property
    def calibration(self) -> Calibration:
        """What corrects the converters, as the models take it."""
        return Calibration(
            trim=unpack_trim(self.trim_words), digital=DigitalUnits(gain=self.gain, offset=self.offset),
            range_code=self.range_code,
        )

    def calibration_words(self, calibration: Calibration) -> list[tuple[int, int]]:
        """(address, word) pairs that bring the registers from what they are to ``calibration``."""
        cfg, digital = self._pwm, calibration.digital
        columns = digital.gain.astype(np.int64) | (digital.offset.astype(np.int64) & 0xFF) << 8
        registers = self.gain.astype(np.int64) | (self.offset.astype(np.int64) & 0xFF) << 8
        trims = pack_trim(calibration.trim)
        words = [(cfg.columns_at + k, int(columns[k])) for k in np.flatnonzero(columns != registers).tolist()]
        words += [(cfg.trims_at + k, int(trims[k])) for k in np.flatnonzero(trims != self.trim_words).tolist()]
        if calibration.range_code != self.range_code:
            words.append((cfg.range_at, calibration.range_code))
        return words


class ColumnSettings(Resettable[PwmCoreConfig]):
    """Takes writes of settings: masks go on to their memory, the others wait until no operation is in the core.

    Thus every setting is in force for the operations whose descriptors are transferred later. After reset all registers
    are set, a column a cycle (``cfg.lines`` cycles), those in the macro too.
    """

    own = In(lambda self: SettingLayout(self.cfg), when=lambda self: self.cfg.engine)
    """With an engine: a write of its own, while no operation is in the core."""
    column = In(lambda self: range(self.cfg.lines), when=lambda self: self.cfg.engine)
    trim = Out(TRIM_BITS, when=lambda self: self.cfg.engine)
    """With an engine: a column, and one cycle later its trim word."""
    writing = Out(32, when=lambda self: self.cfg.engine)
    """The parameters of write-verify, which only an engine has."""
    i = In(lambda self: stream.Signature(SettingsLayout(self.cfg)))
    """Writes; a write to an address of nothing is taken and ignored."""
    mask = Out(lambda self: stream.Signature(MaskLayout(self.cfg)))
    """Those of masks."""
    idle = In(1)
    """No operation is in the core."""
    ready = Out(1)
    """All registers are set."""
    row = In(lambda self: range(self.cfg.group_rows))
    """Group whose registers are read; ``columns`` follows one cycle later."""
    columns = Out(lambda self: self.cfg.lanes * COLUMN_BITS)
    """Registers of that group."""
    range_code = Out(16, init=1 << RANGE_BITS)
    """The range register."""
    trim_write = Out(1)
    trim_column = Out(lambda self: range(self.cfg.lines))
    trim_data = Out(TRIM_BITS)
    """To the macro, see :class:`mho.hw.kinds.pwm.pins.PwmPins`."""

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg = self.cfg
        m.submodules.memory = memory = Memory(shape=COLUMN_BITS * cfg.lanes, depth=cfg.group_rows, init=[])
        write = memory.write_port(granularity=COLUMN_BITS)
        read = memory.read_port()
        address, word, internal = self.i.p.addr, self.i.p.data, Const(0)
        if cfg.engine:
            internal = self.own.valid
            address, word = Mux(internal, self.own.addr, address), Mux(internal, self.own.data, word)
        masks = Signal()
        columns = Signal()
        trims = Signal()
        place = Signal(range(cfg.lines))
        column = Signal(range(cfg.lines))
        set_up = Signal()
        other = Signal()
        m.d.comb += [
            masks.eq(self.i.p.addr < cfg.columns_at),
            columns.eq((address >= cfg.columns_at) & (address < cfg.columns_at + cfg.lines)),
            trims.eq((address >= cfg.trims_at) & (address < cfg.trims_at + cfg.lines)),
            self.mask.valid.eq(self.i.valid & masks), self.mask.p.addr.eq(self.i.p.addr),
            self.mask.p.data.eq(self.i.p.data), self.ready.eq(set_up),
            other.eq(internal | (self.i.valid & ~masks & set_up & self.idle)),
            self.i.ready.eq(Mux(masks, self.mask.ready, set_up & self.idle)),
            # Both banks begin at a multiple of the columns.
            column.eq(Mux(set_up, address[: len(column)], place)), read.addr.eq(self.row), read.en.eq(1),
            self.columns.eq(read.data),
            write.addr.eq(column[(cfg.lanes - 1).bit_length() :]),
            write.data.eq(Cat(Mux(set_up, word[:COLUMN_BITS], cfg.gain_code)[:COLUMN_BITS]).replicate(cfg.lanes)),
            write.en.eq(Mux(~set_up | (other & columns), 1 << column[: (cfg.lanes - 1).bit_length()], 0)),
        ]
        with m.If(~set_up):
            m.d.sync += [place.eq(place + 1), set_up.eq(place == cfg.lines - 1)]
        m.d.sync += [self.trim_write.eq(~set_up | (other & trims)), self.trim_column.eq(column),
                     self.trim_data.eq(Mux(set_up, word, 0))]
        with m.If(other & (address == cfg.range_at)):
            m.d.sync += self.range_code.eq(word)
        if cfg.engine:
            self._keep(m, column, other & trims | ~set_up, Mux(set_up, word, 0))
            with m.If(other & (address == cfg.writing_at)):
                m.d.sync += self.writing.eq(word)
        return self.resets(m)

    def _keep(self, m: Module, column: Value, writes: Value, word: Value) -> None:
        """Trim words, which the macro does not give back."""
        m.submodules.trims = memory = Memory(shape=TRIM_BITS, depth=self.cfg.lines, init=[])
        write = memory.write_port()
        read = memory.read_port()
        m.d.comb += [
            write.addr.eq(column), write.data.eq(word), write.en.eq(writes), read.addr.eq(self.column),
            self.trim.eq(read.data),
        ]
