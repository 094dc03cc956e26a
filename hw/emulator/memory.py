"""The memory of the cells: block RAM, or the single-ported RAM of an iCE40 UP5K."""

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Signal
from amaranth.lib.memory import Memory

from mho.hw.emulator.config import SPRAM_WIDTH, SPRAM_WORDS, EmulatorConfig
from mho.hw.ports import Component, In, Out


class CellMemory(Component[EmulatorConfig]):
    """Reads one word a cycle, or writes a part of one.

    Parameters
    ----------
    cfg
        Configuration; ``cfg.memory`` chooses the kind. SPRAM is instances of ``SB_SPRAM256KA``, which Amaranth's
        simulator does not know.

    Members
    -------
    address : In
        Word, to be read or written.
    write : In
        Parts of the word that are written, each of ``cfg.chunk_bits`` bits.
    value : In
        What is written.
    data : Out
        That word, in the cycle behind one without a write.
    """

    address = In(lambda self: range(self.cfg.cell_words))
    write = In(lambda self: self.cfg.word_bits // self.cfg.chunk_bits)
    value = In(lambda self: self.cfg.word_bits)
    data = Out(lambda self: self.cfg.word_bits)

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
