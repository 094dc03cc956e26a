"""Memories of an emulator: its cells, and tables of what its converters do for a few operations at a time."""

from amaranth.hdl import C, Cat, ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.emulator.config import SPRAM_WIDTH, SPRAM_WORDS, TABLES, TAGS, EmulatorConfig, LoadLayout
from mho.hw.ports import Component, In, Out, array


class TableStore(Resettable[EmulatorConfig]):
    """Memory of tables, of which an operation finds its own by a tag.

    Neither tables nor tags know reset: a board that was reset goes on with what was loaded.
    """

    load = In(1)
    word = In(lambda self: LoadLayout(self.cfg))
    """A word of the load port is taken in this cycle."""
    wanted = In(lambda self: self.cfg.tag_bits)
    """Tag of the table that the operation needs."""
    allowed = In(lambda self: self.cfg.slots)
    """Slots that may be used for it."""
    known = Out(1)
    """There is one. Combinational."""
    place = In(lambda self: range(self.cfg.slot_words >> self._field_bits()))
    """``entry`` are those words of it in the next cycle."""
    entry = array(Out(lambda self: signed(self.cfg.sum_bits)), lambda self: self.cfg.table_fields)
    """See above."""

    def _field_bits(self) -> int:
        return (self.cfg.table_fields - 1).bit_length()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, word, bits = self.cfg, self.word, self._field_bits()
        depth, fields = cfg.slots * cfg.slot_words >> bits, range(cfg.table_fields)
        m.submodules.memory = memory = Memory(shape=cfg.sum_bits * cfg.table_fields, depth=depth, init=[])
        write, read = memory.write_port(granularity=cfg.sum_bits), memory.read_port()
        slot, here = Signal(range(cfg.slots)), self.load & (word.region == TABLES)
        m.d.comb += [
            write.addr.eq(word.index >> bits), write.data.eq(word.data[: cfg.sum_bits].replicate(cfg.table_fields)),
            write.en.eq(Cat(here & (word.index[:bits] == field) if bits else here for field in fields)),
            read.addr.eq(Cat(self.place, slot)), read.en.eq(1),
            *(self.entry[field].eq(read.data.word_select(field, cfg.sum_bits)) for field in fields),
        ]
        for number in range(cfg.slots):
            tag = Signal(cfg.tag_bits + 1, name=f"tag_{number}", reset_less=True)
            with m.If(self.load & (word.region == TAGS) & (word.index == number)):
                m.d.sync += tag.eq(word.data)
            with m.If((tag == Cat(self.wanted, Const(1, 1))) & self.allowed[number]):
                m.d.comb += [self.known.eq(1), slot.eq(number)]
        return self.resets(m)


class CellMemory(Component[EmulatorConfig]):
    """Reads one word a cycle, or writes a part of one.

    Parameters
    ----------
    cfg
        Configuration; ``cfg.memory`` chooses the kind. SPRAM is instances of ``SB_SPRAM256KA``, which Amaranth's
        simulator does not know.
    """

    address = In(lambda self: range(self.cfg.cell_words))
    """Word, to be read or written."""
    write = In(lambda self: self.cfg.word_bits // self.cfg.chunk_bits)
    """Parts of the word that are written, each of ``cfg.chunk_bits`` bits."""
    value = In(lambda self: self.cfg.word_bits)
    """What is written."""
    data = Out(lambda self: self.cfg.word_bits)
    """That word, in the cycle behind one without a write."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.cfg.memory == "spram":
            self._instantiate(m)
            return m
        m.submodules.memory = memory = Memory(shape=self.cfg.word_bits, depth=self.cfg.cell_words, init=[])
        write, read = memory.write_port(granularity=self.cfg.chunk_bits), memory.read_port()
        m.d.comb += [
            write.addr.eq(self.address), write.data.eq(self.value), write.en.eq(self.write),
            read.addr.eq(self.address), read.en.eq(1), self.data.eq(read.data),
        ]
        return m

    def _instantiate(self, m: Module) -> None:
        """One memory for each 16 bits of the word."""
        address = Signal(range(SPRAM_WORDS))
        m.d.comb += address.eq(self.address)
        for k in range(self.cfg.word_bits // SPRAM_WIDTH):
            enable = self.write[k * SPRAM_WIDTH // self.cfg.chunk_bits]
            out = Signal(SPRAM_WIDTH, name=f"out_{k}")
            m.submodules[f"spram_{k}"] = Instance(
                "SB_SPRAM256KA",
                i_CLOCK=ClockSignal(), i_ADDRESS=address, i_DATAIN=self.value.word_select(k, SPRAM_WIDTH),
                i_MASKWREN=C(15, 4), i_WREN=enable, i_CHIPSELECT=C(1, 1),
                i_STANDBY=C(0, 1), i_SLEEP=C(0, 1), i_POWEROFF=C(1, 1), o_DATAOUT=out,
            )
            m.d.comb += self.data.word_select(k, SPRAM_WIDTH).eq(Cat(out))
