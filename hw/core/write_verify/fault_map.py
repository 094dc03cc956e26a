"""Map of the cells that were given up."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.counting import following, last
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.ports import In, Out


class FaultMap(Resettable[WriteVerifyConfig]):
    """Memory of one bit a cell, which cells are entered into in their order.

    It is cleared after reset and by ``clear``, one word a cycle (``cfg.map_words`` cycles).
    """

    clear = In(1)
    """Clear the map, and start again from the first cell."""
    cleared = Out(1)
    """Cells may be entered."""
    enter = In(1)
    fault = In(1)
    """Enter the next cell. After the last cell the first follows."""
    row_end = Out(1)
    """The next cell is the last of its row."""
    array_end = Out(1)
    """It is the last of the array."""
    addr = In(lambda self: range(self.cfg.map_words))
    """Word to read: ``row * cfg.row_words + col // cfg.map_width``."""
    data = Out(lambda self: self.cfg.map_width)
    """The word, one cycle later."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width, words = self.cfg.map_width, self.cfg.map_words
        m.submodules.memory = memory = Memory(shape=unsigned(width), depth=words, init=[])
        write, read = memory.write_port(), memory.read_port()
        # The word is read anew where another one is asked for, or something was written.
        at, known = Signal.like(self.addr, name="at"), Signal(name="known")
        m.d.sync += known.eq(~write.en)
        m.d.comb += [
            read.addr.eq(self.addr), read.en.eq(~known | (self.addr != at)), self.data.eq(read.data),
        ]
        with m.If(read.en):
            m.d.sync += at.eq(self.addr)

        # The cell, least significant part first: bit of the word, word.
        bit = Signal(range(width))
        word = Signal(range(words))
        cell = Cat(bit, word)
        (rows, columns), places = self.cfg.shape, (self.cfg.shape[1] - 1).bit_length()
        column, row, even = cell[:places], cell[places:], self.cfg.cells == 1 << len(cell)
        # Faults of the word so far. A word is written with every cell, so that a run can end anywhere.
        faults = Signal(width)
        entered = Signal(width)
        m.d.comb += [
            self.row_end.eq(last(column, columns)),
            self.array_end.eq(cell.all() if even else self.row_end & last(row, rows)),
            entered.eq(Mux(bit == 0, 0, faults) | (self.fault << bit)),
            write.addr.eq(word), write.data.eq(Mux(self.cleared, entered, 0)),
            write.en.eq(~self.cleared | self.enter),
        ]
        with m.If(self.clear):
            m.d.sync += [self.cleared.eq(0), cell.eq(0)]
        with m.Elif(~self.cleared):
            m.d.sync += [word.eq(following(word, words)), self.cleared.eq(word == words - 1)]
        with m.Elif(self.enter):
            m.d.sync += [faults.eq(entered), cell.eq(cell + 1)]
            if not even:
                with m.If(self.row_end):
                    m.d.sync += [column.eq(0), row.eq(following(row, rows))]
        return self.resets(m)
